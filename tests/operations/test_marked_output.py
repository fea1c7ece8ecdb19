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
    found = [(marked.line(), b"".join(map(bytes, marked.until_mark()))) for _ in SECTIONS]
    assert found == SECTIONS
    assert marked.lines == sum(body.count(b"\n") for _, body in SECTIONS)
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
    sizes = [len(block) for block in itertools.islice(marked.until_mark(), 200)]
    assert sum(sizes) == 100_000
    assert max(sizes) <= 1000 + len(MARK)


def test_blocks_are_full_however_little_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Drops(io.BytesIO):
        def readinto(self, buffer: memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
            return super().readinto(buffer[:7])

    monkeypatch.setattr(marked_output, "_READ_BYTES", 1000)
    marked = MarkedOutput(Drops(b"x\n" + b"y" * 5_000 + MARK), MARK)
    marked.line()
    sizes = [len(block) for block in marked.until_mark()]
    # But for what may be the beginning of a mark.
    assert sizes == [1001, 1001, 1001, 1001, 996]


def test_a_section_that_is_there_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marked_output, "_READ_BYTES", 16)
    marked = MarkedOutput(io.BytesIO(b"2\na\nb\n" + MARK + b"1\nlong" * 9 + MARK), MARK)
    assert marked.line() == b"2"
    assert (bytes(marked.section() or b""), marked.lines) == (b"a\nb\n", 2)
    assert (marked.line(), marked.section()) == (b"1", None)
