"""Shows long work as a list of steps, each with what it does and how long it took."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

#: What was asked for.
console = Console(stderr=False, highlight=False, soft_wrap=True)
#: What is being done, apart from it: the output of `preview --json` is one document.
progress = Console(stderr=True, highlight=False, soft_wrap=True)


class RefusedError(Exception):
    """What the user asked for cannot be done; the text is the one line that they read."""


@contextmanager
def step(title: str) -> Generator[None]:
    """Shows `title` while the body runs and its duration in seconds after.

    On a terminal a spinner turns; elsewhere (CI) one line a finished step is printed. A body that
    raises is shown as failed, and the exception goes on.
    """
    started = time.monotonic()
    try:
        if progress.is_terminal:
            with progress.status(title):
                yield
        else:
            yield
    except BaseException:
        progress.print(f"[red]✗[/red] {title} [dim]({time.monotonic() - started:.1f} s)[/dim]")
        raise
    progress.print(f"[green]✓[/green] {title} [dim]({time.monotonic() - started:.1f} s)[/dim]")


def run_engine(command: list[str], folder: Path, environment: dict[str, str]) -> int:
    """Runs Pulumi and returns its exit code.

    Ctrl-C reaches Pulumi too, which finishes what it has begun and saves its state; it is waited
    for, so that an interrupted run can simply be run again.
    """
    engine = subprocess.Popen(command, cwd=folder, env=environment)
    while True:
        try:
            return engine.wait()
        except KeyboardInterrupt:
            print("pgkeep: interrupted; waiting for Pulumi to save its state", file=sys.stderr)


def fail(message: str) -> int:
    """Prints one clear line on stderr and returns the exit code 1."""
    print(f"pgkeep: {message}", file=sys.stderr)
    return 1
