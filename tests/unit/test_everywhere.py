"""What holds for every resource: tags, boundary of roles, partition of names and ARNs."""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest
from pulumi_aws import _utilities

from stacks.settings import load
from tests.unit.conftest import Deployed
from tests.unit.recorder import ACCOUNT, REPOSITORY, Recorder, deploy, raw_settings

TAGS = {
    "pgkeep:owner": "platform",
    "pgkeep:data-classification": "confidential",
    "pgkeep:cost-centre": "databases",
    "pgkeep:environment": "prod",
    "pgkeep:stack": "pgkeep-prod",
    "Division": "payments/eu",
}


@functools.cache
def tagged() -> Recorder:
    """Prod with a tag of the organisation's own and a boundary."""
    raw = copy.deepcopy(raw_settings("prod"))
    raw["tags"]["extra"] = {"Division": "payments/eu"}
    raw["permissions_boundary"] = "database-operators"
    return deploy(load(raw, "prod"))


@functools.cache
def takes_tags(type_: str) -> bool:
    """Whether pulumi-aws's class for a type has `tags`, as a mapping."""
    _, module, name = re.split(r":|/", type_)[0], type_.split(":")[1], type_.split(":")[2]
    package = module.split("/")[0]
    attribute = {"lambda": "lambda_", "index": ""}.get(package, package)
    holder: Any = getattr(aws, attribute) if attribute else aws
    class_: type[pulumi.Resource] = getattr(holder, name)
    assert class_.__module__.startswith(_utilities.__package__ or "")
    return "tags" in inspect.signature(class_._internal_init).parameters  # pyright: ignore


def test_everything_that_can_be_tagged_carries_all_tags() -> None:
    recorder = tagged()
    untagged = {
        name: type_
        for name, (type_, inputs) in recorder.resources.items()
        if takes_tags(type_)
        # S3 takes ten tags of an object, and a team may have more.
        and type_ != "aws:s3/bucketObject:BucketObject"
        and not isinstance(inputs.get("tags"), list)
        and not (inputs.get("tags") or {}).items() >= TAGS.items()
    }
    assert untagged == {}
    assert sum(takes_tags(type_) for type_, _ in recorder.resources.values()) > 80


def test_every_tagged_resource_has_a_display_name() -> None:
    for name, (type_, inputs) in tagged().resources.items():
        if isinstance(inputs.get("tags"), dict):
            assert inputs["tags"]["Name"], (type_, name)


def test_hosts_and_their_volumes_carry_the_tags() -> None:
    recorder = tagged()
    for inputs in recorder.of_type("aws:autoscaling/group:Group").values():
        given = {tag["key"]: tag for tag in inputs["tags"]}
        assert {key: given[key]["value"] for key in TAGS} == TAGS
        assert all(tag["propagateAtLaunch"] for tag in inputs["tags"])
    for inputs in recorder.of_type("aws:ec2/launchTemplate:LaunchTemplate").values():
        by_kind = {one["resourceType"]: one["tags"] for one in inputs["tagSpecifications"]}
        assert set(by_kind) >= {"instance", "volume"}
        assert all(tags.items() >= TAGS.items() for tags in by_kind.values())


def test_every_role_has_the_boundary(deployed: Deployed) -> None:
    roles = tagged().of_type("aws:iam/role:Role")
    assert len(roles) >= 8
    assert {inputs.get("permissionsBoundary") for inputs in roles.values()} == {
        f"arn:aws:iam::{ACCOUNT}:policy/database-operators"
    }
    for inputs in deployed("prod").of_type("aws:iam/role:Role").values():
        assert "permissionsBoundary" not in inputs


# partition, region, suffix of its DNS names, zones
PARTITIONS = [
    ("aws-cn", "cn-northwest-1", "amazonaws.com.cn"),
    ("aws-us-gov", "us-gov-west-1", "amazonaws.com"),
]


@pytest.mark.parametrize(("partition", "region", "suffix"), PARTITIONS)
def test_any_partition(partition: str, region: str, suffix: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text((REPOSITORY / "stacks/rds_ca/eu-west-1.pem").read_text())
    raw = copy.deepcopy(raw_settings("prod"))
    raw["database"]["ca_bundle_path"] = str(bundle)
    raw.setdefault("pooler", {})["image_id"] = "ami-0123456789abcdef0"
    recorder = deploy(
        load(raw, "prod"),
        Recorder(
            zones=tuple(f"{region}{letter}" for letter in "abc"),
            region=region,
            partition=partition,
            dns_suffix=suffix,
        ),
    )
    text = json.dumps(recorder.resources, default=lambda archive: "")
    assert "arn:aws:" not in text
    assert "eu-west-1" not in text.replace(bundle.read_text(), "")
    assert f"arn:{partition}:" in text
    used = set(re.findall(rf"[a-z0-9.-]+\.{region}\.(amazonaws\.com[a-z.]*)", text))
    assert used == {suffix}
    principals = {
        principal
        for inputs in recorder.of_type("aws:iam/role:Role").values()
        for statement in json.loads(inputs["assumeRolePolicy"])["Statement"]
        for principal in [statement["Principal"]["Service"]]
    }
    assert f"ec2.{suffix}" in principals
    assert "lambda.amazonaws.com" in principals


LITERAL = re.compile(r"arn:aws:|\.amazonaws\.com|com\.amazonaws\.")
# Text for people: it names AWS's commercial partition as an example.
PROSE = {
    *("policies/database_observation.py", "policies/documents.py", "policies/privileges.py"),
    "stacks/forms.py",
}


def literals(path: Path) -> Iterator[str]:
    """Texts in a module that are no docstrings."""
    tree = ast.parse(path.read_text())
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
        ):
            yield node.value


@pytest.mark.parametrize("folder", ["components", "operations", "hosts", "policies", "stacks"])
def test_no_text_names_one_partition(folder: str) -> None:
    found = {
        (str(path.relative_to(REPOSITORY)), text)
        for path in (REPOSITORY / folder).rglob("*.py")
        for text in literals(path)
        if LITERAL.search(text)
    }
    assert {one for one in found if one[0] not in PROSE} == set()


@pytest.mark.parametrize("path", sorted((REPOSITORY / "hosts/files").rglob("*")), ids=str)
def test_no_file_of_a_host_names_one_partition(path: Path) -> None:
    assert not path.is_file() or not LITERAL.search(path.read_text())
