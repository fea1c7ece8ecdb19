"""Programs that are asked while they answer, without waiting for each other."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager

from operations.backup.conversation import Conversation


@contextmanager
def _talk(*words: str) -> Generator[Conversation]:
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Conversation(process.stdin.fileno(), process.stdout.fileno())


def _read(conversation: Conversation, size: int) -> bytes:
    found = b""
    while len(found) < size:
        buffer = bytearray(100_000)
        count = conversation.readinto(memoryview(buffer))
        if count == 0:
            break
        found += buffer[:count]
    return found


def test_more_than_both_pipes_hold_comes_back_whole() -> None:
    text = b"".join(b"%07d\n" % number for number in range(500_000))
    with _talk("cat") as conversation:
        for first in range(0, len(text), 1_000_000):
            conversation.say(text[first : first + 1_000_000])
        assert _read(conversation, len(text)) == text
        # All of it was said, so that what comes next is asked at once.
        conversation.say(b"more")
        assert _read(conversation, 4) == b"more"


def test_a_program_that_ends_before_it_has_read_all_has_an_end() -> None:
    with _talk("head", "--bytes=3") as conversation:
        conversation.say(b"x" * 4_000_000)
        assert _read(conversation, 4) == b"xxx"
        conversation.say(b"nobody hears this")
        assert _read(conversation, 1) == b""
