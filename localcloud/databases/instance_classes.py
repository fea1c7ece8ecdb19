"""DB instance classes: memory and processors, from which RDS computes parameter defaults.

Source: AWS, "Hardware specifications for DB instance classes"; families that RDS for PostgreSQL 17
offers. RDS takes a little less than the class's memory as `DBInstanceClassMemory` (its own
processes' share is not published); here it is all of it, so `max_connections` is the nominal value.
"""

from dataclasses import dataclass
from functools import cache

GIBIBYTE = 1024**3

_BURSTABLE_MEMORY_GIB = {
    "micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32,
}  # fmt: skip
_PROCESSORS = {
    "medium": 1, "large": 2, "xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32,
    "12xlarge": 48, "16xlarge": 64, "24xlarge": 96, "32xlarge": 128, "48xlarge": 192,
}  # fmt: skip
_BURSTABLE = ("t3", "t4g")
# Family -> GiB of memory a processor.
_MEMORY_GIB_A_PROCESSOR = {
    "m5": 4, "m5d": 4, "m6g": 4, "m6gd": 4, "m6i": 4, "m6id": 4, "m7g": 4, "m7i": 4, "m8g": 4,
    "r5": 8, "r5b": 8, "r5d": 8, "r6g": 8, "r6gd": 8, "r6i": 8, "r6id": 8, "r7g": 8, "r7i": 8,
    "r8g": 8, "x2g": 16, "c6gd": 2,
}  # fmt: skip
_MEDIUM_FAMILIES = ("c6gd",)
# The largest size of each generation; larger ones are no DB instance classes.
_LARGEST_PROCESSORS = {"m6g": 64, "m6gd": 64, "m7g": 64, "r6g": 64, "r6gd": 64, "r7g": 64,
                       "x2g": 64, "c6gd": 64, "m5": 96, "m5d": 96, "r5": 96, "r5b": 96,
                       "r5d": 96, "m6i": 128, "m6id": 128, "r6i": 128, "r6id": 128}  # fmt: skip


@dataclass(frozen=True)
class InstanceClass:
    """One DB instance class."""

    name: str
    memory_bytes: int
    processors: int


def by_name(name: str) -> InstanceClass:
    """Return the class called `name`, such as "db.t4g.medium". Raises KeyError."""
    return _classes()[name]


def exists(name: str) -> bool:
    """Whether RDS has such a class."""
    return name in _classes()


def all_classes() -> list[InstanceClass]:
    """Every class, smallest of each family first."""
    return list(_classes().values())


@cache
def _classes() -> dict[str, InstanceClass]:
    found: list[InstanceClass] = []
    for family in _BURSTABLE:
        for size, memory in _BURSTABLE_MEMORY_GIB.items():
            # Burstable classes have two processors up to large.
            processors = _PROCESSORS[size] if size.endswith("xlarge") else 2
            found.append(InstanceClass(f"db.{family}.{size}", memory * GIBIBYTE, processors))
    for family, ratio in _MEMORY_GIB_A_PROCESSOR.items():
        for size, processors in _PROCESSORS.items():
            if size == "medium" and family not in _MEDIUM_FAMILIES:
                continue
            if processors <= _LARGEST_PROCESSORS.get(family, processors):
                memory = processors * ratio * GIBIBYTE
                found.append(InstanceClass(f"db.{family}.{size}", memory, processors))
    return {instance_class.name: instance_class for instance_class in found}
