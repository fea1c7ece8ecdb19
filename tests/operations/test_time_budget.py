"""Estimates out of manifests, and the refusal of a run that would not end in time."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from operations.backup import CLASSES, Manifest, manifest, time_budget
from operations.backup.time_budget import ASSUMED_BYTES_A_SECOND, Estimate, OverBudgetError
from tests.operations.stored_backups import BUCKET, made

MIB = 1024 * 1024
GIB = 1024 * MIB


def put(
    s3: Any,
    days_ago: float,
    seconds: float,
    size: int = GIB,
    worker_name: str = "function",
    **more: Any,
) -> Manifest:
    one = dataclasses.replace(
        made(days_ago, **more), duration_seconds=seconds, source_bytes=size, worker=worker_name
    )
    # As a backup writes it, and as earlier versions did.
    told = time_budget.metadata(one) if days_ago % 2 else {}
    s3.put_object(Bucket=BUCKET, Key=one.key, Body=manifest.encode(one), Metadata=told)
    return one


def estimate(s3: Any, size: int = 10 * GIB, worker: str = "function") -> Estimate:
    speed = time_budget.measured(
        s3=s3, bucket=BUCKET, database="node_pass", classes=CLASSES, worker=worker
    )
    return time_budget.estimate(size, speed)


def test_the_slowest_of_the_newest_backups_tells_the_speed(s3: Any) -> None:
    put(s3, 30, 1_000)
    for days in (1, 2, 4, 5):
        put(s3, days, 10)
    slowest = put(s3, 3, 20, backup_class="weekly")
    found = estimate(s3)
    assert found.based_on == f"backup {slowest.id}"
    assert found.bytes_a_second == GIB / 20
    assert found.seconds == pytest.approx(10 * 20 * 1.25)


def test_what_tells_no_speed_is_passed_over(s3: Any) -> None:
    put(s3, 1, 5, size=MIB)
    put(s3, 2, 10, database="other")
    left = made(3)
    s3.put_object(Bucket=BUCKET, Key=left.objects[0].key, Body=b"1")
    s3.put_object(Bucket=BUCKET, Key=made(4).key, Body=b'{"duration_seconds": ')
    found = estimate(s3)
    assert (found.based_on, found.bytes_a_second) == ("assumption", ASSUMED_BYTES_A_SECOND)
    put(s3, 5, 10)
    assert estimate(s3).bytes_a_second == GIB / 10
    assert estimate(s3, worker="host").based_on == "assumption"


def test_metadata_tell_the_speed_without_the_manifests(s3: Any) -> None:
    for days in (1, 3, 5, 7, 9):
        put(s3, days, 10, worker_name="Ωmega")
    asked: list[str] = []

    def see(model: Any, **_: Any) -> None:
        asked.append(model.name)

    s3.meta.events.register("before-call.s3", see)
    assert estimate(s3, worker="Ωmega").bytes_a_second == GIB / 10
    assert asked == ["ListObjectsV2"] * len(CLASSES) + ["HeadObject"] * 5


def test_a_role_that_may_not_list_still_makes_backups(s3: Any) -> None:
    s3.delete_bucket(Bucket=BUCKET)
    assert estimate(s3).based_on == "assumption"


def test_what_does_not_fit_is_refused_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    found = Estimate(1_200, 40 * GIB, 40 * MIB, "backup 20261121T020000Z-00000000")
    time_budget.check(found, None, database="node_pass")
    time_budget.check(found, 1_201, database="node_pass")
    with pytest.raises(
        OverBudgetError,
        match=r"40960 MiB would take about 1200 s \(40 MiB/s by backup 2026.*\), more than the "
        r"880 s that this run has; nothing was written\. .* pgkeep backup run --here",
    ):
        time_budget.check(found, 880, database="node_pass")
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["event"], line["BackupEstimatedSeconds"]) == ("backup_estimate", 1_200)
