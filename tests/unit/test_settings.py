"""Settings that are refused: each line names field, value, limit and reason, before any resource.

What AWS itself refuses although these rules pass is left to the end-to-end tests.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pydantic import ValidationError

from stacks.schema import SettingsGroup
from stacks.settings import Settings, SettingsError, load
from tests.unit.recorder import ENVIRONMENTS, raw_settings


def changed(environment: str, /, **changes: Any) -> dict[str, Any]:
    """The settings of a stack with `group__field=value` set, or removed when the value is `...`."""
    raw = copy.deepcopy(raw_settings(environment))
    for path, value in changes.items():
        *groups, field = path.split("__")
        target = raw
        for group in groups:
            target = target.setdefault(group, {})
        if value is ...:
            del target[field]
        else:
            target[field] = value
    return raw


def refused(environment: str, /, **changes: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(changed(environment, **changes), environment)
    assert all("\n" not in line for line in caught.value.lines)
    return caught.value.lines


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_shipped_stacks_are_accepted(environment: str) -> None:
    settings = load(raw_settings(environment), environment)
    assert settings.environment == environment
    assert settings.prefix == f"pgkeep-{environment}"


def test_retention_follows_the_guides() -> None:
    days = {
        environment: load(raw_settings(environment), environment).database.pitr_retention_days
        for environment in ENVIRONMENTS
    }
    assert days == {"local": 1, "dev": 3, "staging": 7, "prod": 30}


def test_pooler_numbers_follow_the_guide() -> None:
    pooler = load(raw_settings("prod"), "prod").pooler
    assert pooler.model_dump(
        include={
            "port",
            "max_client_connections",
            "default_pool_size",
            "min_pool_size",
            "reserve_pool_size",
            "reserve_pool_timeout_seconds",
            "server_lifetime_seconds",
            "server_idle_timeout_seconds",
        }
    ) == {
        "port": 6543,
        "max_client_connections": 1000,
        "default_pool_size": 20,
        "min_pool_size": 5,
        "reserve_pool_size": 5,
        "reserve_pool_timeout_seconds": 5,
        "server_lifetime_seconds": 3600,
        "server_idle_timeout_seconds": 600,
    }


# environment, changes, field, value, limit, reason
REFUSED: list[tuple[str, dict[str, Any], str, str, str, str]] = [
    (
        "prod",
        {"database__pitr_retention_days": 36},
        "database.pitr_retention_days",
        "36 days",
        "at most 35",
        "RDS keeps automated backups for at most 35 days",
    ),
    (
        "prod",
        {"database__pitr_retention_days": 29},
        "database.pitr_retention_days",
        "29",
        "at least 30 days in prod",
        "point-in-time recovery is the first answer",
    ),
    (
        "staging",
        {"database__pitr_retention_days": 6},
        "database.pitr_retention_days",
        "6",
        "at least 7 days in staging",
        "point-in-time recovery",
    ),
    (
        "dev",
        {"database__pitr_retention_days": 2},
        "database.pitr_retention_days",
        "2",
        "at least 3 days in dev",
        "point-in-time recovery",
    ),
    (
        "dev",
        {"database__pitr_retention_days": 0},
        "database.pitr_retention_days",
        "0 days",
        "at least 1",
        "0 would turn recovery off",
    ),
    (
        "prod",
        {"database__multi_az": False},
        "database.multi_az",
        "false",
        "must be true in prod",
        "a lost zone",
    ),
    (
        "staging",
        {"database__deletion_protection": False},
        "database.deletion_protection",
        "false",
        "must be true in staging",
        "one wrong destroy",
    ),
    (
        "prod",
        {"database__final_snapshot": False},
        "database.final_snapshot",
        "false",
        "must be true in prod",
        "possible to undo",
    ),
    (
        "prod",
        {"backups__keep_bucket": False},
        "backups.keep_bucket",
        "false",
        "must be true in prod",
        "must not delete its backups",
    ),
    (
        "prod",
        {"database__monitoring_interval_seconds": 0},
        "database.monitoring_interval_seconds",
        "0",
        "at least 1 second in prod",
        "enhanced monitoring",
    ),
    (
        "prod",
        {"database__max_allocated_storage_gib": 109},
        "database.max_allocated_storage_gib",
        "109",
        "at least 110 GiB",
        "RDS refuses a lower autoscaling ceiling",
    ),
    (
        "dev",
        {"database__allocated_storage_gib": 19},
        "database.allocated_storage_gib",
        "19 GiB",
        "at least 20",
        "RDS offers gp3",
    ),
    (
        "dev",
        {"database__max_connections": 451},
        "database.max_connections",
        "451",
        "at most 450 on db.t4g.medium (4 GiB)",
        "9.5 MB of memory",
    ),
    (
        "prod",
        {"pooler__default_pool_size": 37},
        "pooler.default_pool_size",
        "37",
        "(400 max_connections - 5 superuser - 3 administrators - 8 functions - 5 health checks, "
        "one a host) / 5 hosts while one is replaced = 75 a host, wanted 37 a role + 37 its other "
        "user while it rotates + 5 reserve = 79",
        "PostgreSQL refuses connections past the limit",
    ),
    (
        "prod",
        {"pooler__min_pool_size": 21},
        "pooler.min_pool_size",
        "21",
        "at most 20 (pooler.default_pool_size)",
        "cannot keep more connections",
    ),
    (
        "prod",
        {"pooler__server_idle_timeout_seconds": 3601},
        "pooler.server_idle_timeout_seconds",
        "3601",
        "at most 3600",
        "replaced before",
    ),
    (
        "prod",
        {"pooler__client_idle_timeout_seconds": 60},
        "pooler.client_idle_timeout_seconds",
        "60",
        "0, or more than 60 (pooler.tcp_keepalive_idle_seconds)",
        "before the first probe",
    ),
    (
        "prod",
        {"pooler__host_count": 1},
        "pooler.host_count",
        "1",
        "at least 2 hosts in prod",
        "single point of failure",
    ),
    (
        "prod",
        {"pooler__host_count": 3, "pooler__hosts_per_zone": 1},
        "pooler.hosts_per_zone",
        "1",
        "not together with pooler.host_count (3)",
        "contradict each other",
    ),
    (
        "prod",
        {"pooler__hosts_per_zone": 4, "network__availability_zone_count": 4},
        "pooler.default_pool_size",
        "20",
        "(400 max_connections - 5 superuser - 3 administrators - 8 functions - 18 health checks",
        "PostgreSQL refuses connections past the limit",
    ),
    (
        "prod",
        {"database__max_connections": None, "database__instance_class": "db.x2g.large"},
        "database.max_connections",
        "null",
        "must be given on db.x2g.large",
        "the memory of this class is not known",
    ),
    (
        "prod",
        {"pooler__pool_mode": "statement"},
        "pooler.pool_mode",
        "'statement'",
        "must be 'transaction' or 'session'",
        "`statement` would refuse every transaction of several statements",
    ),
    (
        "prod",
        {"pooler__tcp_keepalive_idle_seconds": 350},
        "pooler.tcp_keepalive_idle_seconds",
        "350",
        "below 350 (pooler.load_balancer_idle_timeout_seconds)",
        "the load balancer forgets a silent connection first",
    ),
    (
        "prod",
        {"pooler__load_balancer_idle_timeout_seconds": 6001},
        "pooler.load_balancer_idle_timeout_seconds",
        "6001",
        "at most 6000",
        "the range that AWS offers",
    ),
    (
        "prod",
        {"pooler__transaction_grace_seconds": 59},
        "pooler.transaction_grace_seconds",
        "59",
        "at least 60 (database.statement_timeout_seconds)",
        "would be cut off when its host is replaced",
    ),
    (
        "prod",
        {"pooler__drain_seconds": 3000, "pooler__transaction_grace_seconds": 600},
        "pooler.drain_seconds",
        "3000",
        "at most 3500 together with pooler.transaction_grace_seconds",
        "deregistration delay",
    ),
    (
        "prod",
        {"pooler__reboot_window": "03:00-03:29"},
        "pooler.reboot_window",
        "'03:00-03:29'",
        "at least 30 minutes (10 a zone: twice draining and a boot)",
        "two zones must not reboot at once",
    ),
    (
        "prod",
        {"pooler__reboot_window": "03:00-04:00", "pooler__drain_seconds": 1000},
        "pooler.reboot_window",
        "'03:00-04:00'",
        "at least 126 minutes (42 a zone: twice draining and a boot)",
        "two zones must not reboot at once",
    ),
    (
        "prod",
        {"pooler__health_interval_seconds": 31},
        "pooler.drain_seconds",
        "60",
        "at least 62 (2 times pooler.health_interval_seconds)",
        "the load balancer sends new clients to a host until two of its checks have failed",
    ),
    (
        "prod",
        {"pooler__health_port": 6543},
        "pooler.health_port",
        "6543",
        "another port than pooler.port",
        "cannot share one",
    ),
    (
        "prod",
        {"pooler__databases": [{"name": "other", "pool_size": 1}]},
        "pooler.databases[0].name",
        "'other'",
        "once each of node_pass, node_pass_readonly",
        "PgBouncer offers no other database",
    ),
    (
        "prod",
        {"pooler__roles": [{"name": "node_pass_app"}, {"name": "node_pass_app"}]},
        "pooler.roles[1].name",
        "'node_pass_app'",
        "each role once",
        "contradict each other",
    ),
    (
        "prod",
        {"pooler__architecture": "x86_64"},
        "pooler.architecture",
        "'x86_64'",
        "must be 'arm64' for t4g.small",
        "does not boot",
    ),
    (
        "prod",
        {"database__lock_timeout_seconds": 60},
        "database.lock_timeout_seconds",
        "60",
        "below 60 (database.statement_timeout_seconds)",
        "can never time out",
    ),
    (
        "prod",
        {"database__backup_window": "01:00-01:29"},
        "database.backup_window",
        "'01:00-01:29'",
        "at least 30 minutes",
        "RDS refuses shorter windows",
    ),
    (
        "prod",
        {"database__maintenance_window": "sun:01:29-sun:02:30"},
        "database.maintenance_window",
        "'sun:01:29-sun:02:30'",
        "outside database.backup_window (01:00-01:30)",
        "RDS refuses windows that overlap",
    ),
    (
        "prod",
        {"database__instance_class": "r7g.large"},
        "database.instance_class",
        "'r7g.large'",
        "must be db.FAMILY.SIZE, such as db.r7g.large",
        "RDS names its classes so",
    ),
    (
        "prod",
        {"secrets__recovery_window_days": 0},
        "secrets.recovery_window_days",
        "0",
        "7 to 30 days",
        "a deleted secret must be possible to restore",
    ),
    (
        "dev",
        {"secrets__recovery_window_days": 3},
        "secrets.recovery_window_days",
        "3",
        "0 or 7 to 30 days",
        "Secrets Manager refuses",
    ),
    (
        "prod",
        {"network__vpc_cidr": "8.8.0.0/16"},
        "network.vpc_cidr",
        "'8.8.0.0/16'",
        "a private range of RFC 1918",
        "private ranges only",
    ),
    (
        "prod",
        {"network__vpc_cidr": "10.0.0.0/24"},
        "network.vpc_cidr",
        "'10.0.0.0/24'",
        "a prefix of /16 to /20",
        "sixteen subnets",
    ),
    (
        "prod",
        {"network__vpc_cidr": "10.0.0.1/16"},
        "network.vpc_cidr",
        "'10.0.0.1/16'",
        "has host bits set",
        "private ranges only",
    ),
    (
        "prod",
        {"network__vpc_cidr": ...},
        "network.vpc_cidr",
        "null",
        "exactly one of network.vpc_cidr and network.existing",
        "makes a VPC or uses one",
    ),
    (
        "prod",
        {"network__availability_zone_count": 1},
        "network.availability_zone_count",
        "1 zone refused",
        "at least 2",
        "a Multi-AZ database",
    ),
    (
        "staging",
        {"network__nat_gateway_count": 3},
        "network.nat_gateway_count",
        "3",
        "the setting is gone",
        "network.nat says it in words",
    ),
    (
        "dev",
        {"network__nat": "none"},
        "network.nat",
        "'none'",
        "a way out unless pooler.image_has_packages is true",
        "Debian's image has no PgBouncer",
    ),
    (
        "dev",
        {"pooler__image_has_packages": True},
        "pooler.image_has_packages",
        "true",
        "only with pooler.image_id",
        "Debian's own image has no PgBouncer",
    ),
    (
        "prod",
        {"name": "A_Name"},
        "name",
        "'A_Name'",
        "must be 2 to 32 lower-case letters, digits and single hyphens, with a letter first",
        "fits every name in AWS",
    ),
    (
        "prod",
        {"functions__backup_timeout_seconds": 901},
        "functions.backup_timeout_seconds",
        "901 seconds",
        "at most 900",
        "Lambda stops every function after 900 seconds",
    ),
    (
        "prod",
        {"database__engine_version": "15"},
        "database.engine_version",
        "'15'",
        "must be '16' or '17'",
        "the client layer dumps up to 17",
    ),
    (
        "prod",
        {"environment": "dev", "database__multi_az": True},
        "environment",
        "'dev'",
        "must be 'prod'",
        "must not be deployed to another",
    ),
    (
        "prod",
        {"database__multi_azz": True},
        "database.multi_azz",
        "true",
        "no such setting",
        "a misspelt name would be ignored silently",
    ),
]


@pytest.mark.parametrize(
    ("environment", "changes", "field", "value", "limit", "reason"),
    REFUSED,
    ids=[f"{case[0]}-{case[2]}-{case[3]}" for case in REFUSED],
)
def test_a_wrong_setting_is_refused_in_one_line(
    environment: str, changes: dict[str, Any], field: str, value: str, limit: str, reason: str
) -> None:
    (line,) = refused(environment, **changes)
    assert line.startswith(f"{field}: {value}")
    assert "refused, " in line
    assert limit in line
    assert reason in line
    # What to do is the last sentence.
    assert line.endswith(".")


def test_a_missing_setting_says_what_it_is_for() -> None:
    (line,) = refused("prod", workload=...)
    assert line.startswith("workload: missing, required (Folder below workloads/")
    assert line.endswith("Set workload in the stack's file.")


def test_every_mistake_is_reported_at_once() -> None:
    found = refused(
        "prod",
        database__multi_az=False,
        database__pitr_retention_days=7,
        pooler__architecture="x86_64",
    )
    assert [line.split(":")[0] for line in found] == [
        "database.pitr_retention_days",
        "database.multi_az",
        "pooler.architecture",
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("multi_azz", "Did you mean multi_az?"),
        ("storage_iops", "Did you mean iops?"),
        ("backup_retention_days", "Did you mean pitr_retention_days?"),
        ("zzz", "Use one of: allocated_storage_gib, apply_changes_immediately, "),
    ],
)
def test_a_misspelt_setting_is_told_what_it_may_mean(name: str, meant: str) -> None:
    (line,) = refused("dev", **{f"database__{name}": 1})
    assert line.startswith(f"database.{name}: 1 refused, no such setting: ")
    assert meant in line


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"network__reserved_cidrs": ["10.0.0.0/8"]}, "must have settings of its own: cidr, name"),
        ({"network__availability_zone_count": "three"}, "must be a whole number"),
        ({"database__multi_az": "perhaps"}, "must be true or false"),
        ({"database__parameters": [1]}, "must be names with values"),
        ({"network__allowed_cidrs": 5}, "must be a list"),
        (
            {"name": 5},
            "must be text in quotes: 2 to 32 lower-case letters, digits and single hyphens, with a letter first",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_in_words_of_the_file(
    changes: dict[str, Any], limit: str
) -> None:
    (line,) = refused("dev", **changes)
    assert f" refused, {limit}: " in line


@pytest.mark.parametrize(
    ("parameters", "field", "limit"),
    [
        ({"work_mem": [1]}, "work_mem", "must be text or a number or true or false"),
        ({"work_mem": None}, "work_mem", "must be text or a number or true or false"),
        ({"1st": "x"}, "1st", "must be a parameter's name, such as work_mem"),
    ],
)
def test_a_wrong_member_of_a_mapping_is_one_line(
    parameters: dict[str, Any], field: str, limit: str
) -> None:
    field = f"database.parameters.{field}"
    (line,) = refused("dev", database__parameters=parameters)
    assert line.startswith(f"{field}: ")
    assert f" refused, {limit}" in line
    assert f"Change {field} in the stack's file. Source: AWS RDS user guide" in line


def test_a_tag_that_is_no_text_is_one_line() -> None:
    (line,) = refused("dev", tags__extra={"team": [1]})
    assert line.startswith("tags.extra.team: [1] refused, must be text: ")


def test_settings_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        load("prod", "prod")
    (line,) = caught.value.lines
    assert line.startswith("settings: 'prod' refused, ")


def test_settings_cannot_change_after_loading() -> None:
    settings = load(raw_settings("prod"), "prod")
    with pytest.raises(ValidationError, match="frozen"):
        settings.database.multi_az = False  # type: ignore[misc]


def test_a_long_value_is_cut() -> None:
    (line,) = refused("prod", name="x" * 500)
    assert "x" * 70 in line
    assert "x" * 90 not in line


def test_every_field_is_documented() -> None:
    undocumented: list[str] = []

    def walk(group: type[SettingsGroup], path: str) -> None:
        for name, field in group.model_fields.items():
            notes = field.json_schema_extra
            if not field.description or not isinstance(notes, dict) or not notes.get("why"):
                undocumented.append(f"{path}{name}")
            if isinstance(field.annotation, type) and issubclass(field.annotation, SettingsGroup):
                walk(field.annotation, f"{path}{name}.")
            elif field.annotation in (int, float) and isinstance(notes, dict):
                assert notes["unit"], f"{path}{name} has no unit"
                assert notes["source"], f"{path}{name} has no source"

    walk(Settings, "")
    assert undocumented == []
