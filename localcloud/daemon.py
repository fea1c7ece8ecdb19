"""The daemon of one local cloud: moto, the data planes behind it and the control socket.

Started by `python -m localcloud start`, in the background; its log says what it does. SIGTERM
stops it in order. What a killed daemon leaves is taken away by `cleanup`.
"""

import fcntl
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from localcloud.authorities import open_authorities
from localcloud.cloud import Cloud
from localcloud.control.api import ApiServer
from localcloud.control.socket import ControlServer
from localcloud.errors import LocalCloudError
from localcloud.home import REGION, Home
from localcloud.image import image_path

logger = logging.getLogger("localcloud")

MOTO_ENVIRONMENT = {
    # Only the images that can really boot here exist.
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    # Roles attach AWS's own policies (for RDS monitoring and for Lambda in a VPC).
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
}


def main() -> int:
    """Run until SIGTERM or SIGINT. The exit code is 1 when the start fails."""
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stdout,
    )
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # not one line a request
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    try:
        home = Home.from_environment()
        home.create()
        os.chdir(home.path)  # `cleanup` knows the daemon and its children by this
        tempfile.tempdir = str(home.temporary)
        with _pid_file(home):
            _run(home, stopping)
    except LocalCloudError as error:
        logger.error("refused: %s", error)  # the last line of the log is shown by `start`
        return 1
    return 0


def _run(home: Home, stopping: threading.Event) -> None:
    started = time.monotonic()
    os.environ.update(MOTO_ENVIRONMENT)
    # After the environment is set: these import moto, which reads it once.
    from localcloud.control import planes
    from localcloud.fabric import Fabric

    api = ApiServer(home)
    image = image_path()
    if not image.is_dir():
        raise LocalCloudError(f"The base image {image} is missing; `make up` builds it.")
    rds_authority, services_authority = open_authorities(home)
    fabric = Fabric(home, services_authority, REGION)
    fabric.image = image
    cloud = Cloud(home, fabric, rds_authority, services_authority, image)
    fabric.start()
    try:
        planes.install(cloud)
        api.start()
        sockets = ControlServer(cloud)
        logger.info("ready after %.1f s on %s", time.monotonic() - started, home.endpoint_url)
        stopping.wait()
        logger.info("stopping")
        sockets.stop()
    finally:
        api.stop()
        planes.shutdown(cloud)
        fabric.stop()
    logger.info("stopped")


@contextmanager
def _pid_file(home: Home) -> Generator[None]:
    """Hold the home for this process: a locked file with its id in it, until the end."""
    with home.pid_file.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LocalCloudError(
                f"A local cloud already runs in {home.path}; use it, or stop it with `make down`."
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        try:
            yield
        finally:
            home.pid_file.unlink(missing_ok=True)


if __name__ == "__main__":
    # Threads of requests that still run do not keep the process.
    code = main()
    logging.shutdown()
    os._exit(code)
