"""A way into the VPC of the stack `local`, for commands that run on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from toolchain.environment import REPOSITORY, local_environment
from toolchain.steps import RefusedError

_END_SECONDS = 10


@contextmanager
def local_tunnel(security_group_id: str, host: str, port: int) -> Generator[tuple[str, int]]:
    """Address and port on this machine that lead to `host:port`, while the block runs.

    Raises:
        RefusedError: the local cloud does not run, or refuses the security group.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "localcloud", "forward", f"{host}:{port}"]
        + ["--security-group", security_group_id],
        cwd=REPOSITORY,
        env=local_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # Ctrl-C ends the command that uses the tunnel, and the tunnel with it, in this order.
        start_new_session=True,
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both are pipes")
        try:
            line = process.stdout.readline().strip()
            if not line.isdecimal():
                raise RefusedError(f"no way to {host}:{port} in the local cloud; see above.")
            yield "127.0.0.1", int(line)
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
