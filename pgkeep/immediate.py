"""Runs a program of the SDK whose engine answers at once: without waiting, in one thread.

The SDK makes a task of everything, since an engine takes its time: five futures and a task for each
property of each resource, and a thread for each registration. Under mocks every answer is there
when it is asked for. Here a task runs when it is made, until it has to wait for something (what
Python 3.12 calls an eager task), and a registration is answered where it is made; then nothing is
left to wait for, and the run takes half the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping
from typing import Any, Final, cast

import pulumi
import pulumi.log
from pulumi import _types  # pyright: ignore[reportPrivateUsage]
from pulumi.output import _OutputData  # pyright: ignore[reportPrivateUsage]
from pulumi.runtime import resource, rpc
from pulumi.runtime.proto import source_pb2


class ImmediateLoop(asyncio.SelectorEventLoop):
    """An event loop whose tasks begin when they are made, and whose executor is the caller."""

    def __init__(self) -> None:
        """Make the loop; `immediate` has to surround its use."""
        super().__init__()
        self.set_task_factory(_begun)  # pyright: ignore[reportArgumentType]

    def run_in_executor(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """The outcome of `func`, called here and now."""
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def _begun(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any],
    context: contextvars.Context | None = None,
) -> asyncio.Future[Any]:
    """A task factory: the outcome of `coro` if it never waits, else a task for what is left."""
    if asyncio._get_running_loop() is not loop:  # pyright: ignore
        return asyncio.Task(coro, loop=loop, context=context)
    within = contextvars.copy_context() if context is None else context
    future = loop.create_future()
    try:
        awaited = within.run(coro.send, None)
    except StopIteration as end:
        future.set_result(end.value)
    except asyncio.CancelledError:
        future.cancel()
    except Exception as error:
        future.set_exception(error)
    else:
        return asyncio.Task(_Rest(coro, awaited), loop=loop, context=within)
    return future


class _Rest(Coroutine[Any, Any, Any]):
    """A coroutine that has been begun, and waits for `awaited` (None: for the loop's next turn)."""

    __slots__ = ("_awaited", "_coro", "_told")

    def __init__(self, coro: Coroutine[Any, Any, Any], awaited: Any) -> None:
        self._coro = coro
        self._awaited = awaited
        self._told = False
        if awaited is not None:
            # The mark of a future that is being awaited: whoever is told of it takes it off, and
            # until this one's task is, others may await the same future.
            awaited._asyncio_future_blocking = False

    def send(self, value: Any) -> Any:
        if self._told:
            return self._coro.send(value)
        self._told = True
        if self._awaited is not None:
            self._awaited._asyncio_future_blocking = True
        return self._awaited

    def throw(self, *error: Any) -> Any:
        self._told = True
        return self._coro.throw(*error)

    def close(self) -> None:
        self._coro.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise NotImplementedError  # A task sends; nobody awaits.


def _gather(
    real: Callable[..., Awaitable[list[Any]]],
    *awaitables: Awaitable[Any],
    return_exceptions: bool = False,
) -> Awaitable[list[Any]]:
    """`asyncio.gather`, done at once if all are."""
    futures = [asyncio.ensure_future(one) for one in awaitables]
    if not futures or not all(map(_succeeded, futures)):
        return real(*futures, return_exceptions=return_exceptions)
    done = futures[0].get_loop().create_future()
    done.set_result([future.result() for future in futures])
    return done


def _succeeded(future: asyncio.Future[Any]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _track(output: pulumi.Output[Any], real: Callable[[pulumi.Output[Any]], None]) -> None:
    """`Output._track`: an output that is there needs nobody to wait for it."""
    if not _succeeded(output._data):  # pyright: ignore[reportPrivateUsage]
        real(output)


def _transfer_properties(
    res: pulumi.Resource, props: Mapping[str, Any], custom: bool
) -> dict[str, Callable[..., None]]:
    """`rpc.transfer_properties` with one future for a property instead of four and a task.

    Nobody waits for these outputs at the program's end: their resource's registration is awaited.
    """
    loop = asyncio.get_event_loop()
    resolvers: dict[str, Callable[..., None]] = {}
    for name in props:
        if name == "urn" or (name == "id" and custom):
            continue
        future = loop.create_future()
        resolvers[name] = functools.partial(_resolve, res, future)
        res.__dict__[name] = _output(future)
    return resolvers


def _resolve(  # noqa: PLR0917 (called by the SDK)
    res: pulumi.Resource,
    future: asyncio.Future[Any],
    value: Any,
    is_known: bool,
    is_secret: bool,
    deps: Iterable[pulumi.Resource] | None,
    failed: Exception | None,
) -> None:
    if failed is None:
        future.set_result(_OutputData({*(deps or ()), res}, value, is_known, is_secret))
    else:
        future.set_exception(failed)
        future.exception()  # The registration raises it too: no complaint that nobody asked.


def _output(data: asyncio.Future[Any]) -> pulumi.Output[Any]:
    output = cast("pulumi.Output[Any]", object.__new__(pulumi.Output))
    output._data = data  # pyright: ignore[reportPrivateUsage]
    return output


def _create_urn(
    real: Callable[..., pulumi.Output[str]], name: Any, type_: Any, parent: Any = None, *rest: Any
) -> pulumi.Output[str]:
    """`resource.create_urn`, at once where all is known. Every registration makes one, unused."""
    if rest or not all(isinstance(part, str) for part in (name, type_, parent)):
        return real(name, type_, parent, *rest)
    future = asyncio.get_event_loop().create_future()
    urn = f"{parent[: parent.rfind('::')]}${type_}::{name}"
    future.set_result(_OutputData(set(), urn, is_known=True, is_secret=False))
    return _output(future)


def _contains_unknowns(real: Callable[[Any], bool], val: Any) -> bool:
    """`rpc.contains_unknowns`, which is asked of each value several times."""
    return type(val) not in _SCALARS and real(val)


_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def _remembered(real: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of a type, worked out once for each type object.

    By identity: `int | str` equals `str | int`, and the functions see the difference.
    """
    known: dict[int, tuple[Any, Any]] = {}

    def remembered(typ: Any) -> Any:
        found = known.get(id(typ))
        if found is None:
            found = known[id(typ)] = (typ, real(typ))  # Kept alive, so that its id stays its own.
        return found[1]

    return remembered


_unwrap_type: Final = _remembered(_types.unwrap_type)
_unwrap_optional_type: Final = _remembered(_types.unwrap_optional_type)
_resource_types: Final = _remembered(_types.resource_types)


def _replacements() -> Generator[tuple[Any, str, Any]]:
    """What is put in the place of the SDK's, and of asyncio's, functions: owner, name, function."""
    yield asyncio, "gather", functools.partial(_gather, asyncio.gather)
    yield pulumi.log, "debug", _unheard
    # Walking the stack of each constructor, for a position that only an engine would show.
    yield resource, "_get_stack_trace", source_pb2.StackTrace
    yield resource, "create_urn", functools.partial(_create_urn, resource.create_urn)
    yield rpc, "transfer_properties", _transfer_properties
    yield rpc, "contains_unknowns", functools.partial(_contains_unknowns, rpc.contains_unknowns)
    yield _types, "unwrap_type", _unwrap_type
    yield _types, "unwrap_optional_type", _unwrap_optional_type
    yield _types, "resource_types", _resource_types
    track = pulumi.Output._track  # pyright: ignore[reportPrivateUsage]
    yield pulumi.Output, "_track", functools.partialmethod(_track, track)


def _unheard(*_: object, **__: object) -> None:
    """`log.debug` of a run whose log begins at warnings."""


@contextlib.contextmanager
def immediate() -> Generator[ImmediateLoop]:
    """The event loop of this thread for a run whose engine answers at once; gone afterwards.

    A few functions of the SDK are replaced by ones that do the same without waiting; it has no
    switch for them. tests/command_line/test_immediate.py compares what a program declares.
    """
    loop = ImmediateLoop()
    asyncio.set_event_loop(loop)
    replacements = list(_replacements())
    replaced = [(owner, name, getattr(owner, name)) for owner, name, _ in replacements]
    for owner, name, function in replacements:
        setattr(owner, name, function)
    try:
        yield loop
    finally:
        for owner, name, function in replaced:
            setattr(owner, name, function)
        loop.close()
        asyncio.set_event_loop(None)
