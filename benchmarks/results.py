"""What a benchmark measures and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """One row: what was measured, in which unit, against what, and the aim if there is one."""

    name: str
    value: float
    unit: str
    reference_name: str = ""
    reference_value: float | None = None
    aim: str = ""
    note: str = ""

    @property
    def ratio(self) -> str:
        """The value divided by the reference's, as text; empty without a reference."""
        if not self.reference_value:
            return ""
        return f"{self.value / self.reference_value:.2f}"


def table(measurements: list[Measurement]) -> str:
    """The measurements as a Markdown table."""
    lines = [
        "| measured | value | beside | its value | ratio | aim | note |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in measurements:
        reference = "" if row.reference_value is None else f"{row.reference_value:.1f} {row.unit}"
        lines.append(
            f"| {row.name} | {row.value:.1f} {row.unit} | {row.reference_name} | {reference} "
            f"| {row.ratio} | {row.aim} | {row.note} |"
        )
    return "\n".join(lines) + "\n"


def print_table(measurements: list[Measurement]) -> None:
    """Prints the measurements as a Markdown table."""
    print("\n" + table(measurements))
