"""A moto server of its own with chosen data planes: `planes_server.py HOME PORT IMAGE PLANE...`.

A process of its own, because the planes replace moto's backends for good.
"""

import importlib
import logging
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from werkzeug.serving import make_server

from localcloud.authorities import open_authorities
from localcloud.cloud import Cloud
from localcloud.home import Home


@dataclass
class BareFabric:
    """Interfaces that are only a network namespace with a loopback device."""

    prefix: str
    namespaces: set[str] = field(default_factory=set)

    def attach(self, *, name: str, subnet_id: str, security_group_ids: Any, address: Any = None):
        namespace = f"{self.prefix}-{name}"
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        self.namespaces.add(namespace)
        return SimpleNamespace(
            name=name,
            namespace=namespace,
            namespace_path=Path("/run/netns") / namespace,
            address="10.0.0.4",
            subnet_id=subnet_id,
            vpc_id="vpc-test",
            security_group_ids=tuple(security_group_ids),
            resolver="10.0.0.2",
        )

    def detach(self, interface: Any) -> None:
        subprocess.run(["ip", "netns", "delete", interface.namespace], check=True)
        self.namespaces.discard(interface.namespace)

    def set_security_groups(self, interface: Any, security_group_ids: Any) -> None:
        interface.security_group_ids = tuple(security_group_ids)


def main() -> None:
    path, port, image, *names = sys.argv[1:]
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    home = Home(Path(path), int(port))
    home.create()
    authorities = open_authorities(home)
    fabric: Any = BareFabric(home.prefix)
    cloud = Cloud(home, fabric, *authorities, Path(image))
    planes = [importlib.import_module(f"localcloud.{name}") for name in names]
    for plane in planes:
        plane.install(cloud)

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    application: Any = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", home.port, application, threaded=True)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("ready", flush=True)
    server.serve_forever()
    for plane in reversed(planes):
        plane.shutdown(cloud)


if __name__ == "__main__":
    main()
