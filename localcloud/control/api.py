"""The AWS API on 127.0.0.1: moto's application in a threaded server of this process."""

import socket
import threading

from localcloud.errors import LocalCloudError
from localcloud.home import Home

ADDRESS = "127.0.0.1"


class ApiServer:
    """moto's server. The port is taken at construction, requests are served after `start`."""

    def __init__(self, home: Home) -> None:
        self._socket = listen(home.port)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Serve requests in background threads, one each."""
        from moto.moto_server.werkzeug_app import (
            DomainDispatcherApplication,
            create_backend_app,
        )
        from werkzeug.serving import make_server

        from localcloud.control.requests import RequestHandler

        self._server = make_server(
            ADDRESS,
            self._socket.getsockname()[1],
            DomainDispatcherApplication(create_backend_app),
            threaded=True,
            request_handler=RequestHandler,
            fd=self._socket.fileno(),
        )
        self._thread = threading.Thread(target=self._server.serve_forever, name="aws-api")
        self._thread.start()

    def stop(self) -> None:
        """Stop listening. Requests that run are not waited for."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._socket.close()


def listen(port: int) -> socket.socket:
    """Take the port. Raises LocalCloudError where another program has it."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ADDRESS, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise LocalCloudError(
            f"Port {port} on {ADDRESS} cannot be used for the local cloud's AWS API: "
            f"{error.strerror}; stop the program that has it, or set PGKEEP_LOCALCLOUD_PORT "
            "to a free port."
        ) from error
    return listener
