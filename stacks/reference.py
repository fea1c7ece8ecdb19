"""Writes every setting with its unit, default, limits, reason and source as a Markdown page.

`python -m stacks.reference > docs/settings.md`
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from stacks.defaults import ENVIRONMENT_DEFAULTS
from stacks.messages import group_of
from stacks.schema import SettingsGroup
from stacks.settings import Settings

_HEADER = """# Settings

Everything that `stacks/Pulumi.<environment>.yaml` may say under `pgkeep:settings`. Written by
`python -m stacks.reference` from the schema in `stacks/`; rules that span settings are in
`stacks/rules/`. A value that is refused is reported in one line with the reason given here.
What differs between environments is in the column `default` and stands in `stacks/defaults.py`.

`pgkeep settings prod` shows what a stack has in effect, where each value comes from, and the
arithmetic of the connection budget (`--json` for scripts); `pgkeep settings --all --check` only
judges, without the engine and without AWS, and ends with 1 where something is refused. Editors
complete and check the files by `stacks/settings.schema.json`, which their first line names. What
AWS offers (instance classes by region and version, instance types, engine versions) and what
PostgreSQL's parameters take is read from data that others keep: see `facts/`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEADER, *_tables(Settings, "")]) + "\n"


def _tables(group: type[SettingsGroup], path: str) -> Iterator[str]:
    summary = " ".join((group.__doc__ or "").split())
    yield f"## {f'`{path[:-1]}`' if path else 'The stack'}\n\n{summary}\n"
    yield "| setting | what | unit | default | limits | why | source |"
    yield "|---|---|---|---|---|---|---|"
    inner: list[tuple[type[SettingsGroup], str]] = []
    for name, field in group.model_fields.items():
        nested = group_of(field.annotation)
        if nested is not None and issubclass(nested, SettingsGroup):
            several = "[]" if get_origin(field.annotation) is tuple else ""
            inner.append((nested, f"{path}{name}{several}."))
        yield _row(f"{path}{name}", field, nested is not None)
    yield ""
    for nested, nested_path in inner:
        yield from _tables(nested, nested_path)


def _row(path: str, field: FieldInfo, nested: bool) -> str:
    extra = field.json_schema_extra
    notes: dict[str, Any] = dict(extra) if isinstance(extra, dict) else {}
    default = "" if nested else _defaults(path, field)
    cells = (
        f"`{path}`",
        field.description or "",
        notes.get("unit", ""),
        default,
        limits(field),
        notes.get("why", ""),
        notes.get("source", ""),
    )
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _defaults(path: str, field: FieldInfo) -> str:
    """The field's own default, and each environment's where it differs."""
    own = [] if field.is_required() else [f"`{field.default}`"]
    by_environment = [
        f"{environment} `{value}`"
        for row in ENVIRONMENT_DEFAULTS
        if row.field == path
        for environment, value in row.values.items()
        if field.is_required() or value != field.default
    ]
    return "; ".join([*own, *by_environment]) or "required"


def limits(field: FieldInfo) -> str:
    """What a field takes: its choices, its bounds, or the form of its text."""
    values = get_args(field.annotation)
    if values and all(isinstance(value, str | int) for value in values):
        return ", ".join(str(value) for value in values)
    bounds = {
        sign: getattr(rule, attribute)
        for rule in field.metadata
        for attribute, sign in (("ge", "≥"), ("le", "≤"))
        if hasattr(rule, attribute)
    }
    if not bounds and isinstance(field.json_schema_extra, dict):
        return str(field.json_schema_extra.get("form", ""))
    return " ".join(f"{sign} {value}" for sign, value in bounds.items())


if __name__ == "__main__":
    print(page(), end="")
