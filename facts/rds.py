"""What Amazon RDS offers: instance classes by region and version, engine versions and their end."""

from __future__ import annotations

import datetime
import re
from functools import cache

from facts import cloudformation

ENGINE = "postgres"

_CLASSES_BY_REGION = "aws_rds_dbinstance/dbinstanceclass_enum"
_CLASSES_BY_VERSION = "aws_rds_dbinstance/db_instance_class"
_VERSIONS = "aws_rds_dbinstance/engine_version"
_DEPRECATED = "aws_rds_dbinstance/engine_version_deprecated"

# Last day of RDS's standard support by major version; then extended support is charged by vCPU.
# AWS RDS for PostgreSQL release notes: release calendars (end of February after the community's
# last release).
STANDARD_SUPPORT_ENDS = {
    "13": datetime.date(2026, 2, 28),
    "14": datetime.date(2027, 2, 28),
    "15": datetime.date(2028, 2, 29),
    "16": datetime.date(2029, 2, 28),
    "17": datetime.date(2030, 2, 28),
    "18": datetime.date(2031, 2, 28),
}


@cache
def regions() -> frozenset[str]:
    """The regions whose instance classes are known."""
    return cloudformation.regions(_CLASSES_BY_REGION)


@cache
def instance_classes(region: str) -> frozenset[str] | None:
    """RDS for PostgreSQL's instance classes in a region; None where the region is not known."""
    found = cloudformation.by_region(_CLASSES_BY_REGION, region)
    if found is None:
        return None
    # A class may be listed under several licence models; PostgreSQL's has none.
    return cloudformation.choices(found["allOf"], "DBInstanceClass", Engine=ENGINE)


@cache
def instance_classes_of_version(version: str) -> frozenset[str]:
    """Instance classes that offer an engine version, or any supported minor of a major version.

    Empty where the data says nothing about the version.
    """
    minors = [version] if "." in version else [v for v in supported_versions(version) if "." in v]
    found: set[str] = set()
    for pair in cloudformation.conditions(_CLASSES_BY_VERSION, ENGINE):
        pattern = pair["if"]["properties"]["EngineVersion"]["pattern"]
        if any(re.match(pattern, minor) for minor in minors):
            found.update(pair["then"]["properties"]["DBInstanceClass"]["enum"])
    return frozenset(found)


@cache
def known_versions() -> frozenset[str]:
    """Every version that RDS ever offered, major (`17`) and minor (`17.10`)."""
    return cloudformation.choices(
        cloudformation.conditions(_VERSIONS, ENGINE), "EngineVersion", Engine=ENGINE
    )


@cache
def deprecated_versions() -> frozenset[str]:
    """Versions that RDS does not create any more; a major version if all its minors are."""
    found: set[str] = set()
    for pair in cloudformation.conditions(_DEPRECATED, ENGINE):
        found.update(pair["if"]["properties"]["EngineVersion"]["enum"])
    alive = {_major(version) for version in known_versions() - found if "." in version}
    return frozenset(version for version in found if "." in version or _major(version) not in alive)


def supported_versions(major: str) -> list[str]:
    """The major version and its minors that RDS creates, oldest first; empty if there is none."""
    alive = known_versions() - deprecated_versions()
    return sorted((version for version in alive if _major(version) == major), key=_numbers)


def latest_minor(major: str) -> str | None:
    """The newest minor version of a major version, such as `17.11`."""
    minors = [version for version in supported_versions(major) if "." in version]
    return minors[-1] if minors else None


def _major(version: str) -> str:
    return version.split(".", 1)[0]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
