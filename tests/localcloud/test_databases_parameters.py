"""Parameter groups: what RDS refuses, what is applied at once and what waits for a reboot."""

import psycopg
import pytest
from botocore.exceptions import ClientError

from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud

pytestmark = pytest.mark.root
cloud = databases_cloud.cloud


@pytest.fixture(scope="module")
def tuned(cloud: DatabasesCloud) -> str:
    cloud.create_parameter_group("tuned", {"log_min_duration_statement": "500"})
    cloud.create_instance("tuned", DBParameterGroupName="tuned", BackupRetentionPeriod=0)
    cloud.wait("tuned")
    return "tuned"


def status(cloud: DatabasesCloud, identifier: str) -> str:
    (group,) = cloud.describe(identifier)["DBParameterGroups"]
    return group["ParameterApplyStatus"]


def settled(cloud: DatabasesCloud, identifier: str) -> str:
    cloud.eventually(lambda: status(cloud, identifier) != "applying")
    return status(cloud, identifier)


def test_the_groups_values_are_in_effect(cloud: DatabasesCloud, tuned: str) -> None:
    assert status(cloud, tuned) == "in-sync"
    assert cloud.setting(tuned, "log_min_duration_statement") == "500ms"


def test_a_dynamic_parameter_needs_no_reboot(cloud: DatabasesCloud, tuned: str) -> None:
    cloud.set_parameters("tuned", {"statement_timeout": "30000"}, "immediate")
    assert settled(cloud, tuned) == "in-sync"
    cloud.eventually(lambda: cloud.setting(tuned, "statement_timeout") == "30s")


def test_a_static_parameter_waits_for_the_reboot(cloud: DatabasesCloud, tuned: str) -> None:
    cloud.set_parameters("tuned", {"max_connections": "123"}, "pending-reboot")
    assert settled(cloud, tuned) == "pending-reboot"
    assert cloud.setting(tuned, "max_connections") == "225"
    cloud.rds.reboot_db_instance(DBInstanceIdentifier=tuned)
    assert cloud.describe(tuned)["DBInstanceStatus"] == "rebooting"
    cloud.wait(tuned)
    assert status(cloud, tuned) == "in-sync"
    assert cloud.setting(tuned, "max_connections") == "123"


def test_force_ssl_off_lets_plain_connections_in(cloud: DatabasesCloud, tuned: str) -> None:
    with pytest.raises(psycopg.OperationalError), cloud.connect(tuned, sslmode="disable"):
        pass
    cloud.set_parameters("tuned", {"rds.force_ssl": "0"}, "immediate")
    assert settled(cloud, tuned) == "in-sync"

    def plain() -> bool:
        try:
            with cloud.connect(tuned, sslmode="disable"):
                return True
        except psycopg.OperationalError:
            return False

    cloud.eventually(plain)
    # A reset gives the default again: forced.
    cloud.rds.reset_db_parameter_group(
        DBParameterGroupName="tuned",
        Parameters=[{"ParameterName": "rds.force_ssl", "ApplyMethod": "immediate"}],
    )
    cloud.eventually(lambda: not plain())


def test_logical_replication_sets_the_wal_level(cloud: DatabasesCloud, tuned: str) -> None:
    assert cloud.setting(tuned, "wal_level") == "replica"
    cloud.set_parameters("tuned", {"rds.logical_replication": "1"}, "pending-reboot")
    cloud.rds.reboot_db_instance(DBInstanceIdentifier=tuned)
    cloud.wait(tuned)
    assert cloud.setting(tuned, "wal_level") == "logical"


@pytest.mark.parametrize(
    ("name", "value", "method", "message"),
    [
        ("max_conections", "100", "pending-reboot", "Could not find parameter"),
        ("max_connections", "100", "immediate", "static parameter"),
        ("max_connections", "many", "pending-reboot", "allowed values are: 1-262143"),
        ("max_connections", "LEAST({Oops/2},5)", "pending-reboot", "allowed values"),
        ("statement_timeout", "-5", "immediate", "allowed values are: 0-2147483647"),
        ("log_statement", "everything", "immediate", "none,ddl,mod,all"),
        ("archive_command", "/bin/true", "immediate", "cannot be modified"),
        ("fsync", "0", "immediate", "cannot be modified"),
        ("shared_preload_libraries", "evil", "pending-reboot", "pgaudit"),
        ("rds.force_ssl", "yes please", "immediate", "allowed values are: 0,1"),
    ],
)
def test_what_rds_refuses(
    cloud: DatabasesCloud, tuned: str, name: str, value: str, method: str, message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        cloud.set_parameters("tuned", {name: value}, method)


def test_the_default_group_is_fixed(cloud: DatabasesCloud) -> None:
    with pytest.raises(ClientError, match="cannot be modified"):
        cloud.set_parameters("default.postgres17", {"work_mem": "4096"}, "immediate")


def test_describe_shows_the_users_and_all_parameters(cloud: DatabasesCloud, tuned: str) -> None:
    user = cloud.rds.describe_db_parameters(DBParameterGroupName="tuned", Source="user")
    (slow,) = (p for p in user["Parameters"] if p["ParameterName"] == "log_min_duration_statement")
    assert slow["ParameterValue"] == "500"
    assert slow["ApplyMethod"] == "pending-reboot"
    pages = cloud.rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName="tuned")
    every = {p["ParameterName"]: p for page in pages for p in page["Parameters"]}
    assert len(every) > 400
    assert every["shared_buffers"]["ParameterValue"] == "{DBInstanceClassMemory/32768}"
    assert every["shared_buffers"]["ApplyType"] == "static"
    assert every["shared_buffers"]["Source"] == "system"
    assert every["archive_command"]["IsModifiable"] is False


def test_values_that_cannot_work_show_incompatible_parameters(cloud: DatabasesCloud) -> None:
    # RDS takes the value and PostgreSQL cannot start with it.
    cloud.create_parameter_group("greedy", {"shared_buffers": "524288"})  # 4 GiB in 2 GiB
    cloud.create_instance("greedy", DBParameterGroupName="greedy", BackupRetentionPeriod=0)
    cloud.wait("greedy", "incompatible-parameters")
    with pytest.raises(ClientError, match="is not in available state"):
        cloud.rds.delete_db_instance(
            DBInstanceIdentifier="greedy", FinalDBSnapshotIdentifier="last"
        )
    cloud.rds.reset_db_parameter_group(DBParameterGroupName="greedy", ResetAllParameters=True)
    cloud.rds.reboot_db_instance(DBInstanceIdentifier="greedy")
    cloud.wait("greedy")
    with cloud.connect("greedy") as connection:
        connection.execute("CREATE TABLE works (id int)")


def test_a_server_that_does_not_start_shows_incompatible_parameters(
    cloud: DatabasesCloud,
) -> None:
    cloud.create_parameter_group("broken", {"max_connections": "4"})
    cloud.create_instance("broken", DBParameterGroupName="broken", BackupRetentionPeriod=0)
    cloud.wait("broken", "incompatible-parameters")


def test_a_group_in_use_is_not_deleted(cloud: DatabasesCloud, tuned: str) -> None:
    with pytest.raises(ClientError, match="still members of this parameter group tuned"):
        cloud.rds.delete_db_parameter_group(DBParameterGroupName="tuned")
