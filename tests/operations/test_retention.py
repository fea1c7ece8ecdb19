"""What retention lets go and what it never does; marks are all that it makes."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from operations.backup import Manifest, expiry, manifest, retention
from operations.backup.store import Store
from operations.errors import OperationError
from operations.functions import backup_retention
from operations.restore import report
from tests.operations.stored_backups import BUCKET, NOW, made, put


def reasons(*backups: Manifest, proven: tuple[Manifest, ...] = ()) -> list[tuple[bool, str]]:
    decided = retention.decide(backups, proven={one.id for one in proven}, now=NOW)
    return [(one.keep, one.reason.partition(" on ")[0]) for one in decided]


def test_an_ended_retention_lets_go_all_but_the_last_good_and_the_last_proven() -> None:
    backups = [made(days) for days in (10, 11, 12, 13)]
    assert reasons(*backups, proven=(backups[2], backups[3])) == [
        (True, "it is the last good backup of its database"),
        (False, "its retention ended"),
        (True, "it is the last backup of its database that was proven"),
        (False, "its retention ended"),
    ]


def test_each_database_and_class_is_judged_on_its_own() -> None:
    other = made(20, database="other")
    monthly = made(40, 365, backup_class="monthly")
    migration = made(900, None, backup_class="pre-migration")
    assert reasons(made(1), made(5), other, monthly, migration) == [
        (True, "its retention ends"),
        (False, "its retention ended"),
        (True, "it is the last good backup of its database"),
        (True, "its retention ends"),
        (True, "pre-migration backups stay until a person removes them"),
    ]


def prove(s3: Any, backup: Manifest) -> None:
    document = {
        "backup_id": backup.id,
        "proven": True,
        "started_at": NOW.isoformat(),
        "finished_at": NOW.isoformat(),
    }
    key = f"{report.PREFIX}/{backup.database}/{backup.id}.json"
    s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(document).encode())


def tags(s3: Any) -> dict[str, str]:
    """Key -> value of the mark, of all objects that have one."""
    found: dict[str, str] = {}
    for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        for tag in s3.get_object_tagging(Bucket=BUCKET, Key=entry["Key"])["TagSet"]:
            assert tag["Key"] == "pgkeep:expired"
            found[entry["Key"]] = tag["Value"]
    return found


def run(s3: Any, now: datetime = NOW) -> expiry.Marking:
    found = Store(s3, BUCKET).find()
    return expiry.apply(expiry.decide(found, report.proven(s3, BUCKET), now), s3=s3, bucket=BUCKET)


def keys(backup: Manifest) -> set[str]:
    return {backup.key, *(one.key for one in backup.objects)}


def test_every_object_of_what_goes_is_marked_once_and_nothing_is_removed(s3: Any) -> None:
    backups = [made(days) for days in (1, 5, 6, 7)]
    for backup in backups:
        put(s3, backup)
    prove(s3, backups[2])
    before = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert set(run(s3).marked) == {backups[1].id, backups[3].id}
    assert tags(s3) == dict.fromkeys(keys(backups[1]) | keys(backups[3]), "true")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == before
    assert run(s3).marked == ()


def test_a_marked_backup_that_became_the_last_good_one_loses_its_marks(s3: Any) -> None:
    old, new = made(10), made(1)
    put(s3, old)
    put(s3, new)
    assert run(s3).marked == (old.id,)
    s3.delete_object(Bucket=BUCKET, Key=new.objects[1].key)
    assert run(s3).unmarked == (old.id,)
    assert tags(s3) == dict.fromkeys(keys(old), "false")
    assert run(s3).unmarked == ()


def break_off(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends at a manifest's tag."""
    real = s3.put_object_tagging

    def fail_at_manifest(**request: Any) -> Any:
        if request["Key"].endswith("manifest.json"):
            raise ConnectionError("S3 went away")
        return real(**request)

    with monkeypatch.context() as patch:
        patch.setattr(s3, "put_object_tagging", fail_at_manifest)
        with pytest.raises(ConnectionError):
            run(s3)


