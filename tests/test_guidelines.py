"""The style guide, as tests. When a review repeats a remark, it becomes an assertion here."""

from __future__ import annotations

import ast
import bz2
import gzip
import ipaddress
import lzma
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import zstandard

import kyumei
from kyumei import discover, errors
from kyumei.model.table import LINEAGE, Column, Kind

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "kyumei"
MODULES = sorted(SOURCE.rglob("*.py"))
OURS = sorted(path for name in ("src", "tests", "docs", "bench", "examples") for path in (ROOT / name).rglob("*.py") if path.is_file())
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
MAX_DEPTH = 2


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _definitions(path: Path) -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """Every function and class of a module with its dotted name."""
    found: list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]] = []

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{prefix}.{child.name}".lstrip(".")
                found.append((inner, child))
            walk(child, inner)

    walk(ast.parse(path.read_text("utf-8")), "")
    return found


# Size and place


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_files_and_functions_are_short(path: Path) -> None:
    """No file over 400 lines, no function over 60."""
    assert len(path.read_text("utf-8").splitlines()) <= MAX_FILE_LINES
    sizes = {
        name: (node.end_lineno or node.lineno) - node.lineno + 1 for name, node in _definitions(path) if not isinstance(node, ast.ClassDef)
    }
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_modules_are_named_for_what_they_hold(path: Path) -> None:
    """No drawer for odds and ends, and at most two folders deep."""
    inside = path.relative_to(SOURCE)
    assert not BANNED_NAMES & {*inside.parts, inside.stem}
    assert len(inside.parent.parts) <= MAX_DEPTH


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent.name != "model" and path.name != "contracts.py"], ids=_name)
def test_records_inside_a_room_are_named_tuples(path: Path) -> None:
    """A frozen dataclass is slow to make; a room has one only where a tuple does not do."""
    why = re.compile(r"default_factory|cached_property|^ +(?:count|index):", re.MULTILINE)
    frozen = [
        (name, ast.unparse(node))
        for name, node in _definitions(path)
        if isinstance(node, ast.ClassDef) and any("frozen=True" in ast.unparse(mark) for mark in node.decorator_list)
    ]
    assert [name for name, text in frozen if not why.search(text)] == []


# Words


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_public_things_have_a_docstring(path: Path) -> None:
    """A module, a public class and a public function say what they are."""
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree), "the module"
    mute = [
        name
        for name, node in _definitions(path)
        if not any(part.startswith("_") for part in name.split(".")) and not _is_nested(tree, node) and not ast.get_docstring(node)
    ]
    assert mute == []


def _is_nested(tree: ast.Module, node: ast.AST) -> bool:
    """Whether a definition lies inside a function, where nobody outside can call it."""
    functions = [outer for outer in ast.walk(tree) if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) and outer is not node]
    return any(node in ast.walk(outer) for outer in functions)


@pytest.mark.parametrize("path", OURS, ids=_name)
def test_exceptions_from_the_linter_are_explained(path: Path) -> None:
    """`noqa` and `type: ignore` name their rule and say why."""
    marks = re.findall(r"#\s*(?:noqa|type:\s*ignore)\b.*", path.read_text("utf-8"))
    explained = re.compile(r"# (?:noqa: [A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)*|type: ignore\[[a-z, -]+\])(?:  #)? (?:- |#? ?)\w.*")
    assert [mark for mark in marks if not explained.match(mark)] == []


