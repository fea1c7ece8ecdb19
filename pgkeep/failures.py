"""How a command ends when it cannot do what was asked: one line on standard error, no traceback."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a script may rely on."""

    DONE = 0
    REFUSED = 1
    """What was judged does not hold (a violation, settings that cannot be deployed)."""
    UNUSABLE = 2
    """The input could not be read, or the command was called wrongly."""
    INTERRUPTED = 130
    """Ctrl-C, as shells have it: 128 and the number of SIGINT."""


class CommandError(Exception):
    """Ends the command; `str(error)` is what the user reads: what was refused, why, what to do."""

    def __init__(self, message: str, code: ExitCode = ExitCode.UNUSABLE) -> None:
        """Keep the message and the exit code."""
        super().__init__(message)
        self.code = code
