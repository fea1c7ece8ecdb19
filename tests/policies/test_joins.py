"""Joins that a table of spoilt properties cannot show: options, whole VPCs, schedules, copies."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind, evaluate
from policies.inventory import Resource, Stack
from policies.links import sources, targets
from policies.rules import Context, Environment, Phase
from tests.policies import good_stack
from tests.policies.good_scenes import document

UNKNOWN = good_stack.UNKNOWN_STRING
SECRET = "aws:secretsmanager/secret:Secret"
FUNCTION = "aws:lambda/function:Function"
BUCKET = "aws:s3/bucket:Bucket"


def made(kind: str, name: str, /, *, protect: bool = True, **properties: Any) -> Resource:
    """A resource; a property given as a tuple of resources is unknown and refers to them."""
    references = {key: value for key, value in properties.items() if isinstance(value, tuple)}
    return Resource.of(
        type=kind,
        name=name,
        properties={
            key: UNKNOWN if key in references else value for key, value in properties.items()
        },
        property_dependencies={
            key: [one.urn for one in value] for key, value in references.items()
        },
        protect=protect,
    )


def found(rule: str, *resources: Resource, **of_context: Any) -> list[tuple[Kind, str]]:
    context = Context(environment=Environment.PROD, **of_context)
    verdicts = evaluate(Stack(resources), context)
    return [(v.kind, v.urn.rpartition("::")[2]) for v in verdicts if v.rule.id == rule]


@pytest.mark.parametrize(
    "kind",
    [
        "aws:rds/instance:Instance",
        "aws:rds/cluster:Cluster",
        BUCKET,
        "aws:kms/key:Key",
        "aws:backup/vault:Vault",
    ],
)
def test_what_holds_data_has_the_option_protect(kind: str) -> None:
    rule = "rds-stateful-protected"
    assert found(rule, made(kind, "a", protect=False)) == [(Kind.VIOLATION, "a")]
    assert found(rule, made(kind, "a")) == []


def test_replicas_are_made_again_and_need_no_protection() -> None:
    replica = made("aws:rds/instance:Instance", "a", protect=False, replicateSourceDb="b")
    assert found("rds-stateful-protected", replica) == []


def test_a_vpc_with_a_database_has_endpoints() -> None:
    vpc = made("aws:ec2/vpc:Vpc", "vpc")
    subnet = made("aws:ec2/subnet:Subnet", "subnet", vpcId=(vpc,))
    group = made("aws:rds/subnetGroup:SubnetGroup", "group", subnetIds=(subnet,))
    endpoints = [
        made(
            "aws:ec2/vpcEndpoint:VpcEndpoint",
            service,
            vpcId=(vpc,),
            serviceName=f"com.amazonaws.eu-west-1.{service}",
        )
        for service in ("s3", "secretsmanager", "logs")
    ]
    rule = "net-endpoints-exist"
    assert found(rule, vpc, subnet, group, *endpoints) == []
    assert found(rule, vpc, subnet, group, *endpoints[1:]) == [(Kind.VIOLATION, "vpc")]
    assert found(rule, vpc, subnet) == []
    later = made("aws:ec2/vpcEndpoint:VpcEndpoint", "later", vpcId=(vpc,), serviceName=UNKNOWN)
    assert found(rule, vpc, subnet, group, later) == [(Kind.NOT_VERIFIED, "vpc")]


def rotating(expression: str, *actions: str, policy: Any = None) -> list[Resource]:
    """A secret, a function that knows it, its role and its schedule."""
    secret = made(SECRET, "secret", name="app/login")
    role = made("aws:iam/role:Role", "role", name="rotator")
    function = made(FUNCTION, "function", name="rotator", environment=(secret,), role=(role,))
    schedule = made(
        "aws:scheduler/schedule:Schedule",
        "schedule",
        target=(function,),
        scheduleExpression=expression,
    )
    arn = "arn:aws:secretsmanager:eu-west-1:1:secret:app/login-a1b2c3"
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": arn}
    allowed = made(
        "aws:iam/rolePolicy:RolePolicy",
        "policy",
        role=(role,),
        policy=(secret,) if policy == "unknown" else document(statement),
    )
    return [secret, role, function, schedule, allowed]


WRITE = "secretsmanager:PutSecretValue"


@pytest.mark.parametrize(
    "expression",
    [
        "rate(30 days)",
        "rate(92 days)",
        "cron(0 5 1 1/3 ? *)",
        "cron(0 5 * * ? *)",
        "rate(12 hours)",
    ],
)
def test_a_scheduled_function_that_may_write_a_secret_rotates_it(expression: str) -> None:
    assert found("secrets-rotated", *rotating(expression, WRITE)) == []


@pytest.mark.parametrize(
    ("expression", "actions"),
    [
        ("rate(93 days)", [WRITE]),
        ("cron(0 5 1 1 ? *)", [WRITE]),
        ("cron(0 5 1 1/6 ? *)", [WRITE]),
        ("at(2026-01-01T00:00:00)", [WRITE]),
        ("rate(1 day)", ["secretsmanager:GetSecretValue"]),
    ],
)
def test_one_that_is_rare_or_only_reads_does_not(expression: str, actions: list[str]) -> None:
    verdicts = found("secrets-rotated", *rotating(expression, *actions))
    assert verdicts == [(Kind.VIOLATION, "secret")]


def test_what_is_written_with_each_rotation_of_another_secret_is_rotated() -> None:
    """The hashes that a pooler holds, for example."""
    secret, role, function, _, allowed = rotating("rate(1 day)", WRITE)
    password = made(SECRET, "password", name="app/password")
    another = made(FUNCTION, "another", name="another")
    rotation = "aws:secretsmanager/secretRotation:SecretRotation"
    by_it = made(rotation, "r", secretId=(password,), rotationLambdaArn=(function,))
    by_another = made(rotation, "r", secretId=(password,), rotationLambdaArn=(another,))
    stack = [secret, role, function, allowed, password]
    assert found("secrets-rotated", *stack, by_it) == []
    refused = [(Kind.VIOLATION, "secret")]
    assert found("secrets-rotated", *stack, another, by_another) == refused
    reads = rotating("rate(1 day)", "secretsmanager:GetSecretValue")[-1]
    assert found("secrets-rotated", secret, role, function, reads, password, by_it) == refused


@pytest.mark.parametrize("value", ["none", "password", "", None, False, ["none"]])
def test_only_a_secret_that_says_so_holds_no_credential(value: Any) -> None:
    secret = made(SECRET, "secret", name="app/wish", tags={"pgkeep:credential": value})
    refused = [] if value == "none" else [(Kind.VIOLATION, "secret")]
    assert found("secrets-rotated", secret) == refused


@pytest.mark.parametrize("tags", [UNKNOWN, {"pgkeep:credential": UNKNOWN}])
def test_a_tag_that_is_not_known_yet_is_noted(tags: Any) -> None:
    assert found("secrets-rotated", made(SECRET, "s", tags=tags)) == [(Kind.NOT_VERIFIED, "s")]


def test_a_policy_that_is_not_known_yet_is_noted() -> None:
    unknown = rotating("rate(1 day)", policy="unknown")
    assert found("secrets-rotated", *unknown) == [(Kind.NOT_VERIFIED, "secret")]
    applied = found("secrets-rotated", *unknown, phase=Phase.APPLY)
    assert applied == [(Kind.VIOLATION, "secret")]


def test_log_targets_and_copies_need_no_lock_or_replica_of_their_own() -> None:
    data, logs = made(BUCKET, "data", bucket="data"), made(BUCKET, "logs", bucket="logs")
    copies = made(BUCKET, "copies", bucket="copies")
    logging = made("aws:s3/bucketLogging:BucketLogging", "l", bucket="data", targetBucket="logs")
    copying = made(
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        "r",
        bucket="data",
        rules=[{"status": "Enabled", "destination": {"bucket": "arn:aws:s3:::copies"}}],
    )
    stack = [data, logs, copies, logging, copying]
    assert found("s3-replicated", *stack) == []
    assert found("s3-replicated", data, logs, logging) == [(Kind.VIOLATION, "data")]
    assert [urn for _, urn in found("s3-object-lock", *stack)] == ["data", "copies"]
    assert [urn for _, urn in found("s3-notifies", *stack)] == ["data"]
    assert [urn for _, urn in found("s3-access-logged", *stack)] == ["copies"]


def test_links_follow_names_arns_and_dependencies_never_logical_names() -> None:
    bucket = made(BUCKET, "logical", bucket="physical")
    kinds = (BUCKET,)
    for value, linked in (
        (["physical"], True),
        ([{"deep": "arn:aws:s3:::physical/*"}], True),
        (["logical"], False),
        (["arn:aws:s3:::logical"], False),
        (["physical-logs"], False),
        (None, False),
    ):
        user = made("aws:x/y:Y", "user", refers=value)
        assert bool(targets(Stack([bucket, user]), user, "refers", kinds).found) == linked
    later = made("aws:x/y:Y", "later", refers=(bucket,))
    stack = Stack([bucket, later])
    assert sources(stack, bucket, ("aws:x/y:Y",), "refers").found == (later,)
    unknown = made("aws:x/y:Y", "unknown", refers=UNKNOWN)
    assert targets(Stack([bucket, unknown]), unknown, "refers", kinds).undecided
    # Made of an output of the bucket, but a known text that names something else.
    suffixed = Resource.of(
        type="aws:x/y:Y",
        name="suffixed",
        properties={"refers": "physical-logs"},
        property_dependencies={"refers": [bucket.urn]},
    )
    assert not targets(Stack([bucket, suffixed]), suffixed, "refers", kinds).found


@pytest.mark.parametrize(
    ("family", "name", "good", "bad"),
    [
        ("mysql8.4", "require_secure_transport", ["1", 1, "ON"], ["0", "OFF", None, []]),
        ("mariadb11.4", "require_secure_transport", ["1"], ["0", 0, ""]),
        ("sqlserver-se-16.0", "rds.force_ssl", ["1", 1], ["0", "", "on"]),
        ("db2-ae-11.5", "DB2COMM", ["SSL", "ssl"], ["TCPIP", "0", "SSL,TCPIP"]),
    ],
)
def test_other_engines_require_tls(family: str, name: str, good: list[Any], bad: list[Any]) -> None:
    rule = "rds-ssl-other-engines"

    def outcome(*parameters: dict[str, Any]) -> list[tuple[Kind, str]]:
        kind = "aws:rds/parameterGroup:ParameterGroup"
        group = made(kind, "group", name="g", family=family, parameters=list(parameters))
        database = made("aws:rds/instance:Instance", "db", parameterGroupName=(group,))
        return found(rule, group, database)

    other = {"name": "max_connections", "value": "100"}
    for value in good:
        assert outcome(other, {"name": name, "value": value}) == []
    for value in bad:
        assert outcome({"name": name, "value": value}, other) == [(Kind.VIOLATION, "db")]
    assert outcome(other) == [(Kind.VIOLATION, "db")]
    assert outcome({"name": name, "value": UNKNOWN}) == [(Kind.NOT_VERIFIED, "db")]
    assert outcome({"name": UNKNOWN, "value": "1"}) == [(Kind.NOT_VERIFIED, "db")]
