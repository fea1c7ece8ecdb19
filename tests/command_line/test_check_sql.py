"""`pgkeep check --sql`: files, folders and workloads, in every output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line.checking import check, refused, rules, stacks
from workloads import loader

BAD = "CREATE TABLE t (a int);\n\nGRANT DELETE ON t TO shop;\n"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "1.sql"
    path.write_text(BAD)
    return str(path)


def test_a_file_is_a_source_and_a_line_is_the_place(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (one,) = stacks(capsys, sql=[file])
    assert one["source"] == file
    (violation,) = one["violations"]
    assert violation["rule"] == "db-app-cannot-delete"
    assert violation["urn"] == f"{file}:3"
    assert violation["enforcement"] == "mandatory"
    assert "shop → is granted DELETE on public.t" in violation["message"]
    assert one["not_verified"] == one["not_covered"] == []


def test_several_files_are_one_database_and_several_sources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "1.sql").write_text("CREATE TABLE t (a int);")
    (tmp_path / "2.sql").write_text("GRANT DELETE ON t TO shop;")
    (tmp_path / "3.sql").write_text("REVOKE DELETE ON t FROM shop;")
    names = [str(tmp_path / f"{number}.sql") for number in (1, 2, 3)]
    found = stacks(capsys, sql=names[:2])
    assert [rules(one) for one in found] == [set(), {"db-app-cannot-delete"}]
    assert [one["source"] for one in found] == names[:2]
    assert [rules(one) for one in stacks(capsys, sql=names)] == [set(), set(), set()]
    assert [one["source"] for one in stacks(capsys, sql=[str(tmp_path)])] == names
    # As a shell writes --sql *.sql
    assert [one["source"] for one in stacks(capsys, sql=names[:1], stacks=names[1:])] == names


def test_a_workloads_files_are_judged_with_its_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = loader.WORKLOADS / "node_pass" / "migrations"
    assert all(one["violations"] == [] for one in stacks(capsys, sql=[str(own)]))
    folder = tmp_path / "node_pass"
    (folder / "migrations").mkdir(parents=True)
    (folder / "contract.yaml").write_bytes((own.parent / "contract.yaml").read_bytes())
    grant = "CREATE TABLE x (a int); GRANT DELETE ON x TO {};"
    migration = folder / "migrations" / "0001_x.sql"
    migration.write_text(grant.format("node_pass_migrator"))
    assert [rules(one) for one in stacks(capsys, sql=[str(migration)])] == [set()]
    migration.write_text(grant.format("node_pass_app"))
    (one,) = stacks(capsys, sql=[str(migration)])
    assert rules(one) == {"db-app-cannot-delete"}


def test_sarif_names_file_and_line(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(sql=[file], sarif="-") == 1
    (result,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"].endswith("/1.sql")
    assert place["region"]["startLine"] == 3
    first = result["partialFingerprints"]
    Path(file).write_text(f"-- moved\n{BAD}")
    assert check(sql=[file], sarif="-") == 1
    (moved,) = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert moved["partialFingerprints"] == first
    assert moved["locations"][0]["physicalLocation"]["region"]["startLine"] == 4


def test_exemptions_name_the_line(
    tmp_path: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(file).write_text("CREATE TABLE t (a int);\nDROP TABLE t;\n")
    entry = {
        "rule": "db-migrations-keep-data",
        "resource": f"{file}:2",
        "reason": "the table was never used in production",
        "owner": "platform@example.com",
        "expires": "2999-01-01",
    }
    exemptions = tmp_path / "exemptions.json"
    exemptions.write_text(json.dumps([entry]))
    (one,) = stacks(capsys, sql=[file], exemptions=str(exemptions))
    assert "policy-exemptions-valid" in rules(one)  # 180 days at most


def test_unusable_files_are_one_line(tmp_path: Path) -> None:
    assert "cannot be read" in refused(sql=[str(tmp_path / "missing.sql")])
    assert "has no file *.sql" in refused(sql=[str(tmp_path)])
    folder = tmp_path / "w"
    (folder / "migrations").mkdir(parents=True)
    (folder / "contract.yaml").write_text("[")
    (folder / "migrations" / "1.sql").write_text(BAD)
    assert "contract.yaml" in refused(sql=[str(folder / "migrations")])


def test_a_stack_is_judged_with_the_migrations_of_its_workload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pgkeep.check.sql as door

    real = door.of_workload("node_pass")
    bad = door.migrations([("0002_bad.sql", "GRANT DELETE ON buyers TO node_pass_app;")], None)
    assert real.properties["files"]
    monkeypatch.setattr(door, "of_workload", lambda workload: bad)
    (one,) = stacks(capsys, stacks=["prod"])
    found = [item for item in one["violations"] if item["rule"] == "db-app-cannot-delete"]
    assert [item["urn"] for item in found] == ["0002_bad.sql:1"]
