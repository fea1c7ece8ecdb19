"""What Pulumi refuses to delete and what it leaves behind; renamed resources keep their place."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pulumi
import pytest

from components.protection import PROTECTED, RETAINED, deletion_notice
from components.renames import FORMER, Former, keep_renamed
from stacks.settings import load
from tests.unit.conftest import Deployed
from tests.unit.recorder import Recorder, deploy, raw_settings

KEYS = {"keys-database", "keys-backups", "keys-manifests", "keys-secrets", "keys-telemetry"}
SECRETS = {
    "master-credentials-secret",
    "pooler-certificates-authority",
    "pooler-certificates-server",
    "roles-app",
    "roles-backup",
    "roles-migrator",
    "roles-pooler-users",
    "roles-readonly",
}


# What the policies say of a stack whose protection is given up.
UNLOCKING = ("rds-deletion-protected", "rds-stateful-protected", "lb-deletion-protected")


@pytest.mark.parametrize("guarded", ["staging", "prod"])
def test_what_holds_or_unlocks_data_is_protected(deployed: Deployed, guarded: str) -> None:
    recorder = deployed(guarded)
    buckets = set(recorder.of_type("aws:s3/bucket:Bucket"))
    replicas = set(recorder.of_type("aws:kms/replicaKey:ReplicaKey"))
    assert replicas == ({"keys-manifests-replica"} if guarded == "prod" else set())
    keys = set(recorder.of_type("aws:kms/key:Key")) | replicas
    secrets = set(recorder.of_type("aws:secretsmanager/secret:Secret"))
    assert buckets >= {"backups-bucket"}
    assert keys >= KEYS
    assert secrets >= SECRETS
    logs = {"database-log-postgresql", "database-log-upgrade"}
    assert recorder.protected == {"database-instance"} | buckets | keys | secrets | logs


@pytest.mark.parametrize("guarded", ["staging", "prod"])
def test_what_a_destroyed_stack_leaves(deployed: Deployed, guarded: str) -> None:
    recorder = deployed(guarded)
    storage = {name for name, (type_, _) in recorder.resources.items() if "aws:s3/" in type_}
    assert storage >= {"backups-bucket", "backups-policy", "backups-records-inventory"}
    elsewhere = set[str]()
    if guarded == "prod":
        elsewhere = {
            "backups-copies-key",
            "database-key-backup-replication",
            "keys-manifests-replica",
        }
    logs = set(recorder.of_type("aws:cloudwatch/logGroup:LogGroup"))
    assert logs >= {"database-log-postgresql", "backup-log", "pooler-log", "flow-logs-log"}
    keys = {"keys-backups", "keys-database", "keys-manifests", "keys-telemetry"}
    assert recorder.retained == storage | keys | logs | elsewhere


@pytest.mark.parametrize("disposable", ["local", "dev"])
def test_nothing_is_kept_of_disposable_stacks(deployed: Deployed, disposable: str) -> None:
    assert deployed(disposable).protected == set()
    # The worker's files are locked like every object in the bucket, and go with it.
    files = set(deployed(disposable).of_type("aws:s3/bucketObject:BucketObject"))
    assert deployed(disposable).retained == files


def test_a_guarded_stack_can_be_unlocked_in_one_step() -> None:
    raw = copy.deepcopy(raw_settings("staging"))
    raw.setdefault("database", {})["deletion_protection"] = False
    reason = "the stack is to be destroyed, see the ticket"
    raw["stated_exceptions"] = [{"field": "database.deletion_protection", "reason": reason}]
    raw["policy_exemptions"] = [
        {
            "rule": rule,
            "resource": "aws:rds/instance:Instance::database-instance",
            "reason": reason,
            "owner": "platform@example.com",
            "expires": "2026-12-31",
        }
        for rule in UNLOCKING
    ]
    recorder = deploy(load(raw, "staging"))
    assert recorder.protected == set()
    # Its snapshot and its backups still need their keys.
    assert recorder.retained >= {"keys-backups", "keys-database", "backups-bucket"}


def test_every_entry_says_why_and_meets_a_resource() -> None:
    raw = copy.deepcopy(raw_settings("prod"))
    raw["backups"]["aws_backup"] = {"region": "eu-central-1"}  # Off in every environment.
    resources = deploy(load(raw, "prod")).resources
    for guarded in (*PROTECTED, *(entry for entry, _ in RETAINED)):
        assert guarded.reason
        assert any(guarded.covers(type_, name) for name, (type_, _) in resources.items()), guarded


class Parent(pulumi.ComponentResource):
    """A component with one child under another name than before."""

    def __init__(self, child_name: str, transform: pulumi.ResourceTransformation) -> None:
        options = pulumi.ResourceOptions(transformations=[transform])
        super().__init__("test:index:Parent", "parent", None, options)
        self.child = pulumi.ComponentResource(
            "test:index:Child", child_name, None, pulumi.ResourceOptions(parent=self)
        )


def test_a_renamed_resource_is_known_by_its_former_urn() -> None:
    former = {("test:index:Child", "new"): (Former("old"), Former("older", "test:index:Kid"))}
    seen: dict[str, list[str]] = {}

    def run(child_name: str, transform: pulumi.ResourceTransformation) -> str:
        asyncio.set_event_loop(asyncio.new_event_loop())
        pulumi.runtime.set_mocks(Recorder(), project="pgkeep", stack="dev", preview=True)

        @pulumi.runtime.test
        def program() -> pulumi.Output[None]:
            child = Parent(child_name, transform).child

            def keep(values: list[str]) -> None:
                seen[child_name] = values

            aliases = child._aliases  # pyright: ignore[reportPrivateUsage]
            return pulumi.Output.all(child.urn, *aliases).apply(keep)

        program()
        return seen[child_name][0]

    old_urn = run("old", lambda _: None)
    new_urn = run("new", keep_renamed(former))
    assert new_urn.endswith("$test:index:Child::new")
    # The mock engine leaves the stack out of the types of a parent's URN.
    place = old_urn.split("::", 2)[2]
    assert [alias.split("::", 2)[2] for alias in seen["new"][1:]] == [
        f"pulumi:pulumi:Stack${place}",
        f"pulumi:pulumi:Stack${place}".replace("Child::old", "Kid::older"),
    ]


def test_every_renamed_resource_is_there(deployed: Deployed) -> None:
    recorder = deployed("prod")
    there = {(type_, name) for name, (type_, _) in recorder.resources.items()}
    assert set(FORMER) <= there | set(recorder.components)


UNLOCKED: dict[str, Any] = {
    "stated_exceptions": [
        {"field": "database.deletion_protection", "reason": "the stack moves to another account"}
    ],
    "policy_exemptions": [
        {
            "rule": rule,
            "resource": "*",
            "reason": "it moves",
            "owner": "platform",
            "expires": "2099-01-01",
        }
        for rule in UNLOCKING
    ],
}


def test_an_unlocked_stack_says_what_a_deletion_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    warned: list[str] = []

    def warn(message: str, *_: object, **__: object) -> None:
        warned.append(message)

    monkeypatch.setattr(pulumi.log, "warn", warn)
    raw: dict[str, Any] = {**raw_settings("prod"), **UNLOCKED}
    raw["database"]["deletion_protection"] = False
    deploy(load(raw, "prod"), Recorder())
    (notice,) = [message for message in warned if "deletion_protection" in message]
    assert notice == deletion_notice(load(raw, "prod"))
    assert (
        "`pulumi destroy` ends the database. In AWS remain: a final snapshot, automated backups of "
        "30 days, the database's key, the backup bucket, the logs." in notice
    )


@pytest.mark.parametrize("environment", ["local", "dev", "staging", "prod"])
def test_nothing_is_said_of_guarded_and_of_disposable_stacks(environment: str) -> None:
    assert deletion_notice(load(raw_settings(environment), environment)) is None


def test_a_disposable_stack_that_keeps_something_says_so() -> None:
    raw = raw_settings("local")
    raw["database"] |= {"keep_automated_backups": True, "keep_kms_key": True}
    notice = deletion_notice(load(raw, "local"))
    assert notice is not None
    assert "In AWS remain: automated backups of 1 day, the database's key. To guard" in notice
