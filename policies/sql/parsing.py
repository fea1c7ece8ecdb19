"""SQL text as statements with their lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pglast import parse_sql
from pglast.parser import ParseError

# Ten megabytes of migration are data, not schema.
MAXIMUM_CHARACTERS: Final = 2_000_000


@dataclass(frozen=True)
class Statement:
    """A parsed statement: `node` is pglast's (https://pglast.readthedocs.io/en/v8/ast.html)."""

    node: Any
    line: int


class UnreadableError(Exception):
    """The text is no SQL that can be parsed; `line` is where."""

    def __init__(self, reason: str, line: int) -> None:
        """`reason` is the end of the sentence "it …"."""
        super().__init__(reason)
        self.line = line


def statements(text: str) -> Iterator[Statement]:
    """The statements of a file. Raises `UnreadableError`."""
    if len(text) > MAXIMUM_CHARACTERS:
        raise UnreadableError(
            f"has {len(text)} characters, more than {MAXIMUM_CHARACTERS} that are read", 1
        )
    if "\0" in text:
        raise UnreadableError("has a NUL character", 1 + text[: text.index("\0")].count("\n"))
    try:
        parsed = parse_sql(text)
    except ParseError as error:
        message = str(error.args[0]) if error.args else "syntax error"
        place = error.args[1] if len(error.args) > 1 else 0
        # Without a place it is the end of the text.
        location = min(place, len(text)) if isinstance(place, int) else len(text.rstrip())
        line = text[:location].count("\n") + 1
        raise UnreadableError(f"cannot be parsed: {message[:120]}", line) from None
    except (ValueError, RecursionError, UnicodeError) as error:
        raise UnreadableError(f"cannot be parsed ({type(error).__name__})", 1) from None
    for raw in parsed:
        # Since PostgreSQL 18's parser this is the first character behind blanks and comments.
        start = int(raw.stmt_location or 0)
        yield Statement(raw.stmt, text[:start].count("\n") + 1)
