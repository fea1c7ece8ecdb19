"""What psql makes of a file before the server sees it: its commands, data of COPY, sections.

Everything that is no SQL is replaced by blanks, so that lines stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# Where SQL begins and ends, as far as a backslash or a semicolon inside it is none of psql's.
_TOKEN: Final = re.compile(
    r"""(?P<comment>--[^\n]*) | (?P<nested>/\*)
    | (?P<text>(?<![A-Za-z0-9_$])[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*")
    | (?P<dollar>(?<![A-Za-z0-9_$])\$(?:[A-Za-z_\x80-\U0010ffff][\w]*)?\$)
    | (?P<command>\\[^\n]*) | (?P<end>;)""",
    re.VERBOSE | re.DOTALL,
)
_COPY: Final = re.compile(r"\s*COPY\b.*\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)
_CLIENT_COPY: Final = re.compile(
    r"\\copy\s+(?P<table>[\w.\"]+)\s*(?:\([^()]*\)\s*)?(?P<way>from|to)\s+(?!program\b)\S+",
    re.IGNORECASE,
)
_CONNECT: Final = re.compile(r"\\c(?:onnect)?\s+(?:-\S+\s+)?(?P<database>\S+)(?:\s+(?P<user>\S+))?")
# https://www.postgresql.org/docs/17/app-psql.html: they show, format, or set variables that SQL
# cannot use without a colon, which no parser takes.
_HARMLESS: Final = frozenset(
    {
        *("echo", "qecho", "warn", "timing", "pset", "set", "unset", "x", "a", "t", "f", "H", "C"),
        *("encoding", "conninfo", "errverbose", "restrict", "unrestrict", "h", "help", "copyright"),
        *("d", "dt", "dn", "du", "df", "dv", "di", "ds", "dp", "dx", "l", "z", "q", "password"),
        *("dd", "dS", "dtS", "d+", "dt+", "prompt"),
    }
)
# Sections of goose, dbmate and sql-migrate.
_SECTION: Final = re.compile(
    r"^[ \t]*--[ \t]*(?:\+(?:goose|migrate)[ \t]+|migrate:)(?P<way>up|down)\b[^\n]*",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True)
class Prepared:
    """SQL with blanks for what is none, and what could not be carried out: reason and line."""

    text: str
    undecided: tuple[tuple[str, int], ...] = ()


def prepared(text: str) -> Prepared:
    """The SQL of a file for psql."""
    if text.startswith("\ufeff"):
        text = " " + text[1:]  # A byte order mark.
    if "\\" not in text and not _COPY.search(text):
        return Prepared(text)
    parts: list[str] = []
    undecided: list[tuple[str, int]] = []
    position = begin = 0
    while found := _TOKEN.search(text, position):
        parts.append(text[position : found.start()])
        stop, shown = found.end(), found.group()
        if found.lastgroup == "nested":
            stop = _comment_end(text, found.start())
            shown = text[found.start() : stop]
        elif found.lastgroup == "dollar":
            close = text.find(shown, stop)
            stop = len(text) if close < 0 else close + len(shown)
            shown = text[found.start() : stop]
        elif found.lastgroup == "command":
            meant, reason = _command(shown)
            if reason:
                undecided.append((reason, text.count("\n", 0, found.start()) + 1))
            shown = meant.ljust(len(shown))
            begin = stop
        elif found.lastgroup == "end":
            if _COPY.match(_uncommented(text[begin:stop])):
                stop = _data_end(text, stop)
                shown = ";" + _blank(text[found.end() : stop])
            begin = stop
        parts.append(shown)
        position = stop
    parts.append(text[position:])
    return Prepared("".join(parts), tuple(undecided))


def _command(command: str) -> tuple[str, str]:
    """SQL in the place of a psql command, and why it cannot be followed."""
    name = re.match(r"\\(\S*)", command)
    word = name[1] if name else ""
    if word in ("g", "gset", "gx", ";"):
        return ";", ""
    if word.lower() == "copy":
        if found := _CLIENT_COPY.match(command):
            filling = found["way"].lower() == "from"
            return f"INSERT INTO {found['table']} DEFAULT VALUES;" if filling else "", ""
    elif word in ("c", "connect"):
        if (found := _CONNECT.match(command)) and "=" not in (found["user"] or ""):
            user = (found["user"] or "-").strip("\"'")
            become = f'SET SESSION AUTHORIZATION "{user}";' if user != "-" else ""
            return f"DISCARD ALL;{become}", ""
    elif word in _HARMLESS and "|" not in command and "`" not in command:
        return "", ""
    return "", f"has the psql command \\{word}, which is no SQL"


def _uncommented(text: str) -> str:
    return re.sub(r"--[^\n]*", "", text)


def _data_end(text: str, start: int) -> int:
    """The end of the rows that follow COPY … FROM stdin."""
    found = re.compile(r"^\\\.[ \t\r]*$", re.MULTILINE).search(text, start)
    return found.end() if found else len(text)


def _comment_end(text: str, start: int) -> int:
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if found.group() == "/*" else -1
        if depth == 0:
            return found.end()
    return len(text)


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def directions(text: str) -> tuple[str, str]:
    """What a file does going forward, and what it does going back: goose, dbmate, sql-migrate."""
    marks = list(_SECTION.finditer(text))
    if not marks:
        return text, ""
    up, down = [text[: marks[0].start()]], [_blank(text[: marks[0].start()])]
    for section, way in _sections(text, marks):
        taken, left = (up, down) if way == "up" else (down, up)
        taken.append(section)
        left.append(_blank(section))
    return "".join(up), "".join(down)


def _sections(text: str, marks: list[re.Match[str]]) -> Iterator[tuple[str, str]]:
    for number, mark in enumerate(marks):
        end = marks[number + 1].start() if number + 1 < len(marks) else len(text)
        yield text[mark.start() : end], mark["way"].lower()


_UP_FILE: Final = re.compile(r"(?:^|[/._-])up\.sql$|(?:^|/)V[^/]*__[^/]*\.sql$")
_DOWN_FILE: Final = re.compile(r"(?:^|[/._-])down\.sql$|(?:^|/)U[^/]*__[^/]*\.sql$")


def goes_back(name: str) -> bool:
    """Whether a file undoes another, by its name: golang-migrate, diesel, Flyway."""
    return _DOWN_FILE.search(name) is not None


def goes_forward(name: str) -> bool:
    """Whether a file is the other half of one that undoes it."""
    return _UP_FILE.search(name) is not None
