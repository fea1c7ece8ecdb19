"""Import of an instance: what it keeps, and what is refused. That it works is left to e2e."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from stacks.settings import load
from tests.unit.changed_settings import changed
from tests.unit.conftest import Deployed
from tests.unit.recorder import REGION, Recorder, deploy
from tests.unit.test_network import ENDPOINTS, EXISTING, tags

KEY = "arn:aws:kms:eu-west-1:123456789012:key/0123abcd-0123-0123-0123-0123456789ab"
OTHER_KEY = KEY.replace("ab", "cd")
GROUP = "sg-0123456789abcdef1"
INSTANCE = {
    "dbInstanceIdentifier": "legacy",
    "allocatedStorage": 20,
    "availabilityZone": "eu-west-1b",
    "dbClusterIdentifier": "",
    "dbName": "shop",
    "dbParameterGroups": ["default.postgres17"],
    "dbSubnetGroup": "legacy-subnets",
    "engine": "postgres",
    "engineVersion": "17.6",
    "kmsKeyId": KEY,
    "masterUsername": "legacy_master",
    "port": 5432,
    "replicateSourceDb": "",
    "storageEncrypted": True,
    "vpcId": EXISTING["vpc_id"],
}


def deployed_with(instance: dict[str, Any] | None = None, /, **changes: Any) -> Recorder:
    """Dev with the legacy instance imported, which is otherwise than `INSTANCE`."""
    existing = {"identifier": "legacy", "kms_key_arn": KEY}
    raw = changed(
        "dev",
        **{
            "database__origin": {"existing": existing},
            "database__master_username": "legacy_master",
            "replicas__count": 0,
            **changes,
        },
    )
    raw["network"] = {"existing": EXISTING, "availability_zone_count": 2}
    right = {"vpcId": EXISTING["vpc_id"], "mapPublicIpOnLaunch": False}
    subnets = {
        f"subnet-{tier}{zone}": {**right, "availabilityZone": f"eu-west-1{'ab'[zone - 1]}"}
        for tier in "dhf"
        for zone in (1, 2)
    }
    found = {**INSTANCE, **(instance or {})}
    recorder = Recorder(subnets=subnets, endpoints=ENDPOINTS, instance=found)
    return deploy(load(raw, "dev", REGION), recorder)


def test_it_keeps_what_rds_cannot_change(deployed: Deployed) -> None:
    recorder = deployed_with(
        database__origin={
            "existing": {
                "identifier": "legacy",
                "kms_key_arn": KEY,
                "keep_security_group_ids": [GROUP],
            }
        }
    )
    usual, found = deployed("dev").inputs("database-instance"), recorder.inputs("database-instance")
    own_group = "security-groups-database-id"
    assert recorder.imports == {"database-instance": "legacy"}
    assert {
        name: found.get(name)
        for name in found.keys() | usual.keys()
        if found.get(name) != usual.get(name) and name != "finalSnapshotIdentifier"
    } == {
        "identifier": "legacy",
        "availabilityZone": "eu-west-1b",
        "dbName": "shop",
        "dbSubnetGroupName": "legacy-subnets",
        "kmsKeyId": KEY,
        "username": "legacy_master",
        # It has a password, which the function replaces.
        "passwordWo": None,
        "passwordWoVersion": None,
        "vpcSecurityGroupIds": [own_group, GROUP],
        "tags": tags("dev", "legacy"),
    }
    # Its log groups carry its name; the key of the logs has to allow that.
    statement = recorder.document("keys-telemetry")["Statement"][1]
    arns = statement["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    assert "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/rds/instance/legacy*" in arns
    alarm = recorder.inputs("monitoring-primary-cpu")
    assert alarm["dimensions"] == {"DBInstanceIdentifier": "legacy"}


def test_replicas_may_stay_once_it_has_the_stacks_parameters() -> None:
    recorder = deployed_with({"dbParameterGroups": ["pgkeep-dev-postgres17"]}, replicas__count=1)
    assert recorder.inputs("replica-1-instance")["identifier"] == "pgkeep-dev-replica-1"


def test_a_major_upgrade_of_an_imported_instance() -> None:
    upgrade = {"from_version": "16", "to_version": "17"}
    recorder = deployed_with({"engineVersion": "16.9"}, database__major_upgrade=upgrade)
    assert recorder.inputs("database-instance")["engineVersion"] == "17"


def test_storage_that_autoscaling_has_added_is_no_contradiction() -> None:
    deployed_with({"allocatedStorage": 60}, database__max_allocated_storage_gib=100)


NAMED = "database.origin.existing.identifier: 'legacy' refused, "


@pytest.mark.parametrize(
    ("instance", "changes", "message"),
    [
        (
            {"engine": "mysql"},
            {},
            NAMED
            + "must be an instance of RDS for PostgreSQL: it is mysql. Name another instance.",
        ),
        (
            {"dbClusterIdentifier": "aurora"},
            {},
            NAMED + "must be an instance of RDS for PostgreSQL: it is postgres of a cluster. "
            "Name another instance.",
        ),
        (
            {"replicateSourceDb": "head"},
            {},
            NAMED + "must be a primary: it is a read replica of head. Promote it first, or name "
            "its source.",
        ),
        (
            {"storageEncrypted": False, "kmsKeyId": ""},
            {},
            NAMED + "must have encrypted storage: RDS cannot encrypt an instance in place. Take a "
            "snapshot of it and use origin.snapshot: the copy is encrypted.",
        ),
        (
            {"kmsKeyId": OTHER_KEY},
            {},
            f"database.origin.existing.kms_key_arn: '{KEY}' refused, must be '{OTHER_KEY}': the "
            "instance is under that key, and RDS cannot change it. Name that key.",
        ),
        (
            {"masterUsername": "root_of_all"},
            {},
            "database.master_username: 'legacy_master' refused, must be 'root_of_all': the "
            "instance has that master user, and RDS cannot change it. Name that user.",
        ),
        (
            {"engineVersion": "16.9"},
            {},
            "database.engine_version: '17' refused, must be '16': the instance runs 16.9. "
            "Import it as it is; upgrade it afterwards with database.major_upgrade.",
        ),
        (
            {"allocatedStorage": 500},
            {"database__max_allocated_storage_gib": 100},
            "database.allocated_storage_gib: 20 refused, at least 500 GiB: the instance has that "
            "much, and RDS cannot shrink it. Set it to 500.",
        ),
        (
            {"vpcId": "vpc-other"},
            {},
            f"network.existing.vpc_id: '{EXISTING['vpc_id']}' refused, must be 'vpc-other': the "
            "instance is in that VPC, and poolers and functions have to reach it. Name that VPC "
            "and subnets of it.",
        ),
        (
            {},
            {"database__availability_zone": "eu-west-1a"},
            "database.availability_zone: 'eu-west-1a' refused, must be 'eu-west-1b': the instance "
            "is in that zone, and RDS moves none. Remove it.",
        ),
        (
            {"port": 6000},
            {},
            NAMED + "must listen on port 5432: it listens on 6000, and a change of the port "
            "restarts it and cuts every client off. Change the port first, at a time that suits "
            "its clients.",
        ),
        (
            {},
            {"replicas__count": 1},
            "replicas.count: 1 refused, none in the update that imports: the instance takes the "
            "stack's parameters at its next restart, and a replica with fewer max_connections than "
            "its primary does not start. Import without replicas, restart the instance, then add "
            "them.",
        ),
    ],
)
def test_what_would_replace_it_is_refused(
    instance: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(pulumi.RunError) as refused:
        deployed_with(instance, **changes)
    assert str(refused.value).startswith(message)
    assert len(str(refused.value).splitlines()) == 1


def test_all_contradictions_are_told_at_once() -> None:
    with pytest.raises(pulumi.RunError) as refused:
        deployed_with({"kmsKeyId": OTHER_KEY, "masterUsername": "root_of_all", "port": 1})
    assert len(str(refused.value).splitlines()) == 3


def test_its_final_snapshot_has_one_name_since_the_import_brings_none() -> None:
    origin = {"existing": {"identifier": "legacy", "kms_key_arn": KEY}}
    recorders = [deployed_with(database__origin=origin) for _ in range(2)]
    (name,) = {one.inputs("database-instance")["finalSnapshotIdentifier"] for one in recorders}
    assert name.startswith("legacy-final-")
    assert "finalSnapshotIdentifier" not in recorders[0].ignored["database-instance"]
