"""Random valid stacks of pgkeep, with one security property spoilt: always refused."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from pgkeep.program import run
from policies.evaluation import Judge, Kind
from policies.inventory import Resource, Stack
from policies.rules import Context, Environment
from stacks.settings import SettingsError, load
from tests.unit.generated_settings import mutations
from tests.unit.recorder import REGION, raw_settings
from tests.unit.test_generated_settings import BOUNDED, answers, changed

INSTANCE = "aws:rds/instance:Instance"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
POLICY = "aws:iam/rolePolicy:RolePolicy"
ROLE = "aws:iam/role:Role"
OPEN = {"cidrIpv4": "0.0.0.0/0", "referencedSecurityGroupId": None}


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


# type, what to lay over the resource's inputs, the rule that must refuse it
MUTATIONS: list[tuple[str, dict[str, Any], str]] = [
    (INSTANCE, {"publiclyAccessible": True}, "rds-not-public"),
    (INSTANCE, {"storageEncrypted": False, "replicateSourceDb": None}, "rds-storage-encrypted"),
    (INSTANCE, {"backupRetentionPeriod": 0, "replicateSourceDb": None}, "rds-pitr-retention"),
    (INSTANCE, {"iamDatabaseAuthenticationEnabled": False}, "rds-iam-authentication"),
    (INSTANCE, {"caCertIdentifier": "rds-ca-2019"}, "rds-current-authority"),
    (INSTANCE, {"enabledCloudwatchLogsExports": []}, "rds-logs-exported"),
    (INSTANCE, {"parameterGroupName": "default.postgres17", "replicateSourceDb": None},
     "rds-ssl-enforced"),
    (BLOCK, {"blockPublicAcls": False}, "s3-public-access-blocked"),
    (BLOCK, {"blockPublicPolicy": None}, "s3-public-access-blocked"),
    (BLOCK, {"ignorePublicAcls": False}, "s3-public-access-blocked"),
    (BLOCK, {"restrictPublicBuckets": False}, "s3-public-access-blocked"),
    ("aws:s3/bucketPolicy:BucketPolicy", {"policy": document(Principal="*", Action="s3:GetObject",
     Resource="*")}, "s3-tls-only"),
    (TEMPLATE, {"metadataOptions": {"httpTokens": "optional"}}, "ec2-metadata-needs-token"),
    (POLICY, {"policy": document(Action="*", Resource="*")}, "iam-no-wildcard-actions"),
    (POLICY, {"policy": document(Action="s3:*", Resource="arn:aws:s3:::b")},
     "iam-no-wildcard-actions"),
    (POLICY, {"policy": document(Action="s3:PutObject", Resource="*")},
     "iam-no-wildcard-resources"),
    (POLICY, {"policy": document(Action="rds:DeleteDBInstance", Resource="arn:aws:rds:::db:x")},
     "iam-no-deletion"),
    (POLICY, {"policy": document(Action="iam:PassRole", Resource="*")}, "iam-no-escalation"),
    (ROLE, {"assumeRolePolicy": document(Principal="*", Action="sts:AssumeRole")},
     "iam-no-wildcard-trust"),
    (ROLE, {"managedPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"]},
     "iam-no-wildcard-actions"),
    ("aws:kms/key:Key", {"enableKeyRotation": False}, "kms-rotation"),
]  # fmt: skip


def _manifest(change: Callable[[dict[str, Any]], None]) -> Callable[[Resource], Resource | None]:
    """A mutation of the role manifest; the invocations of other functions have none."""

    def mutate(resource: Resource) -> Resource | None:
        text = json.dumps(dict(resource.properties), default=str)
        if '\\"roles\\"' not in text:
            return None
        payload = json.loads(str(resource.properties["input"]))
        manifest = payload.get("manifest", payload)
        change(next(one for one in manifest["roles"] if one["kind"] == "app"))
        return altered(resource, {"input": json.dumps(payload), "triggers": None})

    return mutate


def _delete(app: dict[str, Any]) -> None:
    app["grants"].append(
        {"object_type": "table", "schema": "x", "objects": ["*"], "privileges": ["DELETE"]}
    )


def _member(app: dict[str, Any]) -> None:
    app["member_of"] = ["node_pass_owner"]


MANIFESTS = [_manifest(_delete), _manifest(_member)]


def altered(resource: Resource, change: dict[str, Any]) -> Resource:
    properties = {**copy.deepcopy(dict(resource.properties)), **change}
    return Resource.of(
        type=resource.type,
        name=resource.name,
        urn=resource.urn,
        properties={key: value for key, value in properties.items() if value is not None},
        property_dependencies={
            key: urns for key, urns in resource.property_dependencies.items() if key not in change
        },
        protect=resource.protect,
    )


def declared(raw: dict[str, Any], environment: str) -> list[Resource] | None:
    """What the program declares; nothing if the settings are refused."""
    try:
        settings = load(raw, environment, REGION)
    except SettingsError:
        return None
    return [
        Resource.of(
            type=one.type,
            name=one.name,
            urn=one.urn,
            properties=one.inputs,
            property_dependencies=one.property_dependencies,
            protect=one.protect,
        )
        for one in run(settings, REGION, answers(settings)).resources
        if one.custom
    ]


def refused(resources: list[Resource], changed_one: Resource, environment: str) -> set[str]:
    """The mandatory rules that the stack violates with one resource changed."""
    judge = Judge(Context(environment=Environment(environment)), repeats=True)
    whole = [changed_one if one.urn == changed_one.urn else one for one in resources]
    verdicts = [*judge.resource(changed_one), *judge.joins(Stack(whole))]
    return {one.rule.id for one in verdicts if one.kind is Kind.VIOLATION and one.blocks}


JUDGED: dict[str, int] = {}


@profile(max_examples=4, **BOUNDED)
@given(
    environment=st.sampled_from(["dev", "staging", "prod", "local"]),
    drawn=st.lists(mutations(), max_size=3),
    seed=st.integers(0, 2**32),
)
def _spoil_random_stacks(environment: str, drawn: list[Any], seed: int) -> None:
    raw = raw_settings(environment)
    for mutation in drawn:
        candidate = changed(raw, mutation)
        try:
            load(candidate, environment, REGION)
        except SettingsError:
            continue
        raw = candidate
    resources = declared(raw, environment)
    assert resources is not None
    source = random.Random(seed)
    by_type: dict[str, list[Resource]] = {}
    for one in resources:
        by_type.setdefault(one.type, []).append(one)
    for kind, change, rule in source.sample(MUTATIONS, len(MUTATIONS)):
        if kind not in by_type:
            continue
        # Nothing rotates a key that only signs.
        choices = [one for one in by_type[kind] if one.get("keyUsage") != "GENERATE_VERIFY_MAC"]
        spoilt = altered(source.choice(choices), change)
        found = refused(resources, spoilt, environment)
        assert rule in found, f"{environment}: {spoilt.label} with {change}: {found}"
        JUDGED[rule] = JUDGED.get(rule, 0) + 1
    for mutate in MANIFESTS:
        for one in by_type["aws:lambda/invocation:Invocation"]:
            if (spoilt := mutate(one)) is not None:
                assert "db-app-cannot-delete" in refused(resources, spoilt, environment)
                JUDGED["db-app-cannot-delete"] = JUDGED.get("db-app-cannot-delete", 0) + 1


def test_one_spoilt_security_property_is_always_refused() -> None:
    _spoil_random_stacks()
    # Every mutation found a resource to spoil, in one stack at least.
    assert JUDGED.keys() == {rule for _, _, rule in MUTATIONS} | {"db-app-cannot-delete"}
