"""Where one local cloud lives: its folder, its port and the prefix of everything it makes.

Nothing a local cloud makes is known only to its daemon. Files are below the home folder, and
network namespaces, interfaces, nftables tables and cgroups carry the home's prefix, so that
`cleanup` finds all of it after a crash.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from localcloud.errors import LocalCloudError

DEFAULT_PORT = 4780
REGION = "eu-west-1"
ACCOUNT_ID = "123456789012"

_REPOSITORY = Path(__file__).resolve().parent.parent

# The control socket stands in the home folder, and Linux takes at most 107 bytes of path there
# (`sun_path`, unix(7)).
_LONGEST_SOCKET_PATH_BYTES = 107


@dataclass(frozen=True)
class Home:
    """The folder of one local cloud and the names that follow from it."""

    path: Path
    port: int = DEFAULT_PORT

    @classmethod
    def from_environment(cls) -> "Home":
        """Read PGKEEP_LOCALCLOUD_HOME (default `<repo>/.localcloud`) and PGKEEP_LOCALCLOUD_PORT.

        Raises LocalCloudError for a port outside 1 to 65535 or a path too long for a socket.
        """
        path = Path(os.environ.get("PGKEEP_LOCALCLOUD_HOME") or _REPOSITORY / ".localcloud")
        text = os.environ.get("PGKEEP_LOCALCLOUD_PORT") or str(DEFAULT_PORT)
        if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 65535:
            raise LocalCloudError(
                f"PGKEEP_LOCALCLOUD_PORT is {text!r}: a TCP port is a number from 1 to 65535; "
                f"unset it for the default {DEFAULT_PORT}."
            )
        home = cls(path.expanduser().absolute(), int(text))
        length = len(os.fsencode(home.control_socket))
        if length > _LONGEST_SOCKET_PATH_BYTES:
            raise LocalCloudError(
                f"PGKEEP_LOCALCLOUD_HOME is too long: its control socket {home.control_socket} has "
                f"{length} bytes, Linux allows {_LONGEST_SOCKET_PATH_BYTES}; use a shorter folder."
            )
        return home

    @property
    def prefix(self) -> str:
        """What the name of every namespace, interface, table and cgroup begins with."""
        return "pk" + hashlib.sha256(os.fsencode(self.path)).hexdigest()[:4]

    @property
    def endpoint_url(self) -> str:
        """The AWS API of this local cloud."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid_file(self) -> Path:
        """Holds the daemon's process id while it runs."""
        return self.path / "daemon.pid"

    @property
    def log_file(self) -> Path:
        """What the daemon has to say."""
        return self.path / "daemon.log"

    @property
    def control_socket(self) -> Path:
        """Unix socket for what is no AWS call: client interfaces, readiness, an orderly stop."""
        return self.path / "control.sock"

    @property
    def databases(self) -> Path:
        """Data folders of the database instances."""
        return self.path / "databases"

    @property
    def instances(self) -> Path:
        """Root file systems and consoles of the hosts."""
        return self.path / "instances"

    @property
    def functions(self) -> Path:
        """Unpacked functions and layers."""
        return self.path / "functions"

    @property
    def fabric(self) -> Path:
        """Configuration and sockets of load balancers, resolvers and service endpoints."""
        return self.path / "fabric"

    @property
    def clients(self) -> Path:
        """Temporary files of `run` clients."""
        return self.path / "clients"

    @property
    def certificates(self) -> Path:
        """The certificate authorities and their keys."""
        return self.path / "certificates"

    @property
    def rds_ca_bundle(self) -> Path:
        """What clients verify databases with, as AWS's `global-bundle.pem`."""
        return self.path / "rds-ca-bundle.pem"

    @property
    def services_ca_bundle(self) -> Path:
        """What hosts and functions verify the AWS service endpoints with."""
        return self.path / "services-ca-bundle.pem"

    @property
    def ssh_key(self) -> Path:
        """Private key of the EC2 key pair `pgkeep-local`."""
        return self.path / "ssh" / "id_ed25519"

    @property
    def temporary(self) -> Path:
        """Temporary files of the daemon, the bodies of S3 objects among them."""
        return self.path / "tmp"

    @property
    def data_folders(self) -> tuple[Path, ...]:
        """The folders that end with the cloud; keys, certificates and the log outlive it."""
        return (
            self.databases,
            self.instances,
            self.functions,
            self.fabric,
            self.clients,
            self.temporary,
        )

    def create(self) -> None:
        """Make the home and its folders; only the owner enters the ones that hold keys."""
        self.path.mkdir(parents=True, exist_ok=True)
        for folder in self.data_folders:
            folder.mkdir(exist_ok=True)
        for private in (self.certificates, self.ssh_key.parent):
            private.mkdir(mode=0o700, exist_ok=True)
