"""What makes a base image one particular host: its cloud-init seed and a few files of the network.

The user data of the launch template goes in byte for byte, as NoCloud's `user-data`. Everything
that is of the local cloud stands in `90_localcloud.cfg`, never in the user data.
"""

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from localcloud.instances.machine import OverlayFile

DEFAULT_USER = "admin"  # of Debian's AMIs ("Debian AWS images", wiki.debian.org)

SYSTEM_CONFIG = f"""\
# Written by pgkeep's local cloud.
datasource_list: [NoCloud]
# The network namespace is configured before the host boots.
network: {{config: disabled}}
# RSA host keys take up to a second of processor time.
ssh_genkeytypes: [ed25519, ecdsa]
no_ssh_fingerprints: true
ssh: {{emit_keys_to_console: false}}
system_info:
  default_user: {{name: {DEFAULT_USER}}}
"""

_SEED = "/var/lib/cloud/seed/nocloud"
_CA_BUNDLE = "etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class HostIdentity:
    """What a host is told about itself at its first boot."""

    instance_id: str
    address: str
    region: str
    user_data: bytes
    public_keys: tuple[str, ...]

    @property
    def host_name(self) -> str:
        """`ip-10-77-0-5`, AWS's "IP name"."""
        return "ip-" + self.address.replace(".", "-")

    @property
    def domain_name(self) -> str:
        """Private DNS name of the host."""
        return f"{self.host_name}.{self.region}.compute.internal"


def overlay_files(
    identity: HostIdentity, *, resolv_conf: str, services_ca_pem: bytes, image: Path
) -> dict[str, OverlayFile]:
    """Return the files of a host that are not in the image, by absolute path."""
    meta_data = {
        "instance-id": identity.instance_id,
        "local-hostname": identity.domain_name,
        "public-keys": list(identity.public_keys),
    }
    hosts = f"127.0.0.1 localhost\n127.0.1.1 {identity.domain_name} {identity.host_name}\n"
    hosts += "::1 localhost ip6-localhost ip6-loopback\n"
    certificate = OverlayFile(services_ca_pem)
    name = subject_hash(services_ca_pem, image)
    return {
        f"{_SEED}/user-data": OverlayFile(identity.user_data, 0o600),
        f"{_SEED}/meta-data": OverlayFile(json.dumps(meta_data).encode(), 0o600),
        "/etc/cloud/cloud.cfg.d/90_localcloud.cfg": OverlayFile(SYSTEM_CONFIG.encode()),
        "/etc/resolv.conf": OverlayFile(resolv_conf.encode()),
        "/etc/hosts": OverlayFile(hosts.encode()),
        # Trusted as `update-ca-certificates` would make it, and still there after it runs.
        "/usr/local/share/ca-certificates/pgkeep-local-services.crt": certificate,
        f"/etc/ssl/certs/{name}.0": certificate,
        f"/{_CA_BUNDLE}": OverlayFile((image / _CA_BUNDLE).read_bytes() + services_ca_pem),
    }


@cache
def subject_hash(certificate_pem: bytes, image: Path) -> str:
    """Name under which OpenSSL looks for an authority in a folder (openssl-rehash(1))."""
    done = subprocess.run(
        ["chroot", str(image), "openssl", "x509", "-noout", "-subject_hash"],
        input=certificate_pem,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().strip()
