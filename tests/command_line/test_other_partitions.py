"""The stacks of this repository in China and GovCloud: whole programs, judged by the pack."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pgkeep import program
from pgkeep.check import judging
from pgkeep.stack_files import StackFile, read_stack

IMAGE = "ami-0123456789abcdef0"


@pytest.mark.parametrize(
    ("stack", "region", "other", "partition"),
    [
        ("prod", "cn-north-1", "cn-northwest-1", "aws-cn"),
        ("dev", "us-gov-west-1", "us-gov-east-1", "aws-us-gov"),
    ],
)
def test_no_violation_and_nothing_of_the_commercial_partition(
    stack: str, region: str, other: str, partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = read_stack(stack)
    raw: Any = json.loads(
        json.dumps(own.raw).replace("eu-west-1", region).replace("eu-central-1", other)
    )
    raw["pooler"] = {**raw.get("pooler", {}), "image_id": IMAGE}
    raw["database"]["ca_bundle_path"] = "stacks/rds_ca/eu-west-1.pem"
    moved = StackFile(stack, own.path, raw, region)
    declared: list[program.Declared] = []

    def run(*arguments: Any) -> program.ProgramRun:
        found = original(*arguments)
        declared.extend(found.resources)
        return found

    original = program.run
    monkeypatch.setattr(program, "run", run)
    monkeypatch.setattr(judging, "read_stack", {stack: moved}.__getitem__)
    judged = judging.judge_stack(stack, judging.Options())
    assert [finding.message for finding in judged.findings if finding.blocks] == []
    inputs = json.dumps([dict(one.inputs) for one in declared])
    assert f"arn:{partition}:" in inputs
    assert "arn:aws:" not in inputs
    zones = {
        one.inputs["availabilityZone"] for one in declared if one.type == "aws:ec2/subnet:Subnet"
    }
    assert zones <= {f"{region}{letter}" for letter in "abc"}
    assert len(zones) == moved.load().network.zone_count
