"""What stands around a database: its group, its replicas, its snapshots, its second backups."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from policies.rules import Phase
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, found, kinds, made, told, verdicts

INSTANCE, CLUSTER = "aws:rds/instance:Instance", "aws:rds/cluster:Cluster"
GROUP, CLUSTER_GROUP = (
    "aws:rds/parameterGroup:ParameterGroup",
    "aws:rds/clusterParameterGroup:ClusterParameterGroup",
)
SELECTION = "aws:backup/selection:Selection"
REPLICATION = "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"
PORT, FAMILY = "rds-other-port", "rds-own-parameter-group"
ELSEWHERE, LIKE_SOURCE = "rds-backed-up-elsewhere", "rds-replica-like-source"
FAR, HERE = "arn:aws:rds:b:1:db:far", "arn:aws:rds:a:1:db:replica"
SNAPSHOTS = "rds-snapshots-encrypted"


def instance(name: str = "db", **properties: Any) -> Resource:
    return made(INSTANCE, name, **{"identifier": name, **properties})


def placed(name: str, arn: str, **properties: Any) -> Resource:
    """An instance that AWS has given its ARN."""
    return Resource.of(type=INSTANCE, name=name, properties=properties, outputs={"arn": arn})


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"port": 5433}, []),
        ({"port": 5432}, [REFUSAL]),
        ({}, [REFUSAL]),
        ({"port": "x"}, [REFUSAL]),
        ({"port": UNKNOWN}, [NOTE]),
        ({"engine": UNKNOWN, "port": 5432}, [NOTE]),
        ({"engine": "Oracle-ee", "port": 5432}, []),
        ({"engine": "oracle-ee", "port": 1521}, [REFUSAL]),
        ({"engine": "aurora-mysql", "port": 3306}, [REFUSAL]),
        ({"replicateSourceDb": "main"}, []),
    ],
    ids=str,
)
def test_the_port_is_not_the_engine_s(properties: dict[str, Any], expected: list[Kind]) -> None:
    assert kinds(PORT, instance(**properties)) == expected


@pytest.mark.parametrize(
    ("version", "family", "expected"),
    [
        ("17.4", "postgres17", []),
        ("17", "postgres17", []),
        ("17.4", "postgres16", [(REFUSAL, "db")]),
        ("9.6.24", "postgres9.6", []),
        ("9.5.24", "postgres9.6", [(REFUSAL, "db")]),
        (None, "postgres17", []),
        (17, "postgres17", []),
        ("17.4", 17, []),
        ("17.4", UNKNOWN, [(NOTE, "group")]),
        (UNKNOWN, "postgres17", [(NOTE, "db")]),
        (UNKNOWN, UNKNOWN, [(NOTE, "group")]),
    ],
    ids=str,
)
def test_the_group_fits_the_version(
    version: Any, family: Any, expected: list[tuple[Kind, str]]
) -> None:
    group = made(GROUP, "group", name="mine", family=family)
    database = instance(engineVersion=version, parameterGroupName="mine")
    assert found(FAMILY, group, database) == expected
    other = instance(engineVersion=version, parameterGroupName="mine", engine="mysql")
    assert found(FAMILY, group, other) == []
    cluster_group = made(CLUSTER_GROUP, "group", name="mine", family=family)
    cluster = made(CLUSTER, "db", engineVersion=version, dbClusterParameterGroupName="mine")
    assert found(FAMILY, cluster_group, cluster) == expected


@pytest.mark.parametrize(
    ("source", "replica", "expected"),
    [
        # RDS upgrades a replica with its source; the engine still shows the version of before.
        ({"engineVersion": "17"}, {"engineVersion": "16.14"}, []),
        ({"engineVersion": "16"}, {"engineVersion": "17.4"}, ["db", "replica"]),
        ({"engineVersion": "17"}, {"engineVersion": "16", "replicateSourceDb": FAR}, ["replica"]),
        ({"engineVersion": "17"}, {"engineVersion": "16", "replicateSourceDb": "x"}, ["replica"]),
        (
            {"engineVersion": "17"},
            {"engineVersion": "16", "replicateSourceDb": UNKNOWN},
            ["replica"],
        ),
    ],
    ids=str,
)
def test_a_replica_has_its_source_s_version(
    source: dict[str, Any], replica: dict[str, Any], expected: list[str]
) -> None:
    group = made(GROUP, "group", name="mine", family="postgres17")
    mine = {"parameterGroupName": "mine"}
    judged = found(
        FAMILY,
        group,
        instance(**mine, **source),
        placed("far", FAR, engineVersion="17"),
        placed("replica", HERE, **{**mine, "replicateSourceDb": "db", **replica}),
    )
    assert judged == [(REFUSAL, name) for name in expected]


@pytest.mark.parametrize(
    ("name", "expected"),
    [(None, []), ("", []), ("other", []), (UNKNOWN, [NOTE]), ("default.postgres17", [REFUSAL])],
)
def test_the_group_is_one_s_own(name: Any, expected: list[Kind]) -> None:
    assert kinds(FAMILY, instance(engineVersion="17", parameterGroupName=name)) == expected


@pytest.mark.parametrize(
    ("selection", "tags", "expected"),
    [
        ({}, None, [REFUSAL]),
        ({"resources": ["arn:aws:rds:eu-west-1:1:db:db"]}, None, []),
        ({"resources": ["arn:aws:rds:*:*:db:*"]}, None, []),
        ({"resources": ["arn:aws-cn:rds:*:*:db:d*"]}, None, []),
        ({"resources": "*"}, None, []),
        ({"resources": ["arn:aws:rds:*:*:cluster:*"]}, None, [REFUSAL]),
        ({"resources": ["arn:aws:rds:*:*:db:e*"]}, None, [REFUSAL]),
        ({"resources": [5]}, None, [REFUSAL]),
        ({"resources": UNKNOWN}, None, [NOTE]),
        ({"resources": [UNKNOWN, "*"]}, None, []),
        ({"selectionTags": [{"key": "k", "value": "v"}]}, {"k": "v"}, []),
        ({"selectionTags": {"key": "aws:ResourceTag/k", "value": "v"}}, {"k": "v"}, []),
        ({"selectionTags": [{"key": "k", "value": "v"}]}, {"k": "w"}, [REFUSAL]),
        ({"selectionTags": [{"key": "k", "value": "v"}]}, None, [REFUSAL]),
        ({"selectionTags": [{"key": "k"}]}, None, [REFUSAL]),
        ({"selectionTags": [{"key": 5, "value": "v"}]}, {"k": "v"}, [REFUSAL]),
        ({"selectionTags": ["k"]}, {"k": "v"}, [REFUSAL]),
        ({"selectionTags": [{"key": "k", "value": UNKNOWN}]}, {"k": "v"}, [NOTE]),
        ({"selectionTags": [{"key": "k", "value": "v"}]}, UNKNOWN, [NOTE]),
    ],
    ids=str,
)
def test_a_selection_takes_a_database(
    selection: dict[str, Any], tags: Any, expected: list[Kind]
) -> None:
    database = instance(tags=tags)
    assert kinds(ELSEWHERE, database, made(SELECTION, "s", **selection)) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("arn:aws:rds:*:*:cluster:*", []),
        ("arn:aws:rds:*:*:cluster:m*", []),
        ("arn:aws:rds:*:*:cluster:d*", [REFUSAL]),
        ("arn:aws:rds:*:*:db:*", [REFUSAL]),
    ],
)
def test_a_selection_takes_a_cluster(pattern: str, expected: list[Kind]) -> None:
    cluster = made(CLUSTER, "db", clusterIdentifier="main", identifier="db")
    assert kinds(ELSEWHERE, cluster, made(SELECTION, "s", resources=[pattern])) == expected


def test_a_pattern_is_compared_with_the_logical_name_where_aws_makes_the_name() -> None:
    database = made(INSTANCE, "made-up")
    assert kinds(ELSEWHERE, database, made(SELECTION, "s", resources=["*:db:made-*"])) == []


def test_copies_in_another_region() -> None:
    arn = "arn:aws:rds:eu-west-1:1:db:"
    database, replica = instance(), instance("replica", replicateSourceDb="db")
    assert found(ELSEWHERE, database, replica) == [(REFUSAL, "db")]
    assert found(ELSEWHERE, database, made(REPLICATION, "r", sourceDbInstanceArn=f"{arn}db")) == []
    for name, expected in ((f"{arn}other", REFUSAL), (UNKNOWN, NOTE)):
        copying = made(REPLICATION, "r", sourceDbInstanceArn=name)
        assert found(ELSEWHERE, database, copying) == [(expected, "db")]


@pytest.mark.parametrize(
    ("replica", "source", "expected"),
    [
        ({}, {}, []),
        ({"availabilityZone": None}, {}, [REFUSAL]),
        ({"availabilityZone": ""}, {}, [REFUSAL]),
        ({"availabilityZone": 5}, {}, [REFUSAL]),
        ({"availabilityZone": "a"}, {"availabilityZone": "a"}, [REFUSAL]),
        ({"availabilityZone": "a"}, {"availabilityZone": "b"}, []),
        ({"availabilityZone": UNKNOWN}, {}, [NOTE]),
        ({"availabilityZone": "a"}, {"availabilityZone": UNKNOWN}, [NOTE]),
        # One that stands in two zones cannot name one.
        ({"availabilityZone": None, "multiAz": True}, {}, []),
        ({"availabilityZone": None, "multiAz": False}, {}, [REFUSAL]),
        ({"availabilityZone": None, "multiAz": UNKNOWN}, {}, [NOTE]),
        # Another region's zones are others anyway.
        ({"availabilityZone": None, "region": "eu-west-2"}, {}, []),
        ({"storageEncrypted": True}, {}, []),
        ({"storageEncrypted": False}, {}, [REFUSAL]),
        ({"storageEncrypted": UNKNOWN}, {}, [NOTE]),
        ({"storageEncrypted": "x"}, {}, []),
        ({}, {"copyTagsToSnapshot": True}, [REFUSAL]),
        ({"copyTagsToSnapshot": False}, {"copyTagsToSnapshot": True}, [REFUSAL]),
        ({"copyTagsToSnapshot": UNKNOWN}, {"copyTagsToSnapshot": True}, [NOTE]),
        ({"copyTagsToSnapshot": True}, {"copyTagsToSnapshot": True}, []),
        ({"copyTagsToSnapshot": UNKNOWN}, {"copyTagsToSnapshot": False}, []),
        ({"logs": ["a", "b"]}, {"logs": ["a"]}, []),
        ({"logs": ["b"]}, {"logs": ["a"]}, [REFUSAL]),
        ({"logs": ["b", 5]}, {"logs": ["a", 5]}, [REFUSAL]),
        ({"logs": [UNKNOWN]}, {"logs": ["a"]}, [NOTE]),
        ({"logs": UNKNOWN}, {"logs": ["a"]}, [NOTE]),
        ({"logs": ["a"]}, {"logs": ["a", UNKNOWN]}, [NOTE]),
        ({"logs": [UNKNOWN]}, {"logs": []}, []),
        ({"replicateSourceDb": "elsewhere", "storageEncrypted": False}, {}, []),
        ({"replicateSourceDb": UNKNOWN, "storageEncrypted": False}, {}, [NOTE]),
    ],
    ids=str,
)
def test_a_replica_is_like_its_source(
    replica: dict[str, Any], source: dict[str, Any], expected: list[Kind]
) -> None:
    def named(properties: dict[str, Any]) -> dict[str, Any]:
        logs = {"enabledCloudwatchLogsExports": properties.get("logs")}
        return {**{key: one for key, one in properties.items() if key != "logs"}, **logs}

    whole = {"availabilityZone": "a", "replicateSourceDb": "db", **replica}
    judged = found(LIKE_SOURCE, instance(**named(source)), instance("replica", **named(whole)))
    assert judged == [(one, "replica") for one in expected]


def test_what_differs_is_said() -> None:
    source = instance(availabilityZone="a")
    replica = instance("replica", replicateSourceDb="db", availabilityZone="a")
    (verdict,) = verdicts(LIKE_SOURCE, source, replica)
    assert "is in a as its source" in verdict.message


@pytest.mark.parametrize(
    ("kind", "properties", "expected"),
    [
        ("snapshot:Snapshot", {}, [NOTE]),
        ("snapshot:Snapshot", {"storageEncrypted": True}, [NOTE]),
        ("clusterSnapshot:ClusterSnapshot", {}, [NOTE]),
        ("clusterSnapshot:ClusterSnapshot", {"encrypted": True}, [NOTE]),
        ("clusterSnapshot:ClusterSnapshot", {"storageEncrypted": True}, []),
        ("snapshot:Snapshot", {"encrypted": True}, []),
        ("snapshot:Snapshot", {"encrypted": False}, [REFUSAL]),
        ("snapshot:Snapshot", {"encrypted": "x"}, [REFUSAL]),
        ("snapshot:Snapshot", {"encrypted": UNKNOWN}, [NOTE]),
        ("clusterSnapshot:ClusterSnapshot", {"storageEncrypted": False}, [REFUSAL]),
        ("snapshotCopy:SnapshotCopy", {}, [REFUSAL]),
        ("snapshotCopy:SnapshotCopy", {"kmsKeyId": ""}, [REFUSAL]),
        ("snapshotCopy:SnapshotCopy", {"kmsKeyId": "arn"}, []),
        ("snapshotCopy:SnapshotCopy", {"kmsKeyId": UNKNOWN}, [NOTE]),
        ("clusterSnapshotCopy:ClusterSnapshotCopy", {}, [REFUSAL]),
    ],
    ids=str,
)
def test_snapshots_are_encrypted(
    kind: str, properties: dict[str, Any], expected: list[Kind]
) -> None:
    assert kinds(SNAPSHOTS, made(f"aws:rds/{kind}", "s", **properties)) == expected


@pytest.mark.parametrize(
    ("kind", "property_name", "source", "identity"),
    [
        ("snapshot:Snapshot", "dbInstanceIdentifier", INSTANCE, "identifier"),
        ("clusterSnapshot:ClusterSnapshot", "dbClusterIdentifier", CLUSTER, "clusterIdentifier"),
    ],
)
def test_snapshots_of_what_is_not_encrypted(
    kind: str, property_name: str, source: str, identity: str
) -> None:
    snapshot = made(f"aws:rds/{kind}", "s", **{property_name: "main"})

    def judged(**properties: Any) -> list[tuple[Kind, str]]:
        return found(SNAPSHOTS, snapshot, made(source, "db", **{identity: "main", **properties}))

    assert judged(storageEncrypted=True) == []
    assert judged() == judged(storageEncrypted=False) == [(REFUSAL, "s")]
    assert judged(storageEncrypted=UNKNOWN) == [(NOTE, "db")]
    # A replica has its source's encryption.
    assert judged(replicateSourceDb="x") == []
    assert judged(**{identity: "other"}) == [(NOTE, "s")]


@pytest.mark.parametrize("phase", [Phase.STATE, Phase.APPLY])
def test_what_exists_says_whether_it_is_encrypted(phase: Phase) -> None:
    """Without the database in the stack nothing else says it of a snapshot that was taken."""
    snapshot = made("aws:rds/clusterSnapshot:ClusterSnapshot", "s", dbClusterIdentifier="main")
    said = told(SNAPSHOTS, snapshot, phase=phase)
    assert len(said) == 1
    assert "has no storageEncrypted, and its database is not in this stack" in said[0]
    encrypted = made("aws:rds/snapshot:Snapshot", "s", dbInstanceIdentifier="a", encrypted=True)
    assert told(SNAPSHOTS, encrypted, phase=phase) == []
    # A program cannot set it: AWS alone says so.
    kind = "aws:rds/snapshot:Snapshot"
    made_by_aws = Resource.of(type=kind, name="s", properties={}, outputs={"encrypted": True})
    assert told(SNAPSHOTS, made_by_aws, phase=phase) == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ([{"name": "rds.force_ssl", "value": "1"}], []),
        (["x", {"name": "rds.force_ssl", "value": "1"}], [REFUSAL]),
        ([UNKNOWN, {"name": "rds.force_ssl", "value": "1"}], []),
        ([UNKNOWN], [NOTE]),
    ],
    ids=str,
)
def test_an_entry_that_is_no_parameter(parameters: Any, expected: list[Kind]) -> None:
    group = made(GROUP, "group", family="postgres17", parameters=parameters)
    assert kinds("rds-ssl-enforced", group) == expected


@pytest.mark.parametrize(
    ("engine", "family", "expected"),
    [
        (None, "mysql8.0", []),
        ("", "mysql8.0", []),
        ("postgres", "mysql8.0", [(REFUSAL, "db")]),
        (None, 5, [(REFUSAL, "group")]),
        (None, "postgres17", [(REFUSAL, "group")]),
    ],
)
def test_a_silent_engine_is_its_group_s(
    engine: Any, family: Any, expected: list[tuple[Kind, str]]
) -> None:
    group = made(GROUP, "group", name="mine", family=family)
    database = instance(engine=engine, parameterGroupName="mine")
    assert found("rds-ssl-enforced", group, database) == expected


def test_a_global_cluster_may_have_the_encryption_of_its_source() -> None:
    rule, source = "rds-storage-encrypted", {"sourceDbClusterIdentifier": "arn"}
    kind = "aws:rds/globalCluster:GlobalCluster"
    assert kinds(rule, made(kind, "g")) == [REFUSAL]
    assert kinds(rule, made(kind, "g", storageEncrypted=True)) == []
    assert kinds(rule, made(kind, "g", **source)) == []
    assert kinds(rule, made(CLUSTER, "c", **source)) == [REFUSAL]


def test_a_serverless_cluster_is_encrypted_unless_it_says_no() -> None:
    rule = "rds-storage-encrypted"
    assert kinds(rule, made(CLUSTER, "c", engineMode="serverless")) == []
    assert kinds(rule, made(CLUSTER, "c", engineMode="serverless", storageEncrypted=False)) == [
        REFUSAL
    ]
    for mode in ("provisioned", None, UNKNOWN):
        assert kinds(rule, made(CLUSTER, "c", engineMode=mode)) == [REFUSAL]
    assert kinds(rule, made(INSTANCE, "i", engineMode="serverless")) == [REFUSAL]
