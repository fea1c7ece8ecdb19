"""The machine images and the key pair that the local EC2 knows."""

import platform
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from moto.ec2.models.amis import Ami

from localcloud.home import Home

KEY_PAIR_NAME = "pgkeep-local"

# Debian's account for official images (wiki.debian.org/Cloud/AmazonEC2Image).
DEBIAN_OWNER_ID = "136693071363"

# Debian architecture -> (AMI id, EC2 architecture). The ids are ours, the names as Debian's.
IMAGES = {
    "amd64": ("ami-0deb1300000a3d640", "x86_64"),
    "arm64": ("ami-0deb1300000a64000", "arm64"),
}


def machine_architecture() -> str:
    """EC2's word for this machine's processor."""
    return "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def register_images(ec2: Any, region: str) -> None:
    """Let DescribeImages answer with Debian 13 for both architectures."""
    for debian_architecture, (image_id, architecture) in IMAGES.items():
        ec2.amis[image_id] = Ami(
            ec2,
            image_id,
            name=f"debian-13-{debian_architecture}-20260101-0000",
            description="Debian 13 (the local cloud's base image)",
            owner_id=DEBIAN_OWNER_ID,
            public=True,
            virtualization_type="hvm",
            architecture=architecture,
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name="/dev/xvda",
            region_name=f"{region}a",
        )


def import_key_pair(ec2: Any, home: Home) -> None:
    """Make the local key pair (private key in the home, made once) known to EC2."""
    key_file = home.ssh_key
    if not key_file.exists():
        key_file.touch(0o600)
        key_file.write_bytes(
            Ed25519PrivateKey.generate().private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
        )
    private_key = serialization.load_ssh_private_key(key_file.read_bytes(), password=None)
    public_key = private_key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    key_file.with_suffix(".pub").write_bytes(public_key + b"\n")
    ec2.import_key_pair(KEY_PAIR_NAME, public_key, {})
