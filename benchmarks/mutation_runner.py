"""Runs mutants in forks of one process that has collected every spec.

The specs run once under a tracer, which says what lines of the modules each of them reaches. A
mutant then is a fork in which the functions of its module get the mutated code, and in which the
specs that reach its line run until one fails: one of each way through the function before the
second of any, the quickest first. Where no spec reaches a function after collection (it runs when
the module is imported), the specs run in a process of their own that imports the mutated module.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import resource
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any, Final

import pytest
from _pytest.runner import runtestprotocol

from toolchain.environment import REPOSITORY

from .mutation_sites import Mutant, mutated

_PACK = str(REPOSITORY / "policies") + os.sep
# Processor seconds: specs chosen for one mutant, and how much longer one that runs in circles gets.
_SPECS_SECONDS = 8.0
_CIRCLES_SECONDS = 10
_Key = tuple[str, str, int]


def _key(code: CodeType) -> _Key:
    return code.co_filename, code.co_qualname, code.co_firstlineno


@dataclass
class Specs:
    """A pytest plugin: it takes over the loop, measures the specs, and calls `then`."""

    then: Callable[[Specs], None]
    modules: frozenset[str]
    """Files whose mutants will run."""
    items: list[pytest.Item] = field(default_factory=list[pytest.Item])
    reach: dict[_Key, dict[frozenset[int], list[int]]] = field(
        default_factory=lambda: defaultdict[_Key, dict[frozenset[int], list[int]]](dict)
    )
    """Which lines of a function are reached together, and by which specs."""
    seconds: list[float] = field(default_factory=list[float])
    failed: list[str] = field(default_factory=list[str])
    functions: dict[_Key, list[FunctionType]] = field(
        default_factory=dict[_Key, list[FunctionType]]
    )
    """The functions of the pack that are alive, by their code."""
    caches: list[Any] = field(default_factory=list[Any])
    """What functions remember."""
    killers: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """By file: specs that noticed a mutant, which may notice the next one."""
    noticing: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    """By file: all specs that ever noticed one."""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of pytest's own."""
        self.items = list(session.items)
        self._find_functions()
        for number, item in enumerate(self.items):
            for cached in self.caches:
                cached.cache_clear()
            begin = time.process_time()
            with _traced(self.modules) as lines:
                passed = _passes(item)
            self.seconds.append(time.process_time() - begin)
            if not passed:
                self.failed.append(item.nodeid)
                continue
            for key, reached in lines.items():
                self.reach[key].setdefault(frozenset(reached), []).append(number)
        self._find_functions()
        if not self.functions:
            raise RuntimeError(
                "no function of the pack is found, so that no mutant would be noticed"
            )
        gc.collect()
        gc.freeze()  # Forks share what they do not change.
        self.then(self)
        return True

    def _find_functions(self) -> None:
        self.functions.clear()
        self.caches.clear()
        gc.unfreeze()  # What is frozen (tests/conftest.py does it) is not among the objects.
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and one.__code__.co_filename.startswith(_PACK):
                self.functions.setdefault(_key(one.__code__), []).append(one)
            elif type(one).__name__ == "_lru_cache_wrapper" and str(
                getattr(one, "__module__", "")
            ).startswith(("policies", "tests")):
                self.caches.append(one)

    def reaching(self, keys: Iterable[_Key], mutant: Mutant) -> list[int]:
        """Specs for a mutant: those that noticed others of its file first, then one of each way
        through the function before the second of any."""
        ways: dict[int, list[frozenset[int]]] = {}
        for key in keys:
            for lines, numbers in self.reach.get(key, {}).items():
                for number in numbers:
                    ways.setdefault(number, []).append(lines)
        place = range(mutant.line, mutant.last_line + 1)
        if at_place := {
            number: lines
            for number, lines in ways.items()
            if any(not one.isdisjoint(place) for one in lines)
        }:
            ways = at_place
        seen: defaultdict[object, int] = defaultdict(int)
        rounds: dict[int, int] = {}
        for number in sorted(ways, key=lambda number: self.seconds[number]):
            rounds[number] = seen[way := tuple(ways[number])]
            seen[way] += 1
        known = [one for one in self.killers.get(mutant.path, []) if one in rounds]
        rest = sorted(
            rounds.keys() - known, key=lambda number: (rounds[number], self.seconds[number])
        )
        chosen, total = [], 0.0
        for number in [*known, *rest]:
            total += self.seconds[number]
            if total <= _SPECS_SECONDS or not chosen:
                chosen.append(number)
        return chosen


