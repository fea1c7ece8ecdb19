"""Databases without a server: formulas, classes, parameters, configuration, windows."""

import dataclasses
import datetime
from pathlib import Path

import pytest
from moto.rds.exceptions import InvalidParameterCombination

from facts.parameter_formulas import FormulaError, evaluate
from localcloud.databases import instance_classes
from localcloud.databases.configuration import (
    Configuration,
    IncompatibleParametersError,
    Recovery,
)
from localcloud.databases.housekeeping import in_daily_window, in_weekly_window
from localcloud.databases.log_files import portion
from localcloud.databases.parameters import catalogue, refusal
from localcloud.databases.validation import choose_version
from localcloud.permissions import resources

GIB = 1024**3


def configuration(class_name: str = "db.t4g.medium", **parameters: str) -> Configuration:
    return Configuration(
        identifier="primary",
        major=17,
        instance_class=instance_classes.by_name(class_name),
        storage_gibibytes=20,
        port=5432,
        address="10.0.0.5",
        master_username="master",
        parameters=parameters,
        archiving=True,
    )


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("LEAST({DBInstanceClassMemory/9531392},5000)", 450),
        ("{DBInstanceClassMemory/32768}", 131072),
        ("GREATEST({DBInstanceClassMemory*1024/63963136},65536)", 68759),
        ("GREATEST({log(DBInstanceClassMemory/21474836480)*600},200)", 200),
        ("SUM({DBInstanceClassMemory/1073741824},3)", 7),
    ],
)
def test_formulas(formula: str, expected: int) -> None:
    assert evaluate(formula, {"DBInstanceClassMemory": 4 * GIB}) == expected


@pytest.mark.parametrize(
    "formula",
    ["{Unknown/2}", "__import__('os')", "{1/0}", "LEAST(", "{DBInstanceClassMemory**9}", "eval(1)"],
)
def test_what_is_no_formula(formula: str) -> None:
    with pytest.raises(FormulaError):
        evaluate(formula, {"DBInstanceClassMemory": 4 * GIB})


@pytest.mark.parametrize(
    ("name", "memory_gib", "processors"),
    [
        ("db.t4g.micro", 1, 2),
        ("db.t4g.2xlarge", 32, 8),
        ("db.m7g.large", 8, 2),
        ("db.r6i.32xlarge", 1024, 128),
    ],
)
def test_instance_classes(name: str, memory_gib: int, processors: int) -> None:
    found = instance_classes.by_name(name)
    assert (found.memory_bytes, found.processors) == (memory_gib * GIB, processors)


@pytest.mark.parametrize("name", ["db.t4g.huge", "t4g.micro", "db.m6g.24xlarge", "db.z9.large", ""])
def test_no_instance_classes(name: str) -> None:
    assert not instance_classes.exists(name)


def test_the_files_enforce_tls_and_scram() -> None:
    files = configuration(
        **{"rds.force_ssl": "1", "rds.accepted_password_auth_method": "scram"}
    ).files()
    hba = files["pg_hba.conf"].splitlines()
    open_lines = [line for line in hba if not line.endswith(("reject", "peer map=rds"))]
    assert open_lines == [
        'hostssl all "master" all scram-sha-256',
        "hostssl all all all scram-sha-256",
    ]
    assert not any(name in files["postgresql.conf"] for name in ("rds.force_ssl", "rds.accepted"))


def test_the_settings_rds_keeps_for_itself_win() -> None:
    conf = configuration().files()["postgresql.conf"]
    assert "listen_addresses = '10.0.0.5'" in conf
    assert "allow_alter_system = 'off'" in conf
    assert "archive_command = '/bin/sh /rdsdbdata/config/archive-wal %p %f'" in conf
    assert "max_connections = '450'" in conf


def test_16_is_not_given_what_only_17_has() -> None:
    of_17 = configuration(shared_preload_libraries="pg_stat_statements, pgaudit")
    lacking = frozenset({"pgaudit"})
    of_16 = dataclasses.replace(of_17, major=16, lacking_libraries=lacking).files()
    assert "shared_preload_libraries = 'pg_stat_statements'" in of_16["postgresql.conf"]
    assert "allow_alter_system" not in of_16["postgresql.conf"]
    conf = of_17.files()["postgresql.conf"]
    assert "shared_preload_libraries = 'pg_stat_statements,pgaudit'" in conf


def test_a_copy_stops_following_at_its_position() -> None:
    recovery = Recovery(position="0/3000060")
    conf = dataclasses.replace(configuration(), recovery=recovery).files()["postgresql.conf"]
    assert "recovery_target_lsn = '0/3000060'" in conf
    assert "recovery_target_inclusive = 'off'" in conf
    assert "recovery_target_action = 'promote'" in conf


