"""Writes facts/instance_prices.tsv from the data of ec2instances.info, a pinned Go module.

`python -m toolchain.instance_prices`, after a newer version in `instance_prices_module/go.mod`.
The data is AWS's price list, as that site read it, of every instance in every region. Kept are
the classes that RDS offers for PostgreSQL, and of EC2 the families t, m, c and r, which a pooler
host can be; both only where cfn-lint's schemas still know them.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from facts import ec2, rds, regions
from facts.prices import INSTANCES
from toolchain.steps import RefusedError, console, fail, step

MODULE = Path(__file__).parent / "instance_prices_module"
DATA = "github.com/LeanerCloud/ec2-instances-info"
DOWNLOAD_TIMEOUT_SECONDS = 300
# Keys of the data. "PostgreSQL" is AWS's engine code 14 (operation CreateDBInstance:0014),
# Single-AZ. "linux" is Linux without further software, shared tenancy.
RDS_KEY = "PostgreSQL"
EC2_KEY = "linux"
_EC2_FAMILIES = re.compile(r"[tmcr]\d")

HEAD = """\
# Written by `python -m toolchain.instance_prices`; do not edit.
# AWS's price list of Amazon RDS for PostgreSQL (Single-AZ, US dollars an hour, on demand) and
# Amazon EC2 (Linux, shared tenancy, US dollars an hour, on demand), as read by ec2instances.info
# and published
# in the Go module {module} {version}.
# source ec-instances-info: as published on {date}
# The data is distributed under the MIT licence: Copyright (c) 2013 Garret Heaton (powdahound.com).
#   Permission is hereby granted, free of charge, to any person obtaining a copy of this software
#   and associated documentation files (the "Software"), to deal in the Software without
#   restriction, including without limitation the rights to use, copy, modify, merge, publish,
#   distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
#   Software is furnished to do so, subject to the following conditions: The above copyright
#   notice and this permission notice shall be included in all copies or substantial portions of
#   the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
#   IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A
#   PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
#   LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
#   OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER
#   DEALINGS IN THE SOFTWARE.
"""

Prices = Mapping[str, Mapping[str, Decimal]]
"""US dollars an hour by type and region."""


def download() -> tuple[Path, str, str]:
    """The folder of the module's data, its path and its version; verified by `go.sum`.

    Raises:
        RefusedError: there is no Go, or the module cannot be had.
    """
    try:
        result = subprocess.run(
            ["go", "mod", "download", "-json", DATA],
            cwd=MODULE,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RefusedError(f"go mod download {DATA} did not run: {error}; install Go.") from None
    if result.returncode != 0:
        raise RefusedError(f"{DATA} cannot be downloaded: {result.stderr.strip()[-300:]}")
    answer = json.loads(result.stdout)
    return Path(answer["Dir"]) / "data", answer["Path"], answer["Version"]


def date_of(version: str) -> str:
    """`2025-05-28` of a Go pseudo-version `v0.0.0-20250528091325-32acf84f42eb`.

    Raises:
        RefusedError: a version without a date; then the table's date would be a guess.
    """
    found = re.search(r"-(\d{4})(\d{2})(\d{2})\d{6}-", version)
    if found is None:
        raise RefusedError(f"{version} of {DATA} has no date; pin a version with one.")
    return "-".join(found.groups())


def prices_of(
    entries: Iterable[Mapping[str, Any]], key: str, kept: frozenset[str]
) -> tuple[Prices, Mapping[str, int]]:
    """Prices and vCPU of the kept types; only of regions, not of local and wavelength zones."""
    prices: dict[str, dict[str, Decimal]] = {}
    processors: dict[str, int] = {}
    for entry in entries:
        name = str(entry["instance_type"])
        if name not in kept:
            continue
        found = {
            region: Decimal(str(offer[key]["ondemand"]))
            for region, offer in entry["pricing"].items()
            if regions.exists(region) and "ondemand" in offer.get(key, {})
        }
        found = {region: usd for region, usd in found.items() if usd > 0}
        if found:
            prices[name] = found
            processors[name] = int(entry.get("vcpu") or entry["vCPU"])
    return prices, processors


def table(
    kinds: Mapping[str, tuple[Prices, Mapping[str, int]]],
) -> Iterator[str]:
    """The lines of the table: a type a row, a region a column."""
    columns = sorted({r for prices, _ in kinds.values() for row in prices.values() for r in row})
    yield "\t".join(["item", "vcpus", *columns])
    for kind, (prices, processors) in kinds.items():
        for name in sorted(prices, key=_by_family_and_size):
            cells = (prices[name].get(region) for region in columns)
            shown = ["" if usd is None else f"{usd.normalize():f}" for usd in cells]
            yield "\t".join([f"{kind}/{name}", str(processors[name]), *shown])


def _by_family_and_size(name: str) -> tuple[str, int, str]:
    family, size = name.removeprefix("db.").split(".", 1)
    factor = re.match(r"(\d*)xlarge", size)
    return family, int(factor[1] or 1) if factor else 0, size


def offered(kind: str) -> frozenset[str]:
    """The classes or types that AWS sells anywhere now, as cfn-lint's schemas say."""
    if kind == "rds.instance":
        return frozenset().union(*(rds.instance_classes(r) or () for r in rds.regions()))
    types = frozenset[str]().union(*(ec2.instance_types(r) or () for r in ec2.regions()))
    return frozenset(name for name in types if _EC2_FAMILIES.match(name))


def write(data: Path, module: str, version: str) -> None:
    """Writes the table from the module's data folder."""
    kinds = {
        kind: prices_of(json.loads((data / file).read_text(), parse_float=Decimal), key, kept)
        for kind, file, key, kept in (
            ("rds.instance", "rds-instances.json", RDS_KEY, offered("rds.instance")),
            ("ec2.instance", "instances.json", EC2_KEY, offered("ec2.instance")),
        )
    }
    head = HEAD.format(module=module, version=version, date=date_of(version))
    INSTANCES.write_text(head + "\n".join(table(kinds)) + "\n")


def main() -> int:
    """Downloads the data and writes the table."""
    try:
        with step("Data of ec2instances.info"):
            data, module, version = download()
        with step(f"{INSTANCES.name} of {date_of(version)}"):
            write(data, module, version)
    except RefusedError as refused:
        return fail(str(refused))
    console.print(f"  {INSTANCES.stat().st_size / 1024:,.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
