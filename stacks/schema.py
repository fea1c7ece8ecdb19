"""What every group of settings is made of: frozen, with unit, source and reason a field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.types import JsonValue
from pydantic_core import PydanticCustomError

from stacks.forms import Form

Environment = Literal["local", "dev", "staging", "prod"]
Architecture = Literal["x86_64", "arm64"]

_REQUIRED: Any = ...
RULES_ERROR = "settings_rules"


class SettingsGroup(BaseModel):
    """A group of settings: cannot be changed after loading and refuses names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def setting(
    description: str,
    *,
    why: str,
    default: Any = _REQUIRED,
    unit: str = "",
    source: str = "",
    form: Form | None = None,
    each: Form | None = None,
    **constraints: Any,
) -> Any:
    """One documented setting.

    Args:
        description: what it sets.
        why: why its limits are what they are; shown when a value is refused.
        default: used where the stack file is silent; without one the setting is required.
        unit: the unit of the value, for numbers.
        source: where the number or rule comes from (a guide, AWS's or PostgreSQL's documentation).
        form: form of a text.
        each: form of each member of a list or name of a mapping, whose type has the pattern.
        constraints: pydantic's (`ge`, `le`, `min_length`, ...).
    """
    notes: dict[str, JsonValue] = {"unit": unit, "source": source, "why": why}
    if form is not None:
        constraints["pattern"] = form.pattern
        if form.longest is not None:
            constraints["max_length"] = form.longest
    told = form or each
    if told is not None:
        notes["form"] = told.words
    return Field(default, description=description, json_schema_extra=notes, **constraints)


@dataclass(frozen=True)
class Refusal:
    """A value that a rule refuses: which field, the value, the limit, why, and what to do."""

    field: str
    value: object
    limit: str
    reason: str
    remedy: str

    def __str__(self) -> str:
        """One line."""
        value = shown(self.value)
        return f"{self.field}: {value} refused, {self.limit}: {self.reason}. {self.remedy}"


def shown(value: object) -> str:
    """A value as the stack's file writes it: `true`, `null`, `'text'`, `[1, 2]`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return repr(value)


def rules_error(refusals: list[Refusal]) -> PydanticCustomError:
    """All refusals of the rules that span fields as one error, so that none hides another."""
    summary = "; ".join(str(refusal) for refusal in refusals)
    return PydanticCustomError(RULES_ERROR, "{summary}", {"summary": summary, "refusals": refusals})
