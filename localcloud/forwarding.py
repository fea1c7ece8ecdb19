"""A port of this machine that leads into a VPC, as an SSH tunnel does on AWS.

The listening socket belongs to this machine's network and is inherited by a process that lives in
the VPC: what it accepts comes from here, what it connects to is there.
"""

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Sequence

from localcloud import clients
from localcloud.home import Home

_BLOCK_BYTES = 256 * 1024
_CONNECT_TIMEOUT_SECONDS = 10


def forward(
    home: Home, security_group_ids: Sequence[str], subnet_id: str | None, host: str, port: int
) -> int:
    """Print the port, then forward until standard input ends; returns the exit code."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        number = listener.fileno()
        inside = [sys.executable, "-m", "localcloud.forwarding", str(number), host, str(port)]
        return clients.run(home, security_group_ids, subnet_id, inside, inherited=[number])


def _serve(listener: socket.socket, host: str, port: int) -> None:
    while True:
        client, _ = listener.accept()
        threading.Thread(target=_connect, args=(client, host, port), daemon=True).start()


def _connect(client: socket.socket, host: str, port: int) -> None:
    try:
        server = socket.create_connection((host, port), timeout=_CONNECT_TIMEOUT_SECONDS)
    except OSError as error:
        print(f"error: {host}:{port} cannot be reached: {error}", file=sys.stderr, flush=True)
        client.close()
        return
    server.settimeout(None)
    back = threading.Thread(target=_pump, args=(server, client), daemon=True)
    back.start()
    _pump(client, server)
    back.join()
    client.close()
    server.close()


def _pump(source: socket.socket, destination: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(_BLOCK_BYTES):
            destination.sendall(block)
    # The other direction may still have something to say.
    with contextlib.suppress(OSError):
        destination.shutdown(socket.SHUT_WR)


def _main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(
        target=_serve, args=(listener, sys.argv[2], int(sys.argv[3])), daemon=True
    ).start()
    while os.read(sys.stdin.fileno(), 1):
        pass


if __name__ == "__main__":
    _main()