@contextlib.contextmanager
def _traced(modules: frozenset[str]) -> Generator[dict[_Key, set[int]]]:
    """The lines of the modules' functions that are reached; complete at the end."""
    seen: set[tuple[int, int]] = set()
    codes: dict[int, CodeType] = {}

    def call(frame: FrameType, _event: str, _: object) -> Callable[..., Any] | None:
        code = frame.f_code
        if code.co_filename not in modules:
            return None
        codes[id(code)] = code
        return line

    def line(frame: FrameType, event: str, _: object) -> Callable[..., Any]:
        if event == "line":
            seen.add((id(frame.f_code), frame.f_lineno))
        return line

    found: dict[_Key, set[int]] = {}
    sys.settrace(call)
    try:
        yield found
    finally:
        sys.settrace(None)
        for code, number in seen:
            found.setdefault(_key(codes[code]), set()).add(number)


def _passes(item: pytest.Item) -> bool:
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        reports = runtestprotocol(item, log=False, nextitem=None)
    return all(one.outcome != "failed" for one in reports)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


@functools.cache
def _original(file: Path) -> dict[_Key, CodeType]:
    code = compile(file.read_text(encoding="utf-8"), str(file), "exec")
    return {_key(one): one for one in _codes(code)}


def changed(mutant: Mutant) -> dict[_Key, CodeType]:
    """The functions that are other ones in a mutant, with their code there."""
    file = str(mutant.file)
    before = _original(mutant.file)
    after = {_key(one): one for one in _codes(compile(mutated(mutant), file, "exec"))}
    return {key: code for key, code in after.items() if before.get(key) != code}


def survives(specs: Specs, mutant: Mutant) -> bool:
    """Whether every spec that reaches the mutant passes all the same."""
    codes = changed(mutant)
    chosen = specs.reaching(codes, mutant)
    if not chosen:
        return survives_import(mutant)
    noticed = _first_to_fail(specs, chosen, codes)
    if noticed is None:
        return True
    if noticed >= 0:
        specs.noticing.setdefault(mutant.path, set()).add(noticed)
        order = specs.killers.setdefault(mutant.path, [])
        if noticed in order:
            order.remove(noticed)
        order.insert(0, noticed)
        del order[12:]
    return False


def fails_without(specs: Specs, path: str) -> str:
    """A spec that noticed mutants of the file and fails in a fork without one too; "" if none.

    Only if there is none the file's mutants were noticed for what they are.
    """
    failed = _first_to_fail(specs, sorted(specs.noticing.get(path, ())), {})
    return "" if failed is None else specs.items[failed].nodeid


_IN_CIRCLES: Final = -1


def _first_to_fail(specs: Specs, chosen: list[int], codes: dict[_Key, CodeType]) -> int | None:
    """The number of the first spec that fails in a fork with these codes, or `_IN_CIRCLES`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _run(specs, chosen, codes, writing)
    os.close(writing)
    with os.fdopen(reading) as answers:
        noticed = answers.read()
    _, status = os.waitpid(child, 0)
    if noticed:
        return int(noticed)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGXCPU, -signal.SIGKILL):
        raise RuntimeError(f"a mutant's process ended with {code}, and no spec failed")
    return _IN_CIRCLES if code else None


def _run(specs: Specs, chosen: list[int], codes: dict[_Key, CodeType], writing: int) -> None:
    """The forked process: 0 if every spec passes."""
    status = 1
    try:
        # (The limit is of the processor's time, so that a busy machine notices nothing.)
        limit = _CIRCLES_SECONDS + int(3 * sum(specs.seconds[number] for number in chosen))
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        for key, code in codes.items():
            for function in specs.functions.get(key, []):
                with contextlib.suppress(ValueError):  # other free variables: not this one
                    function.__code__ = code
        for cached in specs.caches:
            cached.cache_clear()
        for number in chosen:
            if not _passes(specs.items[number]):
                os.write(writing, str(number).encode())
                return
        status = 0
    finally:
        os._exit(status)


def survives_import(mutant: Mutant) -> bool:
    """The same in a process of its own, which imports the mutated module."""
    arguments = [str(mutant.file), str(mutant.site)]
    command = [sys.executable, "-m", "benchmarks.mutation_import", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
    return done.returncode == 0


def collected(
    files: Iterable[Path], modules: Iterable[Path], then: Callable[[Specs], None]
) -> None:
    """Collect specs, measure what they reach of the modules, and call `then` with them."""
    quiet: list[Any] = ["-q", "--tb=no", "--assert=plain", "-p", "no:cacheprovider"]
    options = [*quiet, "-p", "no:xdist", "--no-header", "--no-summary"]
    pytest.main(
        [*options, *(str(one) for one in files)],
        plugins=[Specs(then, frozenset(map(str, modules)))],
    )
