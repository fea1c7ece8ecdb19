"""The control socket: what is no AWS call, for the command line of the same user.

One JSON object a line and its answer a line. A client interface lives as long as the connection
that asked for it, so that a killed command leaves none behind.
"""

from __future__ import annotations

import itertools
import json
import logging
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import TYPE_CHECKING, Any

from localcloud.errors import LocalCloudError
from localcloud.home import ACCOUNT_ID, Home

if TYPE_CHECKING:  # The command line needs none of the data planes.
    from localcloud.cloud import Cloud

logger = logging.getLogger(__name__)

_numbers = itertools.count(1)


@contextmanager
def call(home: Home, request: dict[str, Any]) -> Generator[dict[str, Any]]:
    """Send one request to the daemon and yield its answer; what it made ends with the block.

    Raises LocalCloudError when no daemon runs or when it refuses.
    """
    with socket(AF_UNIX, SOCK_STREAM) as connection:
        try:
            connection.connect(str(home.control_socket))
        except OSError as error:
            raise LocalCloudError(
                f"No local cloud runs in {home.path} ({error.strerror}); start one with `make up`."
            ) from error
        with connection.makefile("rw") as stream:
            stream.write(json.dumps(request) + "\n")
            stream.flush()
            answer = json.loads(stream.readline() or '{"error": "The local cloud went away."}')
            if "error" in answer:
                raise LocalCloudError(answer["error"])
            yield answer


class ControlServer:
    """Answers on the home's control socket in background threads."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        cloud.home.control_socket.unlink(missing_ok=True)
        self._server = _Server(str(cloud.home.control_socket), _Handler)
        self._server.cloud = cloud
        cloud.home.control_socket.chmod(0o600)
        self._thread = threading.Thread(target=self._server.serve_forever, name="control")
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and remove the socket."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self.cloud.home.control_socket.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    cloud: Cloud


class _Handler(socketserver.StreamRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def handle(self) -> None:
        line = self.rfile.readline()
        if not line:
            return
        try:
            request = json.loads(line)
            if request["do"] == "status":
                self._answer(_status(self.server.cloud))
            elif request["do"] == "attach":
                self._attach(request)
            else:
                self._answer({"error": f"The local cloud knows no request {request['do']!r}."})
        except LocalCloudError as error:
            self._answer({"error": str(error)})
        except (ValueError, KeyError, TypeError) as error:
            self._answer({"error": f"The local cloud did not understand a request: {error!r}."})
        except OSError:  # the client went away
            return

    def _answer(self, answer: dict[str, Any]) -> None:
        self.wfile.write(json.dumps(answer).encode() + b"\n")
        self.wfile.flush()

    def _attach(self, request: dict[str, Any]) -> None:
        fabric = self.server.cloud.fabric
        group_ids: list[str] = request["security_group_ids"]
        subnet_id = request.get("subnet_id") or _any_subnet(self.server.cloud, group_ids)
        interface = fabric.attach(
            name=f"client-{next(_numbers)}", subnet_id=subnet_id, security_group_ids=group_ids
        )
        try:
            self._answer(
                {
                    "namespace": interface.namespace,
                    "namespace_path": str(interface.namespace_path),
                    "address": interface.address,
                    "resolver": interface.resolver,
                }
            )
            self.rfile.read()  # until the client closes
        finally:
            fabric.detach(interface)


def _any_subnet(cloud: Cloud, group_ids: list[str]) -> str:
    from moto.ec2.models import ec2_backends

    ec2 = ec2_backends[ACCOUNT_ID][cloud.region]
    for group_id in group_ids:
        group = ec2.get_security_group_from_id(group_id)
        if group is None:
            raise LocalCloudError(
                f"Security group {group_id} refused: it does not exist; see `pulumi stack output`."
            )
        subnets = sorted(s.id for s in ec2.describe_subnets() if s.vpc_id == group.vpc_id)
        if subnets:
            return subnets[0]
    raise LocalCloudError("No subnet fits these security groups; name one with --subnet.")


def _status(cloud: Cloud) -> dict[str, Any]:
    from moto.ec2.models import ec2_backends
    from moto.rds.models import rds_backends

    instances = ec2_backends[ACCOUNT_ID][cloud.region].all_instances()
    databases = rds_backends[ACCOUNT_ID][cloud.region].databases
    return {
        "endpoint": cloud.home.endpoint_url,
        "region": cloud.region,
        "account": cloud.account_id,
        "hosts": {i.id: i.state for i in instances if i.state != "terminated"},
        "databases": {name: str(database.status) for name, database in databases.items()},
    }
