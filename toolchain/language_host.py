"""The language host that lets the Pulumi engine run Python programs and Python policy packs.

The official Pulumi CLI ships `pulumi-language-python` as a binary. A CLI that was built from its Go
module has none, so this module serves the same gRPC interface (Pulumi's `LanguageRuntime`) with
the Python SDK's own `LanguageServer`, which the Automation API uses for inline programs. The
engine starts it as `pulumi-language-python ENGINE_ADDRESS` and reads the port from its stdout.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import IO, Any

import grpc
from google.protobuf import empty_pb2
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

# What the program imports of pulumi-aws; its resources load on the first use of a package.
PRELOADED = (
    *("autoscaling", "backup", "cloudwatch", "ec2", "ec2transitgateway", "iam", "kms", "lambda_"),
    *("lb", "rds", "s3", "scheduler", "secretsmanager", "sns", "sqs", "ssm", "vpc"),
)
OWN_PACK = Path(__file__).resolve().parent.parent / "policies"
# The engine sends whole archives' hashes and large documents through gRPC; this is its own limit.
MAXIMUM_MESSAGE_BYTES = 400 * 1024 * 1024


class PythonLanguageHost(LanguageServer):
    """Runs one Pulumi program, and plugins (policy packs) as child processes."""

    def __init__(self) -> None:
        super().__init__(lambda: None)
        self._children: set[subprocess.Popen[bytes]] = set()
        self._preloading: threading.Thread | None = None

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return language_pb2.LanguageHandshakeResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: ARG002, N802
        # `uv sync` has installed everything before the engine starts.
        return iter(())

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return language_pb2.GetProgramDependenciesResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        return plugin_pb2.PluginInfo(version="1.0.0")

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        self.stop_children()
        return empty_pb2.Empty()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Runs the program's `__main__.py` in this process, in the program's folder."""
        directory = Path(request.info.program_directory)
        entry = directory / request.info.entry_point
        program = entry / "__main__.py" if entry.is_dir() else entry
        os.chdir(directory)
        sys.path.insert(0, str(directory))
        self.program = lambda: self._run_program(program)
        result = super().Run(request, context)
        if result.error:
            # The SDK has logged it already: `bail` tells the engine not to print it once more.
            result = language_pb2.RunResponse(bail=True)
        return result

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Runs a policy pack (kind `analyzer`) or another Python plugin and streams its output."""
        if request.kind == "analyzer" and self._preloading is None:
            # The program runs next, in this process: its imports need not wait for the pack.
            self._preloading = threading.Thread(target=_preload, daemon=True)
            self._preloading.start()
        directory = request.info.program_directory
        environment = dict(variable.split("=", 1) for variable in request.env)
        child = subprocess.Popen(
            plugin_command(request.kind, directory, request.args),
            cwd=directory,
            env=environment or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._children.add(child)
        context.add_callback(child.terminate)
        yield from _stream(child)
        self._children.discard(child)

    def _run_program(self, program: Path) -> None:
        if self._preloading is not None:
            # Lazy modules are not made for two threads that load them at once. Joined only here:
            # the stack is registered by now, and the engine starts the provider meanwhile.
            self._preloading.join()
        runpy.run_path(str(program), run_name="__main__")

    def stop_children(self) -> None:
        """Terminates every plugin that is still running."""
        for child in list(self._children):
            child.terminate()


def plugin_command(kind: str, directory: str, arguments: Iterable[str]) -> list[str]:
    """What runs a plugin: a policy pack under `pulumi.policy`, anything else by itself.

    This repository's own pack needs nothing that `pulumi.policy` sets up: by itself it answers the
    engine sooner, by the time that Pulumi's SDK takes to load.
    """
    if kind == "analyzer" and Path(directory).resolve() != OWN_PACK:
        return [sys.executable, "-u", "-m", "pulumi.policy", *arguments, directory]
    return [sys.executable, "-u", directory, *arguments]


def _preload() -> None:
    """Loads the resources of pulumi-aws; what is missing is the program's own import error."""
    with contextlib.suppress(ImportError):
        aws = importlib.import_module("pulumi_aws")
        for package in PRELOADED:
            # A lazy module loads when one of its names is asked for.
            hasattr(getattr(aws, package, None), "outputs")


def _stream(child: subprocess.Popen[bytes]) -> Iterator[Any]:
    """Yields a child's output as it comes, then its exit code."""
    chunks: Queue[Any] = Queue()

    def pump(stream: IO[bytes], field: str) -> None:
        # read1, not read: the engine waits for the plugin's first line, its port.
        while chunk := stream.read1(65536):  # pyright: ignore[reportAttributeAccessIssue]
            chunks.put(language_pb2.RunPluginResponse(**{field: chunk}))
        chunks.put(None)

    assert child.stdout is not None and child.stderr is not None  # noqa: S101
    for stream, field in ((child.stdout, "stdout"), (child.stderr, "stderr")):
        threading.Thread(target=pump, args=(stream, field), daemon=True).start()
    open_streams = 2
    while open_streams:
        chunk = chunks.get()
        if chunk is None:
            open_streams -= 1
        else:
            yield chunk
    yield language_pb2.RunPluginResponse(exitcode=child.wait())


def main() -> None:
    """Serves until the engine closes it; the first line of stdout is the port, as it expects."""
    # This process lives for one run: searching its growing heap for cycles is a third of its time.
    gc.disable()
    host = PythonLanguageHost()
    server = grpc.server(
        ThreadPoolExecutor(max_workers=8),
        options=[
            ("grpc.max_receive_message_length", MAXIMUM_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAXIMUM_MESSAGE_BYTES),
        ],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)

    stopping = threading.Event()

    def stop(_signal: int, _frame: object) -> None:
        stopping.set()

    # The engine interrupts its plugins when it is done: leave quietly, without a traceback.
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    stopping.wait()
    host.stop_children()
    server.stop(grace=0)
    # Not sys.exit: threads of a program that was cut off must not hold the engine up.
    os._exit(0)


if __name__ == "__main__":
    main()
