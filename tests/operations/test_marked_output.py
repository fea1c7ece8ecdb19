"""Output of a child is cut exactly at its marks, wherever blocks end."""

from __future__ import annotations

import io
import itertools

import pytest

from operations.backup import marked_output
from operations.backup.marked_output import EndedError, MarkedOutput

MARK = b"0123abcd\n"
SECTIONS = [(b"2 -7", b"a\tb\nc\n"), (b"0", b""), (b"1 5", b"0123abc\n"), (b"1", b"0123abc" * 9)]


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 8, 9, 10, 64, 1024])
def test_sections_come_back_whole(monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr(marked_output, "_READ_BYTES", block_bytes)
    stream = b"".join(line + b"\n" + body + MARK for line, body in SECTIONS)
    marked = MarkedOutput(io.BytesIO(stream), MARK)
    assert [(marked.line(), b"".join(marked.until_mark())) for _ in SECTIONS] == SECTIONS
    with pytest.raises(EndedError):
        marked.line()


@pytest.mark.parametrize("block_bytes", [1, 5, 64])
def test_an_end_before_the_mark_is_no_section(
    monkeypatch: pytest.MonkeyPatch, block_bytes: int
) -> None:
    monkeypatch.setattr(marked_output, "_READ_BYTES", block_bytes)
    whole = b"3\na\nb\nc\n" + MARK
    for length in range(len(whole)):
        marked = MarkedOutput(io.BytesIO(whole[:length]), MARK)
        with pytest.raises(EndedError):
            marked.line()
            list(marked.until_mark())


def test_memory_is_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marked_output, "_READ_BYTES", 1000)
    marked = MarkedOutput(io.BytesIO(b"x\n" + b"y" * 100_000 + MARK), MARK)
    marked.line()
    blocks = list(itertools.islice(marked.until_mark(), 200))
    assert sum(map(len, blocks)) == 100_000
    assert max(map(len, blocks)) <= 1000 + len(MARK)