def test_marking_that_broke_off_goes_on(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    old = made(10)
    put(s3, old)
    put(s3, made(1))
    break_off(s3, monkeypatch)
    assert old.key not in tags(s3)
    assert run(s3).marked == (old.id,)
    assert set(tags(s3)) == keys(old)


def test_what_never_became_a_backup_is_marked_after_two_days_and_damage_never(s3: Any) -> None:
    left, altered = made(9), made(8)
    put(s3, left, whole=False)
    put(s3, altered)
    put(s3, made(1))
    other = dataclasses.replace(altered, id="another")
    s3.put_object(Bucket=BUCKET, Key=altered.key, Body=manifest.encode(other)[:-9])
    assert run(s3).marked == ()
    later = run(s3, datetime.now(UTC) + timedelta(days=2, minutes=1))
    assert later.marked == (f"daily/node_pass/{left.id}",)
    assert tags(s3) == dict.fromkeys([one.key for one in left.objects], "abandoned")


def test_the_function_marks_and_tells(
    s3: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = made(10), made(1)
    put(s3, old)
    put(s3, new)
    monkeypatch.setenv("BACKUP_BUCKET", BUCKET)
    monkeypatch.setenv("DB_NAME", "node_pass")
    assert backup_retention.handler({}, None) == {
        "kept": [new.id], "marked": [old.id], "unmarked": [], "not_backups": [],
    }  # fmt: skip
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["event"], line["BackupsKept"], line["BackupsMarked"]) == ("backup_retention", 1, 1)


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_BUCKET", BUCKET)
    monkeypatch.setenv("DB_NAME", "node_pass")


def test_the_age_is_that_of_the_newest_whole_backup_of_any_class(
    s3: Any, function: None, capsys: pytest.CaptureFixture[str]
) -> None:
    put(s3, made(3))
    newest = made(2, backup_class="manual")
    put(s3, newest)
    put(s3, made(1), whole=False)
    put(s3, made(0.5, database="other"))
    damaged = made(0.1)
    put(s3, damaged)
    s3.delete_object(Bucket=BUCKET, Key=damaged.objects[1].key)
    answer = backup_retention.handler({"action": "age"}, None)
    assert answer["newest"] == newest.id
    assert 2 * 86_400 <= answer["age_seconds"] < 2 * 86_400 + 3_600
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["BackupAgeSeconds"] == answer["age_seconds"]
    metric = line["_aws"]["CloudWatchMetrics"][0]
    assert (metric["Namespace"], metric["Dimensions"]) == ("pgkeep", [["Bucket", "Database"]])
    assert (line["Bucket"], line["Database"]) == (BUCKET, "node_pass")


def test_older_manifests_are_not_read_for_the_age(
    s3: Any, function: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = [made(days) for days in (3, 2, 1)]
    for backup in backups:
        put(s3, backup)
    read: list[str] = []

    def read_one(_store: Store, key: str) -> Manifest:
        read.append(key)
        return backups[-1]

    monkeypatch.setattr(Store, "read", read_one)
    assert Store(s3, BUCKET).newest("node_pass") == backups[-1]
    assert read == [backups[-1].key]


def test_without_a_backup_the_age_has_no_value_for_the_alarm_to_find_good(
    s3: Any, function: None, capsys: pytest.CaptureFixture[str]
) -> None:
    put(s3, made(1), whole=False)
    assert backup_retention.handler({"action": "age"}, None) == {
        "newest": None, "age_seconds": None,
    }  # fmt: skip
    assert "_aws" not in capsys.readouterr().out


def test_an_unknown_action_is_refused(function: None) -> None:
    with pytest.raises(OperationError, match="action is 'delete'; it must be one of mark, age"):
        backup_retention.handler({"action": "delete"}, None)
