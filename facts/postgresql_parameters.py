"""PostgreSQL's parameters as RDS offers them, and why a value would be refused.

`postgresql<major>_parameters.jsonl` is `pg_settings` of that major version with RDS's libraries
loaded: type, unit, range, choices and context as the server itself reports them. RDS adds its own
`rds.*` rows and keeps some for itself (`"modifiable": false`). AWS RDS user guide: "Working with
parameters on your RDS for PostgreSQL DB instance", "Scheduling maintenance with the pg_cron
extension".
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from facts.parameter_formulas import VARIABLES, FormulaError, evaluate, is_formula

FAMILY = "postgres17"

# Libraries that RDS offers and whose own parameters are not in the table: accepted unjudged. AWS
# RDS for PostgreSQL release notes: extensions supported.
_UNJUDGED = ("orafce.", "pg_bigm.", "pg_hint_plan.", "pg_partman_bgw.", "pg_tle.", "pg_transport.",
             "pglogical.", "plprofiler.", "plrust.", "plv8.", "postgis.")  # fmt: skip
_BOOLEANS = ("0", "1", "on", "off", "true", "false", "yes", "no")
# Octal, as chmod takes them.
_FILE_MODES = ("log_file_mode", "unix_socket_permissions", "data_directory_mode")
# In the smallest unit. PostgreSQL documentation: parameter names and values.
_UNITS = {
    "B": 1, "kB": 1024, "8kB": 8192, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4,
    "us": 1, "ms": 1_000, "s": 1_000_000, "min": 60_000_000, "h": 3_600_000_000,
    "d": 86_400_000_000,
}  # fmt: skip
_MEMORY = ("B", "kB", "8kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class PostgresqlParameter:
    """One parameter of a family."""

    name: str
    """Lower case, as RDS writes it."""
    type: str
    """`bool`, `integer`, `real`, `string` or `enum`."""
    context: str
    """Who may change it when: pg_settings.context."""
    modifiable: bool
    """Whether RDS lets its customers change it."""
    default: str | None
    description: str
    minimum: str | None = None
    maximum: str | None = None
    values: tuple[str, ...] = ()
    unit: str | None = None

    @property
    def static(self) -> bool:
        """Whether a change takes effect only after a restart."""
        return self.context == "postmaster"

    @property
    def apply_method(self) -> str:
        """How RDS has to be told to apply a change: `immediate`, or `pending-reboot` if static."""
        return "pending-reboot" if self.static else "immediate"

    @property
    def limit(self) -> str:
        """What may stand there, in words."""
        unit = f" {self.unit}" if self.unit else ""
        match self.type:
            case "bool":
                return "0 or 1"
            case "enum":
                return f"one of {', '.join(self.values)}"
            case "integer" | "real" if self.minimum is not None:
                whole = "a whole number" if self.type == "integer" else "a number"
                return f"{whole} from {self.minimum} to {self.maximum}{unit}"
            case _:
                return "one line of text"


@dataclass(frozen=True)
class Problem:
    """Why a parameter or its value is refused."""

    limit: str
    reason: str
    remedy: str


@cache
def catalogue(family: str = FAMILY) -> Mapping[str, PostgresqlParameter]:
    """All parameters of a family by lower-case name; empty for a family without a table."""
    file = Path(__file__).with_name(f"{family.replace('postgres', 'postgresql')}_parameters.jsonl")
    if not file.is_file():
        return {}
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return {parameter.name: parameter for parameter in map(_from_row, rows)}


def parameter(name: str, family: str = FAMILY) -> PostgresqlParameter | None:
    """The parameter called `name` in any case; None if the family has none.

    Of a library that RDS offers but whose parameters are not in the table, a parameter that takes
    any text and is applied at the next restart, which RDS accepts for every parameter.
    """
    found = catalogue(family).get(name.lower())
    if found is None and name.lower().startswith(_UNJUDGED):
        return PostgresqlParameter(name.lower(), "string", "postmaster", True, None, "")
    return found


def problem(name: str, value: str, family: str = FAMILY) -> Problem | None:
    """Why RDS would refuse `name = value`; None if it would not."""
    known = parameter(name, family)
    if known is None:
        close = difflib.get_close_matches(name.lower(), catalogue(family), n=3)
        return Problem(
            f"must be a parameter of {family}",
            "RDS refuses names that the family does not have",
            f"Did you mean {' or '.join(close)}?" if close else "Remove it.",
        )
    if not known.modifiable:
        return Problem(
            "cannot be modified on RDS",
            "RDS manages it itself and refuses a parameter group that sets it",
            "Remove it.",
        )
    return _wrong_value(known, value)


def _wrong_value(known: PostgresqlParameter, value: str) -> Problem | None:
    reason = f"PostgreSQL could not start with it ({known.description.rstrip('.').lower()})"
    remedy = f"Use {known.limit}."
    match known.type:
        case "bool" if value.lower() in _BOOLEANS:
            return None
        # PostgreSQL takes booleans where `on` and `off` are among the choices.
        case "enum" if value.lower() in {choice.lower() for choice in known.values}:
            return None
        case "enum" if "on" in known.values and value in ("0", "1"):
            return None
        case "string" if "\n" not in value and "\0" not in value:
            return None
        case "integer" | "real":
            converted = _without_unit(known, value)
            if converted is not None:
                reason = f"RDS takes a number in {known.unit}, without a unit"
                remedy = f"Write {converted}."
            elif _number_allowed(known, value):
                return None
        case _:
            pass
    return Problem(known.limit, reason, remedy)


def _number_allowed(known: PostgresqlParameter, value: str) -> bool:
    if is_formula(value):
        # Its result depends on the instance class: only the grammar is judged.
        try:
            evaluate(value, dict.fromkeys(VARIABLES, 2**34))
        except FormulaError:
            return False
        return True
    try:
        number = float(int(value, 8) if known.name in _FILE_MODES else value)
    except ValueError:
        return False
    low, high = float(known.minimum or "-inf"), float(known.maximum or "inf")
    return low <= number <= high and (known.type == "real" or number.is_integer())


def _without_unit(known: PostgresqlParameter, value: str) -> str | None:
    """`64MB` as the number that RDS takes, if the value has a unit that fits the parameter's."""
    match = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB|us|ms|s|min|h|d)\s*", value)
    if match is None or known.unit is None or (match[2] in _MEMORY) != (known.unit in _MEMORY):
        return None
    return str(round(float(match[1]) * _UNITS[match[2]] / _UNITS[known.unit]))


def _from_row(row: dict[str, Any]) -> PostgresqlParameter:
    return PostgresqlParameter(
        name=str(row["name"]).lower(),
        type=row["type"],
        context=row["context"],
        modifiable=row.get("modifiable", True),
        default=row["default"],
        description=row["description"],
        minimum=row.get("min"),
        maximum=row.get("max"),
        values=tuple(row.get("values") or ()),
        unit=row.get("unit"),
    )
