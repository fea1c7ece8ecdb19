"""What AWS's machine names say: memory of RDS instance classes, processor of EC2 instance types."""

from __future__ import annotations

import re

from facts import ec2

# GiB for each vCPU, by family letter. AWS RDS user guide: hardware specifications.
_GIB_PER_VCPU = {"m": 4, "r": 8}
# AWS RDS user guide: burstable classes (t3, t4g).
_BURSTABLE_GIB = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}


def database_memory_gib(instance_class: str) -> int | None:
    """Memory of an RDS instance class in GiB, or None for a family this table does not know."""
    match = re.fullmatch(r"db\.([a-z])(\d+)[a-z]*\.([0-9a-z]+)", instance_class)
    if match is None:
        return None
    family, _, size = match.groups()
    if family == "t":
        return _BURSTABLE_GIB.get(size)
    virtual_cpus = _virtual_cpus(size)
    if family not in _GIB_PER_VCPU or virtual_cpus is None:
        return None
    return _GIB_PER_VCPU[family] * virtual_cpus


def is_arm64(instance_type: str) -> bool:
    """Whether an EC2 instance type has a Graviton processor."""
    return ec2.architecture(instance_type) == "arm64"


def _virtual_cpus(size: str) -> int | None:
    if size == "large":
        return 2
    match = re.fullmatch(r"(\d*)xlarge", size)
    return None if match is None else 4 * int(match.group(1) or "1")
