"""The image of every host: Debian 13 as Debian publishes it."""

from __future__ import annotations

import pulumi_aws as aws

# Debian's own AWS account. https://wiki.debian.org/Cloud/AmazonEC2Image
_DEBIAN_ACCOUNT = "136693071363"
_DEBIAN_ARCHITECTURE = {"x86_64": "amd64", "arm64": "arm64"}
ROOT_DEVICE = "/dev/xvda"


def debian_image(architecture: str) -> str:
    """The newest official Debian 13 image, so that a new host starts with all fixes."""
    return aws.ec2.get_ami(
        owners=[_DEBIAN_ACCOUNT],
        most_recent=True,
        filters=[
            {"name": "name", "values": [f"debian-13-{_DEBIAN_ARCHITECTURE[architecture]}-*"]},
            {"name": "architecture", "values": [architecture]},
            {"name": "virtualization-type", "values": ["hvm"]},
        ],
    ).id
