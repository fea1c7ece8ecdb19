"""A run that waits for nothing declares what the SDK's own way of running declares."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pulumi
import pulumi.log
import pytest
from pulumi.runtime import resource, rpc

from pgkeep import program
from pgkeep.immediate import immediate
from pgkeep.program import Declared, ProgramRun
from stacks.settings import Settings, load
from tests.unit import test_network
from tests.unit.recorder import raw_settings, settings


@contextlib.contextmanager
def waiting() -> Generator[asyncio.AbstractEventLoop]:
    """The SDK's own functions on asyncio's own loop."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)


def existing_network() -> Settings:
    raw = raw_settings("staging")
    raw["network"] = {"existing": test_network.EXISTING, "availability_zone_count": 2}
    return load(raw, "staging")


def declared(found: ProgramRun) -> list[Declared]:
    """In one order: neither programs nor sets of dependencies have one."""
    ordered = [
        replace(
            one,
            property_dependencies={
                key: tuple(sorted(urns)) for key, urns in one.property_dependencies.items()
            },
        )
        for one in found.resources
    ]
    return sorted(ordered, key=lambda one: one.urn)


@pytest.mark.parametrize("case", [settings("prod"), existing_network()], ids=["prod", "existing"])
def test_a_program_declares_the_same_as_when_it_waits(
    case: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for random in ("token_hex", "token_urlsafe"):
        monkeypatch.setattr(secrets, random, lambda _size: "random")  # pyright: ignore
    at_once = program.run(case, "eu-west-1")
    monkeypatch.setattr(program, "immediate", waiting)
    waited = program.run(case, "eu-west-1")
    assert declared(at_once) == declared(waited)
    assert at_once.exports == waited.exports
    assert at_once.log == waited.log


def test_nothing_of_a_program_is_left_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[str] = []
    made = asyncio.Task

    def counted(coro: Any, **options: Any) -> asyncio.Task[Any]:
        tasks.append(coro.__qualname__)
        return made(coro, **options)

    monkeypatch.setattr(asyncio, "Task", counted)
    program.run(settings("dev"), "eu-west-1")
    # What drives the run from outside of it; before, they were ten thousand.
    assert len(tasks) < 10, tasks


def test_the_functions_of_the_sdk_are_its_own_again_after_a_run() -> None:
    def functions() -> list[object]:
        return [
            asyncio.gather,
            pulumi.log.debug,
            resource.create_urn,
            rpc.transfer_properties,
            rpc.contains_unknowns,
            pulumi.Output.__dict__["_track"],
        ]

    before = functions()
    with pytest.raises(KeyError), immediate():
        assert not set(map(id, functions())) & set(map(id, before))
        raise KeyError
    assert functions() == before


async def fails() -> None:
    raise LookupError("no")


def test_a_task_that_has_to_wait_goes_on_when_it_can() -> None:
    seen: list[str] = []

    async def waits(name: str, future: asyncio.Future[int]) -> int:
        seen.append(f"{name} begins")
        try:
            await asyncio.sleep(0)
            return await future
        finally:
            seen.append(f"{name} ends")

    async def main(loop: asyncio.AbstractEventLoop) -> None:
        future = loop.create_future()
        # Two for one future: being awaited by the first does not keep the second from it.
        tasks = [loop.create_task(waits(name, future)) for name in ("first", "second")]
        both = asyncio.gather(*tasks)
        assert seen == ["first begins", "second begins"]
        future.set_result(7)
        assert await both == [7, 7]
        assert seen[2:] == ["first ends", "second ends"]
        broken = loop.create_future()
        task = loop.create_task(waits("third", broken))
        broken.set_exception(LookupError("gone"))
        with pytest.raises(LookupError, match="gone"):
            await task
        stopped = loop.create_task(waits("fourth", loop.create_future()))
        await asyncio.sleep(0)
        stopped.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopped
        assert seen[-1] == "fourth ends"

    with immediate() as loop:
        loop.run_until_complete(main(loop))


def test_what_fails_at_once_fails_where_it_is_awaited() -> None:
    async def main(loop: asyncio.AbstractEventLoop) -> None:
        failed = loop.create_task(fails())
        assert failed.done()
        with pytest.raises(LookupError, match="no"):
            await asyncio.gather(failed)
        assert isinstance((await asyncio.gather(fails(), return_exceptions=True))[0], LookupError)
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)

    with immediate() as loop:
        loop.run_until_complete(main(loop))
