"""Reads JSON documents of any size part by part, and refuses what cannot be read.

A state may have several hundred megabytes; only one resource of it is held as JSON at a time.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO, cast

from pgkeep.failures import CommandError

_CHUNK_CHARACTERS: Final = 1 << 20
# A parser that stops this near to the end of what was read may only have run out of text.
_NEAR_END_CHARACTERS: Final = 16


class JsonStream:
    """One JSON document; the caller walks it with `members` and `elements`, or takes a `value`."""

    def __init__(self, stream: TextIO, source: str) -> None:
        """Read from `stream`; `source` is how messages name it."""
        self.source = source
        self._stream = stream
        self._text = ""
        self._at = 0
        self._ended = False
        self._read = 0
        self._decoder = json.JSONDecoder(
            object_pairs_hook=_unique, parse_constant=_refuse_constant, strict=False
        )

    def fail(self, reason: str) -> CommandError:
        """The error that ends the command because of this document."""
        return CommandError(f"{self.source} {reason}.")

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in " \t\r\n":
                    return self._text[self._at]
                self._at += 1
            if not self._fill():
                return ""

    def value(self) -> object:
        """The next value as a whole.

        Raises:
            CommandError: it is not JSON.
        """
        if not self.peek():
            raise self._truncated()
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                near = error.pos >= len(self._text) - _NEAR_END_CHARACTERS
                open_text = error.msg.startswith("Unterminated string")
                if (near or open_text) and self._fill(len(self._text)):
                    continue
                if near or open_text:
                    raise self._truncated() from None
                raise self.fail(
                    f"is not valid JSON: {error.msg} at character {self._consumed(error.pos)}"
                ) from None
            except RecursionError:
                raise self.fail("is nested too deeply to be read") from None
            except ValueError as error:
                raise self.fail(f"is not valid JSON: {error}") from None
            # A number at the very end of the text may go on in the next chunk.
            if end == len(self._text) and self._fill(len(self._text)):
                continue
            self._at = end
            return found

    def members(self, what: str) -> Iterator[str]:
        """The keys of the object that comes next; the caller takes the value after each."""
        self._expect("{", what)
        first = True
        seen: set[str] = set()
        while self.peek() != "}":
            if not first:
                self._expect(",", what)
            first = False
            key = self.value()
            if not isinstance(key, str):
                raise self.fail(f"is not valid JSON: {what} has a key that is no text")
            if key in seen:
                raise self.fail(f'is not valid JSON: the key "{key[:40]}" stands twice in {what}')
            seen.add(key)
            self._expect(":", what)
            yield key
        self._at += 1

    def elements(self, what: str) -> Iterator[object]:
        """The elements of the array that comes next, one after the other."""
        self._expect("[", what)
        first = True
        while self.peek() != "]":
            if not first:
                self._expect(",", what)
            first = False
            yield self.value()
        self._at += 1

    def end(self) -> None:
        """Nothing but white space may follow."""
        if self.peek():
            raise self.fail("is not valid JSON: something follows the document")

    def _expect(self, character: str, what: str) -> None:
        found = self.peek()
        if not found:
            raise self._truncated()
        if found != character:
            raise self.fail(
                f'is not valid JSON or not what it should be: {what} has "{found}" at character '
                f'{self._consumed(self._at)} where "{character}" is expected'
            )
        self._at += 1

    def _fill(self, characters: int = 0) -> bool:
        """Read on; false at the end of the document."""
        if self._ended:
            return False
        try:
            chunk = self._stream.read(max(characters, _CHUNK_CHARACTERS))
        except UnicodeDecodeError:
            raise self.fail(
                "is not UTF-8 text (a shell may have redirected it as UTF-16); export it again "
                "with --file"
            ) from None
        except OSError as error:
            raise self.fail(f"cannot be read: {error.strerror}") from None
        if not chunk:
            self._ended = True
            return False
        self._read += len(chunk)
        self._text = self._text[self._at :] + chunk
        self._at = 0
        return True

    def _consumed(self, position: int) -> int:
        return self._read - len(self._text) + position + 1

    def _truncated(self) -> CommandError:
        if not self._read:
            return self.fail("is empty")
        return self.fail("is not valid JSON: it ends in the middle (cut off?)")


@contextmanager
def opened(file: str) -> Generator[JsonStream]:
    """The document in `file`; `-` is standard input.

    Raises:
        CommandError: it cannot be read.
    """
    # A byte order mark is no part of the text.
    if file == "-":
        yield JsonStream(io.TextIOWrapper(sys.stdin.buffer, "utf-8-sig"), "standard input")
        return
    with open_text(file) as stream:
        yield JsonStream(stream, file)


def open_text(file: str) -> TextIO:
    """The file for reading as UTF-8.

    Raises:
        CommandError: it cannot be opened.
    """
    try:
        if Path(file).is_dir():
            raise CommandError(f"{file} is a folder; name a file.")
        return Path(file).open(encoding="utf-8-sig")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise CommandError(f"{file!r} is no file name: {error}.") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # The same few names stand in every resource: each is kept once.
    mapping = {sys.intern(key): value for key, value in pairs}
    if len(mapping) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return mapping


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def as_object(value: object) -> dict[str, object] | None:
    """`value` if it is a JSON object."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else None
