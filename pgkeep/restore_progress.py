"""What a restore shows on standard error while it works."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.progress import Progress as Bar
from rich.progress import TimeRemainingColumn

from pgkeep.backup.access import progress_console


@contextmanager
def shown(doing: str, done: str) -> Generator[Callable[[str, float], None]]:
    """A bar with the time left, such as `Proving rows`; takes a step and its share (0 to 1).

    A share that is less than the one before begins a new measure, of its own time. `done` is what
    the bar says at its end.
    """
    columns = (*Bar.get_default_columns()[:3], TimeRemainingColumn())
    with Bar(*columns, console=progress_console) as bar:
        task = bar.add_task(doing, total=1.0)
        last = 0.0

        def show(step: str, share: float) -> None:
            nonlocal last
            if share < last:
                bar.reset(task)
            last = share
            bar.update(task, description=f"{doing} {step}", completed=share)

        yield show
        bar.update(task, description=done, completed=1.0)
