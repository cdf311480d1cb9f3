"""Finds the files of a case without changing or copying anything.

A folder is a case as soon as kyumei is pointed at it. Links that lead out of the folder are not followed (a case may come from somebody
else), loops are met once, and whatever is not a regular file is named and left alone.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from kyumei.errors import PathError
from kyumei.model.artifact import Artifact

SKIPPED_FOLDERS = frozenset({".git", ".svn", ".hg", "__MACOSX"})
SKIPPED_FILES = frozenset({".DS_Store", "Thumbs.db"})
SETTINGS = "case.toml"
"""What people know about the case, at its root: no log."""


def walk(root: Path) -> list[Artifact]:
    """Every file below ``root`` (or the file itself) in the order of its name, numbered from 1.

    Raises PathError when the path is missing or may not be read. A file that may not be read is listed with its trouble.
    """
    try:
        mode = root.stat().st_mode
    except (OSError, ValueError) as error:
        if isinstance(error, PermissionError):
            message = f"the path may not be read: {root}"
            raise PathError(message, "give yourself read permission, or run as the user who owns it") from error
        message = f"no such file or folder: {root}"
        raise PathError(message, "give the folder that holds the logs, or one log file") from error
    if stat.S_ISREG(mode):
        return [_artifact(1, visible_name(root.name), root)]
    if not stat.S_ISDIR(mode):
        message = f"neither a folder nor a regular file: {root}"
        raise PathError(message, "give the folder that holds the logs, or one log file")
    if not os.access(root, os.R_OK | os.X_OK):
        message = f"the folder may not be read: {root}"
        raise PathError(message, "give yourself read permission, or run as the user who owns it")
    real_root = root.resolve()
    found = sorted(_files(root, real_root, {real_root}), key=lambda item: item[0])
    return [_artifact(number, name, path, trouble) for number, (name, path, trouble) in enumerate(found, start=1)]


def _files(root: Path, real_root: Path, seen: set[Path]) -> list[tuple[str, Path, str]]:
    """Name in the case, path and trouble of every file; ``seen`` holds the folders that were already entered."""
    found: list[tuple[str, Path, str]] = []
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            found.append((_name(root, folder) + "/", folder, f"the folder cannot be read ({error.strerror})"))
            continue
        for entry in entries:
            path = Path(entry.path)
            is_folder = _is_folder(entry)
            if not is_folder and (entry.name in SKIPPED_FILES or (entry.name == SETTINGS and folder == root)):
                continue
            trouble = _link_trouble(path, real_root) if entry.is_symlink() else ""
            if trouble or not is_folder:
                found.append((_name(root, path), path, trouble or _file_trouble(path)))
                continue
            real = path.resolve()
            if entry.name not in SKIPPED_FOLDERS and real not in seen:
                seen.add(real)
                pending.append(path)
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one; what may not be looked at is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _name(root: Path, path: Path) -> str:
    """The path inside the case with forward slashes."""
    return visible_name(path.relative_to(root).as_posix())


def visible_name(name: str) -> str:
    """A file's name as text: bytes that are none are written out."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _link_trouble(path: Path, real_root: Path) -> str:
    """Why a link is not followed; empty when it leads to a folder inside the case."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return "the link leads nowhere, or to itself"
    if real_root not in real.parents and real != real_root:
        return "the link leads out of the folder and is not followed"
    return f"a link to {visible_name(real.relative_to(real_root).as_posix())}, which is read under its own name" if real.is_file() else ""


def _file_trouble(path: Path) -> str:
    """Why a file cannot be read; empty when it can."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"the file cannot be read ({error.strerror})"
    if not stat.S_ISREG(mode):
        return "not a regular file"
    return "" if os.access(path, os.R_OK) else "permission denied"


def _artifact(number: int, name: str, path: Path, trouble: str = "") -> Artifact:
    """The artifact of one path; a file that vanished meanwhile keeps its name and a trouble."""
    trouble = trouble or _file_trouble(path)
    try:
        info = path.stat()
    except OSError:
        return Artifact(number, name, path, 0, 0, trouble=trouble or "the file vanished")
    return Artifact(number, name, path, info.st_size, info.st_mtime_ns, trouble=trouble)


def quoted_path(path: Path) -> str:
    """A path as text that any database holds, whatever bytes it has; ``artifact_at`` reads it back."""
    return quote_from_bytes(os.fsencode(path))


def artifact_at(path: str) -> Artifact:
    """The artifact of one file by its quoted path, outside of any case."""
    real = Path(os.fsdecode(unquote_to_bytes(path)))
    return _artifact(0, visible_name(real.name), real)
