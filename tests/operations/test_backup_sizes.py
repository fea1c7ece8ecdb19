"""Backups of what is large: a stream of several objects, and a row wider than the memory."""

from collections.abc import Iterator
from typing import Any

import pytest

from operations.backup import definitions, object_series
from operations.backup.store import Store
from operations.backup.time_budget import OverMemoryError
from operations.backup.verify import verify
from operations.errors import OperationError
from operations.restore import databases
from tests.operations import backup_faults
from tests.operations.backup_faults import PART_BYTES, assert_nothing_remains, assert_whole
from tests.operations.faulty_s3 import BUCKET
from tests.operations.site import RESTORED, SOURCE, Site

pytestmark = pytest.mark.root

cloud = backup_faults.cloud
small_parts = backup_faults.small_parts
site = backup_faults.site


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object ends between two blocks."""
    monkeypatch.setattr(definitions, "_READ_BYTES", 32 * 1024)


@pytest.fixture
def long_stream(site: Site) -> Iterator[Site]:
    """Large objects of 640 KB that hardly compress; objects take 200 KB."""
    with site.server.superuser(SOURCE) as connection:
        connection.execute(
            "SELECT lo_from_bytea(0, (SELECT string_agg(decode(md5(i::text), 'hex'), '') "
            "FROM generate_series(n * 10000, n * 10000 + 9999) i)) FROM generate_series(1, 4) n"
        )
    yield site
    with site.server.superuser() as connection:
        databases.drop(connection, RESTORED)


LARGEST_BYTES = 200_000


def test_a_stream_that_fills_an_object_goes_on_in_the_next(long_stream: Site) -> None:
    backup = long_stream.backup(largest_object_bytes=LARGEST_BYTES)
    assert_whole(long_stream)
    names = [stored.key.rsplit("/", 1)[-1] for stored in backup.large_objects]
    assert names[:2] == ["large_objects.dump", "large_objects.dump.2"]
    assert len(names) >= 4
    assert Store(long_stream.s3, BUCKET).get(backup.id).large_objects == backup.large_objects
    for stored in backup.large_objects:
        assert LARGEST_BYTES / 2 < stored.size_bytes <= LARGEST_BYTES or stored.key.endswith(
            names[-1]
        )
        assert all(part.size_bytes <= PART_BYTES + 32 * 1024 for part in stored.parts)
    content = "SELECT md5(string_agg(md5(lo_get(oid)), '' ORDER BY oid)), count(*) "
    content += "FROM pg_largeobject_metadata"
    long_stream.restore(backup)
    with long_stream.connect() as restored, long_stream.connect(SOURCE) as source:
        found = [one.execute(content.encode()).fetchone() for one in (restored, source)]
    assert found[0] == found[1]
    assert (found[0] or ())[1] == 5
    # Each of them counts: a changed, a missing one.
    second = backup.large_objects[1]
    body = long_stream.s3.get_object(Bucket=BUCKET, Key=second.key)["Body"].read()
    changed = bytes([body[0] ^ 1]) + body[1:]
    long_stream.s3.put_object(Bucket=BUCKET, Key=second.key, Body=changed)
    (finding,) = verify(backup, s3=long_stream.s3, bucket=BUCKET).findings
    assert finding.startswith(f"{second.key} is damaged in part 1")
    with pytest.raises(OperationError, match=r"large_objects\.dump\.2 is damaged in part 1"):
        long_stream.restore(backup)
    long_stream.s3.delete_object(Bucket=BUCKET, Key=second.key)
    with pytest.raises(OperationError, match=r"large_objects\.dump\.2 is gone from the bucket"):
        Store(long_stream.s3, BUCKET).get(backup.id)


def test_a_stream_that_breaks_in_its_third_object_leaves_none_of_them(
    long_stream: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No object is completed before pg_dump has ended well."""
    real = object_series.SeriesWriter.write

    def write(writer: Any, block: bytes) -> None:
        if len(writer._writers) == 3:
            raise OperationError("the connection is cut")
        real(writer, block)

    with monkeypatch.context() as patch:
        patch.setattr(object_series.SeriesWriter, "write", write)
        with pytest.raises(OperationError, match="the connection is cut"):
            long_stream.backup(largest_object_bytes=LARGEST_BYTES)
    listed = long_stream.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    assert [one["Key"] for one in listed if "large_objects" in one["Key"]] == []
    assert_nothing_remains(long_stream, None)


@pytest.fixture(params=[60, 120])
def wide(site: Site, request: pytest.FixtureRequest) -> Iterator[Site]:
    """One row that libpq cannot copy out of its buffer, or that does not even fit into that."""
    row = f"CREATE TABLE wide AS SELECT repeat('x', {request.param}000000) AS text"
    with site.server.superuser(SOURCE) as connection:
        connection.execute(row.encode())
    yield site
    with site.server.superuser(SOURCE) as connection:
        connection.execute("DROP TABLE wide")


def test_a_row_that_does_not_fit_into_the_memory_is_named(
    wide: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """The kernel does not end the run: the program is refused its memory, and says so."""
    words = (
        r"^a row of public\.wide is too wide: psql: (COPY data transfer failed: out of memory|cannot "
        r"allocate memory for input buffer), within the 96 MiB that one program has here; no backup "
        r"was made\. Give it"
    )
    with pytest.raises(OverMemoryError, match=words) as refused:
        wide.backup(memory_bytes=256 * 1024 * 1024)
    assert refused.value.estimate.size_bytes > 0
    assert '"backup_failed"' in capsys.readouterr().out
    with pytest.raises(OverMemoryError):
        wide.backup(memory_bytes=256 * 1024 * 1024, too_large_fails=False)
    # Who hands it over says how it ended.
    assert '"backup_failed"' not in capsys.readouterr().out
    assert wide.manifests() == []
    assert wide.uploads() == []
    made = wide.backup(memory_bytes=1024 * 1024 * 1024)
    assert made.row_counts["public.wide"] == 1
