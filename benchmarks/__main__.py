"""`make bench`: measures pgkeep beside what a user would run instead, in one run, as ratios.

Prints a Markdown table (the README's), also into `.build/benchmarks.md`, and writes every number to
`.build/benchmarks.json`. Nothing here fails for being slow: a slow machine is not a defect.
"""

from __future__ import annotations

import json
import sys

from benchmarks import backups, deployment, policy_check, pooling
from benchmarks.results import Measurement, print_table, table
from toolchain.environment import REPOSITORY
from toolchain.steps import RefusedError, fail


def main() -> int:
    """Runs every benchmark on a local stack of its own; returns the exit code."""
    measurements: list[Measurement] = []
    try:
        with deployment.measured_stack(measurements) as stack:
            measurements += pooling.measure(stack)
        measurements += deployment.measure_previews()
        measurements += policy_check.measure()
        measurements += backups.measure()
    except RefusedError as refused:
        return fail(str(refused))
    print_table(measurements)
    folder = REPOSITORY / ".build"
    (folder / "benchmarks.md").write_text(table(measurements))
    (folder / "benchmarks.json").write_text(
        json.dumps([vars(m) for m in measurements], indent=2) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
