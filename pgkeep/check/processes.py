"""Runs independent work on two processes: a fork costs less than the imports it shares."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from pgkeep.failures import CommandError

_Result = TypeVar("_Result")


def in_processes(tasks: Sequence[tuple[str, Callable[[], _Result]]]) -> list[_Result]:
    """The results of named tasks, in their order; half of them are done by a forked process.

    Results of the other process are pickled. On one core, or with one task, nothing is forked.
    """
    if len(tasks) < 2 or not hasattr(os, "fork") or (os.cpu_count() or 1) < 2:
        return [task() for _, task in tasks]
    # Every second one: neighbours in the alphabet of stacks (prod, staging) are alike in size.
    ours, others = tasks[::2], tasks[1::2]
    reader, writer = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _answer(writer, [task for _, task in others])
    os.close(writer)
    try:
        mine = [task() for _, task in ours]
    finally:
        with os.fdopen(reader, "rb") as stream:
            answer = stream.read()
        os.waitpid(child, 0)
    if not answer:
        names = ", ".join(name for name, _ in others)
        raise CommandError(f"the process that judged {names} ended without an answer.")
    # Written by the fork of this very process, over a pipe that nobody else has.
    theirs = pickle.loads(answer)  # noqa: S301
    if isinstance(theirs, Exception):
        raise theirs
    results: list[_Result] = [*mine, *cast("list[_Result]", theirs)]
    results[::2], results[1::2] = mine, cast("list[_Result]", theirs)
    return results


def _answer(writer: int, tasks: Sequence[Callable[[], object]]) -> None:
    """The forked process: sends the results, or the error, and ends without any clean-up."""
    code = 1
    try:
        try:
            answer: object = [task() for task in tasks]
        except CommandError as error:
            answer = error
        with os.fdopen(writer, "wb") as stream:
            stream.write(pickle.dumps(answer))
        code = 0
    finally:
        os._exit(code)
