"""Standard input and output as the two directions of a TCP connection: `HOST PORT`."""

import os
import socket
import sys
import threading

_BLOCK_BYTES = 64 * 1024
_CONNECT_TIMEOUT_SECONDS = 10


def _send(connection: socket.socket) -> None:
    while block := os.read(sys.stdin.fileno(), _BLOCK_BYTES):
        connection.sendall(block)
    connection.shutdown(socket.SHUT_WR)


def main() -> int:
    """Pass bytes on until the other side has ended."""
    host, port = sys.argv[1:]
    try:
        connection = socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT_SECONDS)
    except OSError as error:
        print(f"error: {host}:{port} cannot be reached: {error}", file=sys.stderr)
        return 1
    connection.settimeout(None)
    threading.Thread(target=_send, args=(connection,), daemon=True).start()
    while block := connection.recv(_BLOCK_BYTES):
        view = memoryview(block)
        while view:
            view = view[os.write(sys.stdout.fileno(), view) :]
    return 0


if __name__ == "__main__":
    sys.exit(main())
