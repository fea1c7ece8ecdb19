"""How long `make up`, an unchanged `up` and a preview of prod take."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

from benchmarks.results import Measurement
from tests.e2e.local_stack import REPOSITORY, LocalStack
from toolchain.functions import build_archive, build_client_layer
from toolchain.steps import RefusedError, console


@contextmanager
def measured_stack(measurements: list[Measurement]) -> Generator[LocalStack]:
    """A local stack of its own; adds its times to `measurements` and is gone at the end.

    Warm: the Pulumi CLI, the base image and the function archives are in their caches.
    """
    build_archive("x86_64")
    build_client_layer("x86_64")
    stack = LocalStack(octet=75)
    try:
        started = time.monotonic()
        _require(stack.toolchain("up"))
        answer = stack.query("application_security_group_id", stack.through_pooler(), ["SELECT 1"])
        if answer["error"]:
            raise RefusedError(f"the pooler does not answer: {answer['error']}")
        first = time.monotonic() - started
        started = time.monotonic()
        _require(stack.toolchain("up"))
        second = time.monotonic() - started
        measurements.append(
            Measurement("`make up`, from nothing to a query through the pooler", first, "s",
                        aim="< 60 s")
        )  # fmt: skip
        measurements.append(
            Measurement("`make up` with nothing to change", second, "s", "the first `make up`",
                        first, "< 10 s")
        )  # fmt: skip
        yield stack
    finally:
        stack.toolchain("down")
        stack.remove()


def measure_previews() -> list[Measurement]:
    """`make preview STACK=prod`, and the policy pack's share of it."""
    with_pack = min(_preview() for _ in range(3))
    without_pack = min(_preview("--no-policies") for _ in range(3))
    return [
        Measurement("`make preview STACK=prod` with the policy pack", with_pack, "s",
                    "the same without the pack", without_pack, "< 8 s")
    ]  # fmt: skip


def _preview(*arguments: str) -> float:
    return _timed([sys.executable, "-m", "toolchain", "preview", "prod", *arguments])


def _timed(command: list[str]) -> float:
    started = time.monotonic()
    _require(subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False))
    seconds = time.monotonic() - started
    console.print(f"{' '.join(command[1:])}: {seconds:.1f} s")
    return seconds


def _require(result: subprocess.CompletedProcess[str]) -> None:
    if result.returncode != 0:
        raise RefusedError(f"a measured command failed:\n{result.stdout}{result.stderr}")