def test_lint_rules_are_all_on_and_each_exception_has_a_reason() -> None:
    """`select = ["ALL"]`; every ignored rule stands on a line of its own with the reason beside it."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    lint = tomllib.loads(text)["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    ignored = [*lint["ignore"], *(code for codes in lint["per-file-ignores"].values() for code in codes)]
    assert [code for code in ignored if not re.search(rf'^    "{code}", +# \w.+$', text, re.MULTILINE)] == []


def test_broad_excepts_are_few_and_explained() -> None:
    """Three at most in the whole source, each with a comment on its line."""
    broad = [
        f"{_name(path)}:{number}: {line.strip()}"
        for path in MODULES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.match(r"\s*except( \(?(Base)?Exception\b.*)?:", line)
    ]
    assert len(broad) <= 3
    assert [line for line in broad if "#" not in line] == []


def test_errors_are_one_tree_and_drawn() -> None:
    """Every error of ours descends from KyumeiError and stands in the picture at the top of errors.py."""
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert kinds
    assert all(issubclass(kind, errors.KyumeiError) for kind in kinds)
    assert [kind.__name__ for kind in kinds if kind.__name__ not in (errors.__doc__ or "")] == []


# What the library hands out


@pytest.mark.parametrize("name", kyumei.__all__)
def test_what_the_library_promises_is_there(name: str) -> None:
    """Every name of `kyumei.__all__` can be had, and a name that is not there is refused as Python does."""
    assert getattr(kyumei, name)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        getattr(kyumei, "nothing_of_the_kind")  # noqa: B009 - the checker knows that it is not there


def test_importing_the_library_loads_no_engine() -> None:
    """`import kyumei` is cheap: engine and command line come on first use."""
    code = "import sys, kyumei; sys.exit(bool({'duckdb', 'typer', 'rich', 'kyumei.api'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "PYTHONPATH": str(SOURCE.parent)}).returncode == 0  # noqa: S603 - our own interpreter and code


# Tables


def _columns() -> list[tuple[str, Column]]:
    return [("every table", column) for column in LINEAGE] + [
        (leaf.name, column) for leaf in discover.formats().values() for column in leaf.table.columns
    ]


def test_a_column_name_has_one_kind_everywhere() -> None:
    """People join and filter across tables without looking things up."""
    kinds: dict[str, dict[Kind, list[str]]] = {}
    for table, column in _columns():
        kinds.setdefault(column.name, {}).setdefault(column.kind, []).append(table)
    assert {name: found for name, found in kinds.items() if len(found) > 1} == {}


def test_a_column_name_has_one_link_everywhere() -> None:
    """Two columns of one name speak of the same sort of thing."""
    links: dict[str, set[str]] = {}
    for _, column in _columns():
        links.setdefault(column.name, set()).add(column.link.value if column.link else "")
    assert {name: found for name, found in links.items() if len(found) > 1} == {}


def test_the_unit_stands_in_the_name() -> None:
    """A duration ends in _seconds, a size in _bytes, and neither is text."""
    wrong_unit = re.compile(r"_(ms|millis|milliseconds|usec|micros|duration|elapsed|latency|size|kb|mb)$")
    numbers = {Kind.INTEGER, Kind.FLOAT}
    assert [f"{table}.{column.name}" for table, column in _columns() if column.kind in numbers and wrong_unit.search(column.name)] == []
    units = [(table, column) for table, column in _columns() if column.name.endswith(("_seconds", "_bytes"))]
    assert [f"{table}.{column.name}" for table, column in units if column.kind not in numbers] == []


def test_columns_are_named_and_described() -> None:
    """Snake case, a sentence, and one TIME column first of its kind in every table."""
    assert [f"{table}.{column.name}" for table, column in _columns() if not re.fullmatch(r"_?[a-z][a-z0-9_]*", column.name)] == []
    assert [f"{table}.{column.name}" for table, column in _columns() if not column.doc.endswith((".", "…"))] == []
    for leaf in discover.formats().values():
        names = [column.name for column in leaf.table.columns]
        assert len(names) == len(set(names)), leaf.name
        assert leaf.table.name == leaf.name
        assert leaf.table.time.kind is Kind.TIME


# Leaves and their golden folders


@pytest.mark.parametrize("name", sorted(path.stem for path in (SOURCE / "formats").glob("[a-z]*.py")))
def test_every_format_has_a_golden_folder(name: str) -> None:
    """Logs beside the rows that must come of them."""
    folder = ROOT / "tests" / "formats" / name
    rows = {path.stem for path in folder.glob("*.jsonl")}
    assert rows, f"no golden case in {_name(folder)}"
    inputs = {path.name.split(".")[0] for path in folder.iterdir() if path.suffix != ".jsonl"}
    assert rows - inputs == set()


@pytest.mark.parametrize("name", sorted(path.stem for path in (SOURCE / "rules").glob("[a-z]*.py")))
def test_every_rule_is_tested_by_name(name: str) -> None:
    """A folder of cases of its own, or a place in a scenario of the tests."""
    if any((ROOT / "tests" / "rules" / name).glob("*")):
        return
    named = [path for path in (ROOT / "tests").rglob("*.*") if path.suffix in {".py", ".json", ".toml"} and path != Path(__file__)]
    assert any(re.search(rf"\b{name}\b", path.read_text("utf-8")) for path in named), f"no test names the rule {name}"


def test_rules_know_their_rivals_and_tables() -> None:
    """What a rule names is there."""
    rules, tables = discover.rules(), set(discover.formats())
    assert {name: rule.rivals for name, rule in rules.items() if set(rule.rivals) - set(rules)} == {}
    assert {name: rule.needs for name, rule in rules.items() if set(rule.needs) - tables} == {}
    assert {name: rule.helps for name, rule in rules.items() if set(rule.helps) - tables} == {}
    assert [name for name, rule in rules.items() if not all(re.fullmatch(r"[A-Z0-9]+-[0-9]{3}", code) for code in rule.codes)] == []


# What is handed out


@pytest.mark.parametrize("lock", sorted((ROOT / "requirements").glob("*.txt")), ids=_name)
def test_locks_pin_by_hash_and_name_no_host(lock: Path) -> None:
    """A lock names packages, versions and hashes; where they come from is the affair of who installs."""
    text = lock.read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host|@ ", text)
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.splitlines()[0] for entry in entries if "==" not in entry.splitlines()[0] or "--hash=sha256:" not in entry] == []


def test_locks_agree_with_the_project() -> None:
    """The backend is pinned alike in both places, and the two environments hold the same versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    build = (ROOT / "requirements" / "build.in").read_text("utf-8")
    assert [line for line in build.splitlines() if not line.startswith("#")] == project["build-system"]["requires"]
    base, backend, dev = (_pins(ROOT / "requirements" / name) for name in ("base.txt", "build.txt", "dev.txt"))
    wanted = {re.split(r"[^\w-]", text)[0] for text in project["project"]["dependencies"]}
    assert wanted <= set(base)
    assert {name: version for name, version in (base | backend).items() if dev.get(name) != version} == {}


