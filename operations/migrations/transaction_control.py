"""Where a migration's text begins or ends a transaction itself.

Statements are told apart as psql does it (src/fe_utils/psqlscan.l): a semicolon in a comment, a
literal, a dollar-quoted body or a body of BEGIN ATOMIC ends none. So PL/pgSQL's `END;` is no
transaction control, and a COMMIT behind another statement of its line is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# PostgreSQL 17 documentation, 4.1: lexical structure.
_TOKEN = re.compile(
    rb"""--[^\n\r]* | (?P<nested>/\*)
    | [eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*' | '[^']*(?:''[^']*)*' | "[^"]*(?:""[^"]*)*"
    | (?P<dollar>\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$)
    | (?P<word>[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*)
    | (?P<end>;) | (?P<sign>\S)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(rb"/\*|\*/")
# SAVEPOINT, RELEASE and ROLLBACK TO stay inside of the transaction.
_CONTROL = re.compile(
    r"(BEGIN|START TRANSACTION|COMMIT|END|ABORT|PREPARE TRANSACTION"
    r"|ROLLBACK(?! (WORK |TRANSACTION )?TO\b))\b"
)
# Files of many rows are told in one look.
_POSSIBLE = re.compile(rb"(?i)\b(?:begin|start|commit|end|abort|prepare|rollback)\b")
_ROUTINE = re.compile(r"CREATE (OR REPLACE )?(FUNCTION|PROCEDURE)\b")
# As many words as it takes to know: CREATE OR REPLACE FUNCTION.
_WORDS = 4


class Found(NamedTuple):
    """The first words of a statement, and its line."""

    words: str
    line: int


def find(text: bytes) -> Found | None:
    """The first statement that begins or ends a transaction; None when there is none."""
    if not _POSSIBLE.search(text):
        return None
    position = start = 0
    words: list[str] = []
    # How many blocks of BEGIN ATOMIC, and how many parentheses, are open.
    blocks = parentheses = 0
    while token := _TOKEN.search(text, position):
        position = _end(text, token)
        if token.lastgroup == "word":
            word = token.group().decode(errors="replace").upper()
            start = start if words else token.start()
            words += [word] if len(words) < _WORDS else []
            if parentheses == 0 and _ROUTINE.match(" ".join(words)):
                blocks += _opened(word, blocks)
        elif token.lastgroup == "sign":
            parentheses += {b"(": 1, b")": -1}.get(token.group(), 0)
            words += ["?"] if len(words) < _WORDS else []
        elif token.lastgroup == "end" and blocks == 0:
            if found := _control(text, words, start):
                return found
            words, parentheses = [], 0
    return _control(text, words, start)


def _end(text: bytes, token: re.Match[bytes]) -> int:
    """Where what a token begins ends; the end of the text when nothing ends it."""
    if token.lastgroup == "dollar":
        close = text.find(token.group(), token.end())
        return len(text) if close < 0 else close + len(token.group())
    if token.lastgroup != "nested":
        return token.end()
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, token.start()):
        depth += 1 if edge.group() == b"/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)


def _opened(word: str, blocks: int) -> int:
    """By how many blocks a word of a routine goes in (1) or out (-1)."""
    if word == "BEGIN" or (word == "CASE" and blocks > 0):
        return 1
    return -1 if word == "END" and blocks > 0 else 0


def _control(text: bytes, words: list[str], start: int) -> Found | None:
    found = _CONTROL.match(" ".join(words))
    return Found(found[1], text.count(b"\n", 0, start) + 1) if found else None
