"""Where the data comes from, how the version and the password are managed, how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.settings import load
from tests.unit.changed_settings import changed
from tests.unit.conftest import Deployed
from tests.unit.recorder import REGION, Recorder, deploy, settings
from tests.unit.test_network import tags

DATABASE_KEY = "arn:aws:kms:eu-west-1:123456789012:key/keys-database"
SOURCE_KEY = "arn:aws:kms:eu-west-1:123456789012:key/0123abcd-0123-0123-0123-0123456789ab"
BACKUPS = "arn:aws:rds:eu-west-1:123456789012:auto-backup:ab-0123456789abcdefghij"


def deployed_with(environment: str = "dev", /, **changes: Any) -> Recorder:
    return deploy(load(changed(environment, **changes), environment, REGION))


def differences(recorder: Recorder, usual: dict[str, Any]) -> dict[str, Any]:
    """What the primary has otherwise than `usual`; None for what it lacks."""
    found = recorder.inputs("database-instance")
    names = (found.keys() | usual.keys()) - {"passwordWo", "finalSnapshotIdentifier"}
    return {name: found.get(name) for name in names if found.get(name) != usual.get(name)}


@pytest.fixture
def usual(deployed: Deployed) -> dict[str, Any]:
    return deployed("dev").inputs("database-instance")


def test_a_snapshot_is_restored_from_a_copy_under_the_stacks_key(usual: dict[str, Any]) -> None:
    recorder = deployed_with(database__origin={"snapshot": {"identifier": "rds:old-2026-11-01"}})
    # sha256("rds:old-2026-11-01"), so that another snapshot gets another copy.
    name = "pgkeep-dev-origin-" + recorder.inputs("database-origin")[
        "targetDbSnapshotIdentifier"
    ].removeprefix("pgkeep-dev-origin-")
    assert recorder.inputs("database-origin") == {
        "sourceDbSnapshotIdentifier": "rds:old-2026-11-01",
        "targetDbSnapshotIdentifier": name,
        "kmsKeyId": DATABASE_KEY,
        "tags": tags("dev", name),
    }
    assert differences(recorder, usual) == {"snapshotIdentifier": name}


def test_a_snapshot_may_stay_under_its_own_key(usual: dict[str, Any]) -> None:
    snapshot = {"identifier": "old", "kms_key_arn": SOURCE_KEY}
    recorder = deployed_with(database__origin={"snapshot": snapshot})
    assert "database-origin" not in recorder.resources
    assert differences(recorder, usual) == {"snapshotIdentifier": "old", "kmsKeyId": SOURCE_KEY}


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        (
            {"source_identifier": "orders"},
            {"sourceDbInstanceIdentifier": "orders", "useLatestRestorableTime": True},
        ),
        (
            {"source_resource_id": "db-ABC", "time": "2026-11-20T08:30:00Z"},
            {"sourceDbiResourceId": "db-ABC", "restoreTime": "2026-11-20T08:30:00Z"},
        ),
        (
            {"automated_backups_arn": BACKUPS},
            {"sourceDbInstanceAutomatedBackupsArn": BACKUPS, "useLatestRestorableTime": True},
        ),
    ],
)
def test_recovery_to_a_point_in_time(
    usual: dict[str, Any], point: dict[str, Any], expected: dict[str, Any]
) -> None:
    origin = {"point_in_time": {**point, "kms_key_arn": SOURCE_KEY}}
    recorder = deployed_with(database__origin=origin)
    assert differences(recorder, usual) == {
        "restoreToPointInTime": expected,
        "kmsKeyId": SOURCE_KEY,
    }


def test_taking_an_origin_out_of_the_settings_replaces_nothing(
    deployed: Deployed, environment: str
) -> None:
    assert deployed(environment).ignored["database-instance"] == {
        "passwordWo",
        "finalSnapshotIdentifier",
        "snapshotIdentifier",
        "restoreToPointInTime",
        "engineLifecycleSupport",
    }
    assert deployed(environment).imports == {}


def test_a_major_upgrade_is_allowed_for_one_change(usual: dict[str, Any]) -> None:
    upgrade = {"from_version": "16", "to_version": "17"}
    recorder = deployed_with(database__major_upgrade=upgrade)
    assert differences(recorder, usual) == {"allowMajorVersionUpgrade": True}


def test_a_major_upgrade_changes_this_and_nothing_else_of_the_database() -> None:
    with_replica: dict[str, Any] = {"replicas__count": 1}
    before = deployed_with(database__engine_version="16", **with_replica)
    upgrade = {"from_version": "16", "to_version": "17"}
    after = deployed_with(database__major_upgrade=upgrade, **with_replica)
    assert before.resources.keys() == after.resources.keys()
    old, new = "pgkeep-dev-postgres16", "pgkeep-dev-postgres17"
    changed: dict[str, Any] = {}
    for name, (kind, inputs) in before.resources.items():
        if not kind.startswith("aws:rds/"):
            continue
        others = after.inputs(name)
        names = (inputs.keys() | others.keys()) - {"passwordWo", "finalSnapshotIdentifier", "tags"}
        found = {
            key: (inputs.get(key), others.get(key))
            for key in names
            if inputs.get(key) != others.get(key)
        }
        if found:
            changed[name] = found
    assert changed == {
        # Another name and family: made before the old one is deleted.
        "database-parameters": {"name": (old, new), "family": ("postgres16", "postgres17")},
        "database-instance": {
            "allowMajorVersionUpgrade": (False, True),
            "engineVersion": ("16", "17"),
            "parameterGroupName": (old, new),
        },
        # RDS upgrades it with the primary; it names that one, so it comes after it.
        "replica-1-instance": {"parameterGroupName": (old, new)},
        "database-events-parameters": {"sourceIds": ([old], [new])},
    }
    assert after.inputs("replica-1-instance")["replicateSourceDb"] == "pgkeep-dev"


def test_the_parameter_group_of_another_version_has_another_name(usual: dict[str, Any]) -> None:
    recorder = deployed_with(database__engine_version="16")
    group = recorder.inputs("database-parameters")
    assert (group["name"], group["family"]) == ("pgkeep-dev-postgres16", "postgres16")
    assert differences(recorder, usual) == {
        "engineVersion": "16",
        "parameterGroupName": "pgkeep-dev-postgres16",
    }


def test_blue_green_updates(usual: dict[str, Any]) -> None:
    recorder = deployed_with(
        database__blue_green_updates=True,
        database__parameters={"rds.logical_replication": "on"},
        replicas__count=0,
    )
    assert differences(recorder, usual) == {"blueGreenUpdate": {"enabled": True}}
    parameters = recorder.inputs("database-parameters")["parameters"]
    assert {
        "name": "rds.logical_replication",
        "value": "1",
        "applyMethod": "pending-reboot",
    } in parameters


def test_a_password_managed_by_rds_takes_no_function(usual: dict[str, Any]) -> None:
    recorder = deployed_with(database__master_password="managed_by_rds", replicas__count=0)
    assert differences(recorder, usual) == {
        "manageMasterUserPassword": True,
        "masterUserSecretKmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/keys-secrets",
        "passwordWoVersion": None,
    }
    assert "passwordWo" not in recorder.inputs("database-instance")
    assert not [name for name in recorder.resources if name.startswith("master-credentials")]
    variables = recorder.inputs("roles-function")["environment"]["variables"]
    secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-0123-abcdef"
    assert variables["MASTER_SECRET_ARN"] == secret
    assert recorder.exports["master_secret_name"] == secret


def test_each_instance_has_a_final_snapshot_of_its_own() -> None:
    """Another name in every run, of which an instance keeps the one that it was made with."""
    runs = ("staging", "staging", "dev")
    recorders = [deploy(settings(environment), Recorder()) for environment in runs]
    names = {one.inputs("database-instance")["finalSnapshotIdentifier"] for one in recorders}
    assert len(names) == 3
    for recorder in recorders:
        assert "finalSnapshotIdentifier" in recorder.ignored["database-instance"]
