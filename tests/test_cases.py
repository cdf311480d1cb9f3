"""Folders as other people's systems leave them, each with the answer that they deserve: a new case is a new folder under ``tests/cases``.

A case is ``tests/cases/<name>/case-expected.toml`` and the files of ``tests/cases/<name>/case``. Guilty ones and innocent look-alikes
stand in pairs, so that a rule that accuses too easily fails as surely as one that sees nothing. Keys of case-expected.toml:

``about``         what is peculiar about the case, and why the verdict is the right one
``symptom``       what the person said; ``now`` the present (aware), ``zone`` the person's own zone if the words name none
``verdict``       the one right verdict
``code``          the code of the first finding, or a list of those that are right
``at_least``, ``at_most``  bounds of the first finding's certainty
``forbidden``     codes that no finding that is proven or likely may have
``says``          words that the sentence of the answer must hold
``gaps``          words, each of which must stand in what some gap says is missing
``cited``         ``file:line`` that the first finding must cite
``mentioned``     ``file:line`` that must be cited somewhere, as a look-alike or in the timeline
``saw``           hop to ``yes``, ``no`` or ``blind`` in the hop table
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from kyumei.api import investigate
from kyumei.model.finding import Certainty, Verdict
from kyumei.store import bulk_files, bulk_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kyumei.model.finding import Citation, Finding, Investigation

CASES = Path(__file__).parent / "cases"
NAMES = sorted(folder.name for folder in CASES.iterdir() if (folder / "case-expected.toml").is_file())
_TOLD = "about symptom now zone verdict code at_least at_most forbidden says gaps cited mentioned saw"
KEYS = frozenset(_TOLD.split())
ONE_IN = 5
"""One in so many cases is asked once more as if its files were large."""
STRENGTH = {Certainty.POSSIBLE: 1, Certainty.LIKELY: 2, Certainty.PROVEN: 3}
_UNPACK = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}


def expected(folder: Path) -> dict[str, Any]:
    """What the case says of its answer."""
    told = tomllib.loads((folder / "case-expected.toml").read_text("utf-8"))
    assert set(told) <= KEYS, f"{folder.name} has unknown keys {set(told) - KEYS}"
    return told


def answer(folder: Path, cache: Path) -> Investigation:
    """The investigation of one case."""
    told = expected(folder)
    return investigate(folder / "case", told["symptom"], now=told["now"], zone=told.get("zone"), cache=cache)


def problems(folder: Path, told: dict[str, Any], found: Investigation) -> list[str]:
    """What is wrong with an answer, measured against what the case deserves."""
    wrong = [f"verdict {found.verdict}, not {told['verdict']}: {found.sentence}"] if found.verdict != told["verdict"] else []
    wrong += [
        f"accuses {finding.code}, {finding.certainty}: {finding.title}"
        for finding in found.findings
        if finding.certainty is not Certainty.POSSIBLE and finding.code in told.get("forbidden", ())
    ]
    if found.verdict is not Verdict.CAUSE_FOUND and any(finding.certainty is not Certainty.POSSIBLE for finding in found.findings[:1]):
        wrong.append(f"the first finding is {found.findings[0].certainty}, and yet the verdict is {found.verdict}")
    wrong += _wrong_first(told, found.findings[0] if found.findings else None)
    wrong += [f"the sentence lacks {word!r}: {found.sentence}" for word in told.get("says", ()) if word not in found.sentence]
    missing = [gap.missing for gap in found.gaps]
    wrong += [f"no gap names {word!r}: {missing}" for word in told.get("gaps", ()) if not any(word in one for one in missing)]
    where = {_where(one) for one in citations(found)}
    wrong += [f"{line} is cited nowhere" for line in told.get("mentioned", ()) if line not in where]
    seen = {hop.hop: hop for hop in found.hops}
    wrong += [
        f"{hop} is {seen[hop].saw_it if hop in seen else 'not in the table'}, not {saw}: {seen[hop].why if hop in seen else ''}"
        for hop, saw in told.get("saw", {}).items()
        if hop not in seen or seen[hop].saw_it != saw
    ]
    return wrong + list(_unresolved(folder / "case", found))


def _wrong_first(told: dict[str, Any], first: Finding | None) -> list[str]:
    codes = [told["code"]] if isinstance(told.get("code"), str) else told.get("code", [])
    bounded = {"at_least", "at_most", "cited"} & set(told)
    if first is None:
        return ["there is no finding"] if codes or bounded else []
    wrong = [f"the first finding is {first.code}: {first.title}"] if codes and first.code not in codes else []
    strength = STRENGTH[first.certainty]
    if strength < STRENGTH[Certainty(told.get("at_least", "possible"))]:
        wrong.append(f"only {first.certainty}: {first.title}")
    if strength > STRENGTH[Certainty(told.get("at_most", "proven"))]:
        wrong.append(f"as much as {first.certainty}: {first.title}")
    cited = {_where(one) for evidence in first.chain for one in evidence.citations}
    return wrong + [f"the first finding does not cite {line}: {sorted(cited)}" for line in told.get("cited", ()) if line not in cited]


def _where(citation: Citation) -> str:
    return f"{citation.file}:{citation.line}"


def citations(found: Investigation) -> list[Citation]:
    """Every citation of an answer."""
    cited = [one for finding in found.findings for evidence in finding.chain for one in evidence.citations]
    cited += [one for other in found.ruled_out for one in other.citations]
    cited += [one for hop in found.hops for one in hop.citations]
    return cited + [moment.citation for moment in found.timeline if moment.citation]


def _unresolved(case: Path, found: Investigation) -> Iterator[str]:
    """Citations whose line does not stand in the file, at that number, letter by letter."""
    for citation in dict.fromkeys(citations(found)):
        lines = text_of(case, citation.file).split("\n")
        line = lines[citation.line - 1] if citation.line <= len(lines) else ""
        if not citation.text or (line.removesuffix("\r") != citation.text and citation.text not in line):
            yield f"unresolved: {_where(citation)} {citation.text[:120]!r}"


def text_of(case: Path, name: str) -> str:
    """The text of a file of the case as citations name it: ``archive.zip!member`` for a member, decompressed where it is packed."""
    outer, _, member = name.partition("!")
    raw = (case / outer).read_bytes()
    if outer.endswith(".zip"):
        raw = zipfile.ZipFile(io.BytesIO(raw)).read(member)
    elif member:
        packed = tarfile.open(fileobj=io.BytesIO(raw)).extractfile(member)  # noqa: SIM115 - in memory
        assert packed is not None, name
        raw = packed.read()
    if raw.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().decompressobj().decompress(raw).decode()
    ending = next((ending for ending in _UNPACK if (member or outer).endswith(ending)), "")
    return (_UNPACK[ending](raw) if ending else raw).removeprefix(b"\xef\xbb\xbf").decode()


@pytest.mark.parametrize("name", NAMES)
def test_case_gets_the_answer_it_deserves(name: str, tmp_path: Path) -> None:
    """Verdict, code, certainty, gaps and lines are those that the case tells; every citation stands in its file."""
    folder = CASES / name
    found = answer(folder, tmp_path)
    assert problems(folder, expected(folder), found) == []


@pytest.mark.parametrize("name", NAMES[::ONE_IN])
def test_case_of_large_files_gets_the_same_answer(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that the database reads whole are kept otherwise: in tables with fewer columns, which no answer may show."""
    monkeypatch.setattr(bulk_files, "BULK_FROM", 1)
    monkeypatch.setattr(bulk_rows, "BULK_ROWS", 1)
    folder = CASES / name
    assert problems(folder, expected(folder), answer(folder, tmp_path)) == []


def test_there_are_guilty_and_innocent_cases() -> None:
    """The cases hold each verdict, so that none of them can be had by always saying the same."""
    assert {expected(CASES / name)["verdict"] for name in NAMES} == {"cause_found", "healthy", "cannot_tell"}
