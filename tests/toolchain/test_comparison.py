"""The comparison with other tools names settings that exist and leaves nothing out quietly."""

from __future__ import annotations

import typing
from collections import Counter
from collections.abc import Iterator
from typing import Any

from stacks.settings import Settings
from toolchain import comparison

SOURCES, ROWS = comparison.read()


def fields(model: Any, prefix: str = "") -> Iterator[str]:
    """Every field of the settings, dotted; lists and mappings by what they hold."""
    for name, field in model.model_fields.items():
        models = [kind for kind in kinds(field.annotation) if hasattr(kind, "model_fields")]
        yield prefix + name
        for inner in models:
            yield from fields(inner, f"{prefix}{name}.")


def kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in typing.get_args(annotation):
        yield from kinds(inner)


def test_every_named_setting_exists() -> None:
    known = set(fields(Settings))
    assert "database.storage_throughput_mibps" in known
    unknown = {name: row.name for row in ROWS for name in row.settings if name not in known}
    assert unknown == {}


def test_every_source_has_all_its_rows() -> None:
    assert {source.name: source.rows for source in SOURCES} == Counter(row.source for row in ROWS)
    # Inputs counted in the sources themselves, at the versions that the table names.
    assert {source.name.split("//")[-1]: source.rows for source in SOURCES} == {
        "terraform-aws-modules/rds": 111,
        "modules/db_instance": 89,
        "modules/db_instance_automated_backups_replication": 6,
        "modules/db_instance_role_association": 5,
        "modules/db_option_group": 11,
        "modules/db_parameter_group": 9,
        "modules/db_subnet_group": 7,
        "cloudposse/rds": 79,
        "CDK": 121,
        "SST": 25,
    }
    assert len({(row.source, row.name) for row in ROWS}) == len(ROWS)


def test_every_row_says_what_or_why() -> None:
    for row in ROWS:
        assert row.verdict in comparison.VERDICTS, row
        assert bool(row.settings) == (row.verdict == "setting"), row
        assert row.verdict == "setting" or row.note, row


def test_the_page_is_what_the_table_says() -> None:
    assert comparison.PAGE.read_text() == comparison.page()
