"""`pulumi-resource-aws`: started by the Pulumi engine, serves package `aws` on a port that it
prints. The first argument is the engine's own address."""

import gc
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from localcloud.provider.service import AwsProvider
from localcloud.provider.statuses import error_interceptor

# Messages carry user data and layers' hashes; the engine's own limit is 400 MiB.
_MESSAGE_BYTES = 400 * 1024 * 1024
# New objects between two searches for garbage: clients and requests are many, cycles are few.
_GARBAGE_THRESHOLD = 100_000


def serve(engine_address: str = "") -> tuple[grpc.Server, int]:
    """Starts the service on a free loopback port."""
    server = grpc.server(
        # Every waiting create holds a thread; the engine starts at most 16 a core.
        ThreadPoolExecutor(max_workers=64),
        interceptors=[error_interceptor()],
        options=[
            ("grpc.max_receive_message_length", _MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MESSAGE_BYTES),
        ],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(AwsProvider(engine_address), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main(arguments: list[str]) -> None:
    """Serves until the engine ends the process."""
    # Modules live as long as the process: the collector need not search them again and again.
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    addresses = [argument for argument in arguments if not argument.startswith("-")]
    server, port = serve(addresses[0] if addresses else "")
    stopped = threading.Event()
    # The engine puts its plugins into process groups of their own, so a Ctrl-C never reaches this
    # process: SIGINT is the engine's way to say that it is done, and it waits 5 s for the exit.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    parent = os.getppid()
    print(port, flush=True)
    # An engine that was killed leaves nobody to ask for anything.
    while not stopped.wait(timeout=2) and os.getppid() == parent:
        pass
    server.stop(grace=1).wait()
    # Not sys.exit: it waits for threads whose call was cut off.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
