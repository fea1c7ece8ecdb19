"""What an AWS Backup selection takes: by name, pattern, tag and condition."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from tests.policies.one_rule import NOTED, REFUSED, UNKNOWN, kinds, made

DATABASES, FILES = "rds-backed-up-elsewhere", "backup-file-systems"
SYSTEM = "aws:efs/fileSystem:FileSystem"
OWN_POLICY = "aws:efs/backupPolicy:BackupPolicy"
REPLICATION = "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication"
ARN = "arn:aws:rds:eu-west-1:1:db:main"
TAGGED = {"type": "STRINGEQUALS", "key": "backup", "value": "yes"}


def database(tags: Any = None, arn: str = "", everybodys: Any = None, **more: Any) -> Resource:
    outputs = {"arn": arn, "tagsAll": everybodys}
    return Resource.of(
        type="aws:rds/instance:Instance",
        name="db",
        properties={"identifier": "main", "tags": tags, **more},
        outputs={key: value for key, value in outputs.items() if value},
    )


def selection(**properties: Any) -> Resource:
    return made("aws:backup/selection:Selection", "s", **properties)


def condition(kind: str, value: Any = "yes", key: Any = "aws:ResourceTag/backup") -> dict[str, Any]:
    return {kind: [{"key": key, "value": value}]}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, REFUSED),
        ({"resources": [ARN]}, []),
        ({"resources": ["*"]}, []),
        ({"resources": ["arn:aws:rds:*:*:db:*"]}, []),
        ({"resources": ["arn:aws:rds:eu-west-1:1:db:*"]}, []),
        ({"resources": ["arn:aws-cn:rds:cn-north-1:1:db:ma*"]}, []),
        ({"resources": [5, "arn:aws:rds:*:*:db:m?in"]}, []),
        ({"resources": ["arn:aws:rds:*:*:cluster:*"]}, REFUSED),
        ({"resources": ["arn:aws:rds:*:*:db:other"]}, REFUSED),
        ({"resources": ["arn:aws:rds"]}, REFUSED),
        ({"resources": UNKNOWN}, NOTED),
        ({"resources": ["*"], "notResources": ["arn:aws:rds:*:*:db:other"]}, []),
        ({"resources": ["*"], "notResources": ["arn:aws:rds:*:*:db:*"]}, REFUSED),
        ({"resources": ["*"], "notResources": UNKNOWN}, NOTED),
        ({"resources": ["*"], "notResources": ["arn:aws:rds:*:*:db:main", UNKNOWN]}, REFUSED),
        ({"notResources": UNKNOWN}, REFUSED),
        ({"selectionTags": [TAGGED]}, []),
        ({"selectionTags": [{**TAGGED, "key": "aws:ResourceTag/backup"}]}, []),
        ({"selectionTags": [{**TAGGED, "value": "no"}, TAGGED]}, []),
        ({"selectionTags": [{**TAGGED, "value": "no"}]}, REFUSED),
        ({"selectionTags": [{**TAGGED, "key": "other"}]}, REFUSED),
        ({"selectionTags": [{**TAGGED, "value": "y*"}]}, REFUSED),
        ({"selectionTags": [{**TAGGED, "value": "YES"}]}, REFUSED),
        ({"selectionTags": [{**TAGGED, "key": 5}]}, REFUSED),
        ({"selectionTags": [{**TAGGED, "value": None}]}, REFUSED),
        ({"selectionTags": [{**TAGGED, "key": "other", "value": None}]}, REFUSED),
        ({"selectionTags": ["backup"]}, REFUSED),
        ({"selectionTags": [{**TAGGED, "value": UNKNOWN}]}, NOTED),
        ({"selectionTags": [TAGGED], "notResources": ["*"]}, REFUSED),
        ({"resources": ["*"], "conditions": [condition("stringEquals")]}, []),
        ({"resources": ["*"], "conditions": condition("stringEquals")}, []),
        ({"resources": ["*"], "conditions": []}, []),
        ({"resources": ["*"], "conditions": {}}, []),
        ({"resources": ["*"], "conditions": ["x"]}, REFUSED),
        ({"resources": ["*"], "conditions": [{"stringEquals": ["x"]}]}, REFUSED),
        ({"resources": ["*"], "conditions": [{"stringEquals": []}]}, []),
        ({"resources": ["*"], "conditions": [condition("stringLike")]}, REFUSED),
        ({"resources": ["*"], "conditions": [condition("stringNotEquals", key=5)]}, REFUSED),
        ({"resources": ["*"], "conditions": [condition("stringNotLikes", None)]}, REFUSED),
        ({"resources": ["*"], "conditions": [condition("stringEquals", "YES")]}, REFUSED),
        ({"resources": ["*"], "conditions": [condition("stringEquals", "y*")]}, REFUSED),
        ({"resources": ["*"], "conditions": [condition("stringLikes", "Y*")]}, REFUSED),
        ({"resources": ["*"], "conditions": [condition("stringLikes", "?es")]}, REFUSED),
        ({"resources": ["*"], "conditions": [condition("stringLikes", "*e*")]}, []),
        ({"resources": ["*"], "conditions": [condition("stringNotEquals", "y*")]}, []),
        ({"resources": ["*"], "conditions": [condition("stringEquals", "no")]}, REFUSED),
        ({"resources": ["*"], "conditions": [condition("stringLikes", "y*")]}, []),
        ({"resources": ["*"], "conditions": [condition("stringLikes", "n*")]}, REFUSED),
        ({"resources": ["*"], "conditions": [condition("stringNotEquals")]}, REFUSED),
        ({"resources": ["*"], "conditions": [condition("stringNotEquals", "no")]}, []),
        ({"resources": ["*"], "conditions": [condition("stringNotLikes", "*")]}, REFUSED),
        (
            {
                "resources": ["*"],
                "conditions": [condition("stringEquals"), condition("stringEquals", "no")],
            },
            REFUSED,
        ),
        ({"resources": ["*"], "conditions": [condition("stringEquals", UNKNOWN)]}, NOTED),
    ],
    ids=str,
)
def test_a_selection_takes_databases(properties: Any, expected: list[Kind]) -> None:
    assert kinds(DATABASES, database({"backup": "yes"}), selection(**properties)) == expected


def test_tags_may_be_unknown_or_the_provider_s() -> None:
    by_tag = selection(selectionTags=[TAGGED])
    assert kinds(DATABASES, database(UNKNOWN), by_tag) == NOTED
    assert kinds(DATABASES, database({"backup": UNKNOWN}), by_tag) == NOTED
    assert kinds(DATABASES, database(), by_tag) == REFUSED
    assert kinds(DATABASES, database("yes"), by_tag) == REFUSED
    assert kinds(DATABASES, database(everybodys={"backup": "yes"}), by_tag) == []
    assert kinds(DATABASES, database(everybodys=UNKNOWN), by_tag) == NOTED
    not_that = selection(resources=["*"], conditions=[condition("stringNotEquals")])
    assert kinds(DATABASES, database(everybodys=UNKNOWN), not_that) == NOTED
    own = database({"backup": "no"}, everybodys={"backup": "yes"})
    assert kinds(DATABASES, own, by_tag) == REFUSED
    narrowed = selection(resources=["*"], conditions=[condition("stringEquals")])
    assert kinds(DATABASES, database(UNKNOWN), narrowed) == NOTED
    # Another selection that certainly takes it is enough.
    whole = made("aws:backup/selection:Selection", "all", resources=["*"])
    assert kinds(DATABASES, database(UNKNOWN), narrowed, whole) == []


def test_one_that_is_named_must_fulfil_the_conditions_too_and_be_no_exception() -> None:
    one = database({"backup": "yes"})
    for more, expected in (
        ({}, []),
        ({"conditions": [condition("stringEquals")]}, []),
        ({"conditions": [condition("stringEquals", "no")]}, REFUSED),
        ({"conditions": [condition("stringEquals", UNKNOWN)]}, NOTED),
        ({"notResources": ["arn:aws:rds:*:*:db:main"]}, REFUSED),
        ({"notResources": [UNKNOWN]}, NOTED),
    ):
        assert kinds(DATABASES, one, selection(resources=(one,), **more)) == expected
    made_already = database(arn=ARN)
    assert kinds(DATABASES, made_already, selection(resources=(made_already,))) == []


def test_a_pattern_for_another_region_takes_nothing_whose_arn_is_known() -> None:
    for pattern, expected in (
        ("arn:aws:rds:eu-west-1:1:db:*", []),
        ("arn:aws:rds:us-east-1:1:db:*", REFUSED),
        (ARN, []),
        ("arn:aws:rds:us-east-1:1:db:main", REFUSED),
    ):
        chosen = selection(resources=[pattern])
        assert kinds(DATABASES, database(arn=ARN), chosen) == expected
        assert kinds(DATABASES, database(arn="main"), chosen) == []


def test_a_database_without_a_name_is_taken_by_the_pattern_of_all() -> None:
    unnamed = made("aws:rds/cluster:Cluster", "c", clusterIdentifier=UNKNOWN)
    for pattern, expected in (("cluster:*", []), ("db:*", REFUSED)):
        chosen = selection(resources=[f"arn:aws:rds:*:*:{pattern}"])
        assert kinds(DATABASES, unnamed, chosen) == expected


def test_replicated_backups_are_a_second_copy() -> None:
    one = database()
    assert kinds(DATABASES, one, made(REPLICATION, sourceDbInstanceArn=(one,))) == []
    assert kinds(DATABASES, one, made(REPLICATION, sourceDbInstanceArn=UNKNOWN)) == NOTED
    assert kinds(DATABASES, database(replicateSourceDb="x")) == []
    undecided = made(REPLICATION, sourceDbInstanceArn=UNKNOWN)
    assert kinds(DATABASES, one, undecided, selection(resources=["*"])) == []


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], REFUSED),
        ([selection(resources=["arn:aws:elasticfilesystem:eu-west-1:1:file-system/*"])], []),
        ([selection(resources=["arn:aws:elasticfilesystem:a:1:file-system/fs-2"])], REFUSED),
        ([selection(resources=["arn:aws:elasticfilesystem:a:1:file-system/fs-1"])], []),
        ([selection(resources=UNKNOWN)], NOTED),
        ([made(OWN_POLICY, fileSystemId="fs-1", backupPolicy={"status": "ENABLED"})], []),
        ([made(OWN_POLICY, fileSystemId="fs-1", backupPolicy={"status": "DISABLED"})], REFUSED),
        ([made(OWN_POLICY, fileSystemId="fs-1", backupPolicy="ENABLED")], []),
        ([made(OWN_POLICY, fileSystemId="fs-1")], REFUSED),
        ([made(OWN_POLICY, fileSystemId="fs-2", backupPolicy={"status": "ENABLED"})], REFUSED),
        ([made(OWN_POLICY, fileSystemId="fs-1", backupPolicy=UNKNOWN)], NOTED),
        ([made(OWN_POLICY, fileSystemId=UNKNOWN, backupPolicy={"status": "ENABLED"})], NOTED),
        (
            [
                made(OWN_POLICY, fileSystemId="fs-1", backupPolicy=UNKNOWN),
                selection(resources=["*"]),
            ],
            [],
        ),
    ],
)
def test_file_systems_are_backed_up(others: list[Resource], expected: list[Kind]) -> None:
    system = made(SYSTEM, "files", id="fs-1")
    assert kinds(FILES, system, *others) == expected
