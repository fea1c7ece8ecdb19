"""Settings of the RDS snapshot export that takes the place of a backup without a worker."""

from __future__ import annotations

from stacks.schema import SettingsGroup, setting

_EXPORTS = "AWS RDS user guide: exporting DB snapshot data to Amazon S3"


class SnapshotExportSettings(SettingsGroup):
    """What becomes of a backup that would pass the function's limit where there is no worker."""

    enabled: bool = setting(
        "Without a worker, have RDS export a snapshot as Parquet to the backup bucket; off, such a "
        "backup is refused with its estimate",
        default=True,
        why="better than no copy at all; RDS charges the export by the size of the snapshot, and "
        "neither pgkeep nor pg_restore can restore it",
        source=_EXPORTS,
    )
    oldest_snapshot_hours: int = setting(
        "A scheduled backup exports RDS's newest automated snapshot, unless it is older than this; "
        "then, and for manual and pre-migration backups, a snapshot is taken",
        default=24,
        unit="hours",
        ge=1,
        le=168,
        why="what is exported must not lose more than a daily backup would; a snapshot taken for "
        "an export stays until a person deletes it, and RDS keeps 100 a region",
        source=_EXPORTS,
    )