def _pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock.read_text("utf-8"), re.MULTILINE))


@cache
def _texts() -> dict[str, str]:
    """Every file of the project as text, compressed ones unpacked."""
    skipped = {".git", ".venv", "dist", "data"}
    openers = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress, ".zst": _unpack_zstd}
    found: dict[str, str] = {}
    for folder in (ROOT, *(path for path in ROOT.iterdir() if path.is_dir() and path.name not in skipped and "cache" not in path.name)):
        for path in folder.glob("*") if folder == ROOT else folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".png", ".pyc"} and not path.is_symlink():
                found[_name(path)] = _unpacked(path, openers.get(path.suffix)).decode("utf-8", "replace")
    return found


def _unpack_zstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def _unpacked(path: Path, opener: object) -> bytes:
    """The bytes of a file; a file that is damaged on purpose stays as it lies."""
    data = path.read_bytes()
    try:
        return opener(data) if callable(opener) else data
    except (OSError, EOFError, lzma.LZMAError, zstandard.ZstdError):
        return data


def test_no_file_holds_a_home_folder() -> None:
    """A path of one machine has no place in the project; the accounts that servers run under may stand in logs."""
    home = re.compile(r"/home/(?!ubuntu|ec2-user|app|deploy)[a-z][\w-]*/|/Users/[A-Za-z][\w-]*/|/(?:root)/\.|C:\\Users\\")
    texts = {name: text for name, text in _texts().items() if name != _name(Path(__file__))}
    assert {name: found[0] for name, text in texts.items() if (found := home.findall(text))} == {}


EXAMPLES = ("examples/", "tests/formats/", "tests/rules/")


def test_examples_hold_only_the_account_of_the_documentation() -> None:
    """Twelve digits in an ARN, or named as an account, are 123456789012."""
    account = re.compile(
        r"""(?:arn:aws[\w-]*:[\w-]*:[\w-]*:|AWSLogs/|"?(?:account_?id|owner_?id|owner)"?\s*[:=]\s*"?)([0-9]{12})\b""", re.IGNORECASE
    )
    examples = {name: text for name, text in _texts().items() if name.startswith(EXAMPLES)}
    assert {name: strange for name, text in examples.items() if (strange := set(account.findall(text)) - {"123456789012"})} == {}


def test_examples_hold_only_documentation_and_private_addresses() -> None:
    """Nobody's real address stands in a sample log."""
    examples = {name: text for name, text in _texts().items() if name.startswith(EXAMPLES) and not name.endswith(".py")}
    assert {name: strange for name, text in examples.items() if (strange := _public_addresses(text))} == {}


def _public_addresses(text: str) -> set[str]:
    """The addresses in a text that belong to somebody. What looks like one in the version of a browser is none."""
    text = re.sub(r"[A-Za-z]{1,40}/[0-9][0-9.]*", " ", text)
    four = re.findall(r"(?<![\w.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?!\w|\.[0-9])", text)
    six = re.findall(r"(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:.])", text)
    return {found for found in {*four, *six} if _is_public(found)}


def _is_public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False


@pytest.mark.parametrize(
    ("text", "public"),
    [("203.0.113.9 10.0.0.1", 0), ("http://8.8.8.8/", 1), ("Chrome/120.0.0.0", 0), ("2001:db8::1 05:32:10", 0), ("2a00:1450::5", 1)],
)
def test_a_public_address_would_be_seen(text: str, public: int) -> None:
    """The test above can fail."""
    assert len(_public_addresses(text)) == public
