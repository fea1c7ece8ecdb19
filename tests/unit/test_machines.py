"""What AWS's machine names say."""

from __future__ import annotations

import pytest

from stacks.machines import database_memory_gib, is_arm64


@pytest.mark.parametrize(
    ("instance_class", "memory"),
    [
        ("db.t4g.micro", 1),
        ("db.t4g.medium", 4),
        ("db.m7g.large", 8),
        ("db.m7i.2xlarge", 32),
        ("db.r7g.large", 16),
        ("db.r6gd.16xlarge", 512),
        ("db.x2g.large", None),
        ("db.serverless", None),
    ],
)
def test_memory(instance_class: str, memory: int | None) -> None:
    assert database_memory_gib(instance_class) == memory


@pytest.mark.parametrize(
    ("instance_type", "arm64"),
    [("t4g.small", True), ("c7gn.large", True), ("a1.large", True)]
    + [("t3.small", False), ("m7i-flex.large", False), ("g5.xlarge", False)],
)
def test_processor(instance_type: str, arm64: bool) -> None:
    assert is_arm64(instance_type) is arm64
