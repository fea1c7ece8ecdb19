"""A restore begins only where the disk has room for what it makes."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.backup.manifest import RowsInObject, TableRecord
from operations.errors import OperationError
from operations.restore import Selection, room
from tests.operations.stored_backups import made

GIB = 1024**3


class CloudWatch:
    """Answers one value, none, or a refusal."""

    def __init__(self, free: float | None, code: str | None = None) -> None:
        self.free, self.code, self.asked = free, code, dict[str, Any]()

    def get_metric_statistics(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        if self.code is not None:
            raise ClientError({"Error": {"Code": self.code}}, "GetMetricStatistics")
        points = [] if self.free is None else [{"Minimum": self.free + 1}, {"Minimum": self.free}]
        return {"Datapoints": points}


def table(name: str, length_bytes: int) -> TableRecord:
    rows = RowsInObject("rows/000001.zst", 0, length_bytes, "all", 1)
    return TableRecord("public", name, ("id",), 1, 1, (rows,))


BACKUP = dataclasses.replace(
    made(1), tables=(table("large", 300), table("small", 100)), source_bytes=40 * GIB
)


def test_what_a_restore_needs() -> None:
    assert room.needed_bytes(BACKUP, Selection()) == 60 * GIB
    assert room.needed_bytes(BACKUP, Selection(tables=("small",))) == 15 * GIB
    # Backups of older versions do not say it, and an empty database needs nothing.
    assert room.needed_bytes(dataclasses.replace(BACKUP, source_bytes=0), Selection()) == 0
    assert room.needed_bytes(made(1), Selection()) == 0
    stored = BACKUP.objects[0]
    with_objects = dataclasses.replace(
        BACKUP,
        large_objects_key=stored.key,
        objects=(dataclasses.replace(stored, size_bytes=GIB), *BACKUP.objects[1:]),
    )
    assert room.needed_bytes(with_objects, Selection()) == 63 * GIB
    assert room.needed_bytes(with_objects, Selection(tables=("small",))) == 15 * GIB


def test_a_disk_without_room_is_refused_with_both_numbers() -> None:
    cloudwatch = CloudWatch(59 * GIB)
    refusal = (
        "^pgkeep-prod has 59.0 GiB of disk free, and the restored database needs about 60.0 GiB "
        "beside the present one: .*nothing was changed.*--ignore-room"
    )
    with pytest.raises(OperationError, match=refusal):
        room.refuse_without_room(cloudwatch, "pgkeep-prod", 60 * GIB)
    asked = cloudwatch.asked
    assert asked["Dimensions"] == [{"Name": "DBInstanceIdentifier", "Value": "pgkeep-prod"}]
    assert (asked["MetricName"], asked["Statistics"]) == ("FreeStorageSpace", ["Minimum"])
    assert asked["StartTime"] < datetime.now(UTC) < asked["EndTime"]


@pytest.mark.parametrize(
    "cloudwatch", [CloudWatch(60 * GIB), CloudWatch(None), CloudWatch(None, "AccessDenied")]
)
def test_where_there_is_room_or_nobody_knows_it_goes_on(cloudwatch: CloudWatch) -> None:
    room.refuse_without_room(cloudwatch, "pgkeep-prod", 60 * GIB)


def test_what_needs_nothing_asks_nothing() -> None:
    cloudwatch = CloudWatch(0)
    room.refuse_without_room(cloudwatch, "pgkeep-prod", 0)
    assert cloudwatch.asked == {}
