"""Rules of the pooler: machines, pools and the connection budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.machines import database_memory_gib, is_arm64
from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings

# RDS computes its default max_connections as memory / 9531392 bytes: more would starve the cache.
# AWS RDS user guide: maximum number of database connections.
BYTES_PER_CONNECTION = 9_531_392
# Pools that a host opens: (application, primary), (readonly, primary) and, while a role rotates
# between its two users, one more.
POOLS_PER_HOST = 3


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Machines that do not boot and pools that do not fit into the database."""
    yield from _connections(settings)
    yield from _machines(settings)
    yield from _pools(settings)


def _connections(settings: Settings) -> Iterator[Refusal]:
    database, pooler = settings.database, settings.pooler
    memory_gib = database_memory_gib(database.instance_class)
    if memory_gib is not None:
        most = memory_gib * 1024**3 // BYTES_PER_CONNECTION
        if database.max_connections > most:
            yield Refusal(
                "database.max_connections",
                database.max_connections,
                f"at most {most} on {database.instance_class} ({memory_gib} GiB)",
                "each connection takes about 9.5 MB of memory by RDS's own formula",
                "Lower it or choose a larger database.instance_class.",
            )
    wanted = pooler.host_count * POOLS_PER_HOST * pooler.default_pool_size
    wanted += pooler.host_count * pooler.reserve_pool_size
    budget = database.max_connections - database.reserved_connections
    if wanted > budget:
        yield Refusal(
            "pooler.default_pool_size",
            pooler.default_pool_size,
            f"{pooler.host_count} hosts may open {wanted} connections, the budget is {budget} "
            f"({database.max_connections} max_connections less "
            f"{database.reserved_connections} reserved)",
            "PostgreSQL refuses connections past the limit, to administrators too",
            "Lower the pool or raise database.max_connections.",
        )


def _machines(settings: Settings) -> Iterator[Refusal]:
    pooler = settings.pooler
    arm64 = is_arm64(pooler.instance_type)
    if arm64 != (pooler.architecture == "arm64"):
        actual = "arm64" if arm64 else "x86_64"
        yield Refusal(
            "pooler.architecture",
            pooler.architecture,
            f"must be {actual!r} for {pooler.instance_type}",
            "an image of another processor does not boot",
            f"Set it to {actual!r} or change pooler.instance_type.",
        )


def _pools(settings: Settings) -> Iterator[Refusal]:
    pooler = settings.pooler
    if pooler.min_pool_size > pooler.default_pool_size:
        yield Refusal(
            "pooler.min_pool_size",
            pooler.min_pool_size,
            f"at most {pooler.default_pool_size} (pooler.default_pool_size)",
            "a pool cannot keep more connections than it may have",
            "Lower pooler.min_pool_size.",
        )
    if pooler.server_idle_timeout_seconds > pooler.server_lifetime_seconds:
        yield Refusal(
            "pooler.server_idle_timeout_seconds",
            pooler.server_idle_timeout_seconds,
            f"at most {pooler.server_lifetime_seconds} (pooler.server_lifetime_seconds)",
            "a connection is replaced before it could be idle for so long",
            "Lower pooler.server_idle_timeout_seconds.",
        )