def test_nobody_writes_to_a_green_copy() -> None:
    green = dataclasses.replace(configuration(), subscribed=True, read_only=True)
    assert "default_transaction_read_only = 'on'" in green.files()["postgresql.conf"]


def test_the_version_is_chosen_by_its_major_number() -> None:
    versions = ("16.14", "17.10")
    assert choose_version(None, versions) == "17.10"
    assert choose_version("16", versions) == choose_version("16.14", versions) == "16.14"
    with pytest.raises(InvalidParameterCombination, match=r"16\.2 .* has 16\.14 and 17\.10\."):
        choose_version("16.2", versions)


def test_a_quote_stays_inside_its_value() -> None:
    conf = configuration(application_name="x'\nport = '1").files()["postgresql.conf"]
    assert "application_name = 'x''\nport = ''1'" in conf


def test_more_shared_buffers_than_memory_is_incompatible() -> None:
    with pytest.raises(IncompatibleParametersError, match=r"does not fit .* of db\.t4g\.medium"):
        configuration(shared_buffers="{DBInstanceClassMemory/4096}").resolved()


def test_line_ends_are_no_value() -> None:
    assert refusal("postgres17", "application_name", "x\nport = 1", "immediate") is not None


@pytest.mark.parametrize(
    ("name", "value", "method"),
    [
        ("rds.force_ssl", "1", "immediate"),
        ("ssl_min_protocol_version", "TLSv1.2", "immediate"),
        ("password_encryption", "scram-sha-256", "immediate"),
        ("rds.accepted_password_auth_method", "scram", "immediate"),
        ("shared_preload_libraries", "pg_stat_statements,pgaudit", "pending-reboot"),
        ("pgaudit.log", "ddl,role", "immediate"),
        ("pgaudit.role", "rds_pgaudit", "immediate"),
        ("log_connections", "1", "immediate"),
        ("log_min_messages", "warning", "immediate"),
        ("synchronous_commit", "on", "immediate"),
        ("log_file_mode", "0640", "immediate"),
        ("random_page_cost", "1.1", "immediate"),
        ("max_connections", "LEAST({DBInstanceClassMemory/9531392},200)", "pending-reboot"),
        ("TimeZone", "Europe/Dublin", "immediate"),
    ],
)
def test_what_rds_takes(name: str, value: str, method: str) -> None:
    assert refusal("postgres17", name, value, method) is None


def test_the_catalogue_is_whole() -> None:
    known = catalogue("postgres17")
    assert len(known) > 400
    assert known["shared_preload_libraries"].static
    assert not known["work_mem"].static
    assert not known["server_version"].modifiable


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC)


def test_windows_pass_midnight_and_sunday() -> None:
    assert in_daily_window("23:30-00:30", at("2026-11-21T00:10"))
    assert not in_daily_window("23:30-00:30", at("2026-11-21T00:30"))
    assert in_weekly_window("sun:23:30-mon:00:30", at("2026-11-23T00:10"))  # a Monday
    assert not in_weekly_window("sun:23:30-mon:00:30", at("2026-11-24T00:10"))


def test_portions_of_a_log_file_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("one\ntwo\nthree\n")
    first = portion(tmp_path, "log", "0", 2)
    assert first == {"LogFileData": "one\ntwo\n", "Marker": "8", "AdditionalDataPending": True}
    rest = portion(tmp_path, "log", first["Marker"], None)
    assert rest["LogFileData"] == "three\n"
    assert rest["AdditionalDataPending"] is False
    assert portion(tmp_path, "log", None, 1)["LogFileData"] == "three\n"


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        (
            "RestoreDBInstanceToPointInTime",
            {"SourceDBInstanceIdentifier": "a", "TargetDBInstanceIdentifier": "b"},
            ["db:a", "db:b"],
        ),
        (
            "CopyDBSnapshot",
            {
                "SourceDBSnapshotIdentifier": "arn:aws:rds:eu-central-1:1:snapshot:a",
                "TargetDBSnapshotIdentifier": "b",
            },
            ["arn:aws:rds:eu-central-1:1:snapshot:a", "snapshot:b"],
        ),
        (
            "RestoreDBInstanceToPointInTime",
            {"SourceDBInstanceAutomatedBackupsArn": "arn:aws:rds:eu-west-1:1:auto-backup:ab-1"},
            ["arn:aws:rds:eu-west-1:1:auto-backup:ab-1"],
        ),
    ],
)
def test_a_role_needs_every_database_and_snapshot_of_a_request(
    operation: str, parameters: dict[str, str], expected: list[str]
) -> None:
    prefix = "arn:aws:rds:eu-west-1:123456789012:"
    assert resources.find(f"rds:{operation}", parameters, "123456789012", "eu-west-1") == [
        each if each.startswith("arn:") else prefix + each for each in expected
    ]
