"""Tars that lie one behind the other in a file are all read; what else follows an archive is said."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from kyumei.store import unpack
from kyumei.store.unpack import members
from kyumei.store.walk import artifact_at, quoted_path

if TYPE_CHECKING:
    from pathlib import Path

LOG = b"".join(b'10.0.1.12 - - [11/Mar/2025:14:%02d:10 +0900] "GET /items HTTP/1.1" 200 12\n' % minute for minute in range(60))


def _parts(path: Path) -> list[tuple[str, bytes, str]]:
    """The name of each member, what could be read of it, and why no more."""
    return [(name, b"".join(stream.chunks()), stream.trouble) for name, _, stream in members(artifact_at(quoted_path(path)))]


def _tar(*names: str, content: bytes = LOG) -> bytes:
    """An archive with the same content under each name, and the zeros that end it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


JOINED: dict[str, bytes] = {
    "cat": _tar("a.log") + _tar("b.log", "c.log"),
    "end blocks taken off": _tar("a.log")[: tarfile.BLOCKSIZE * (1 + -(-len(LOG) // tarfile.BLOCKSIZE))] + _tar("b.log", "c.log"),
    "cat of compressed": gzip.compress(_tar("a.log")) + gzip.compress(_tar("b.log", "c.log")),
    "half a block of zeros behind": _tar("a.log") + _tar("b.log", "c.log") + b"\0" * 100,
}
"""Ways to join tars that lie one behind the other."""


@pytest.mark.parametrize("how", JOINED)
def test_tars_that_were_joined(tmp_path: Path, how: str) -> None:
    """All of them are read, as by ``tar --ignore-zeros``."""
    (tmp_path / "a.tar").write_bytes(JOINED[how])
    assert _parts(tmp_path / "a.tar") == [("a.log", LOG, ""), ("b.log", LOG, ""), ("c.log", LOG, "")]


def _damaged() -> bytes:
    """An archive whose second header has another checksum."""
    whole = bytearray(_tar("a.log", "b.log"))
    whole[whole.index(b"b.log")] ^= 1
    return bytes(whole)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (_damaged(), "the archive breaks off (a header is damaged; what follows it cannot be found)"),
        (_damaged() + _tar("c.log"), "the archive breaks off (a header is damaged; what follows it cannot be found)"),
        (_tar("a.log") + gzip.compress(_tar("b.log")), "the archive breaks off (what follows its end is no archive)"),
        (_tar("a.log") + b"hello\n", "the archive breaks off (what follows its end is no archive)"),
    ],
    ids=["damaged header", "damaged header before another archive", "gzip behind", "text behind"],
)
def test_what_is_not_read_of_a_tar_is_said(tmp_path: Path, content: bytes, why: str) -> None:
    """Neither a damaged header nor anything but zeros behind the end is passed over."""
    (tmp_path / "a.tar").write_bytes(content)
    assert _parts(tmp_path / "a.tar") == [("a.log", LOG, ""), ("", b"", why)]


def test_zeros_behind_a_tar_come_to_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros that unpack from almost nothing are not passed over for ever."""
    monkeypatch.setattr(unpack, "BOMB_FLOOR", 50_000)
    monkeypatch.setattr(unpack, "BOMB_RATIO", 1)
    (tmp_path / "a.tgz").write_bytes(gzip.compress(_tar("a.log") + b"\0" * 100_000 + _tar("b.log")))
    assert [(name, trouble) for name, _, trouble in _parts(tmp_path / "a.tgz")] == [
        ("a.log", ""),
        ("", "the archive breaks off (more than 50000 bytes of zeros)"),
    ]
