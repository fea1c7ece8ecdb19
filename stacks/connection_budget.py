"""How many server connections the pools may open: the arithmetic, for people and for the rules.

Every pool of every host has to fit into max_connections beside everybody who connects directly.
While hosts are replaced there are two more of them than usual: the new one, and the one that
drains. What is left for one host is PgBouncer's `max_db_connections`, so the budget holds whatever
the pools would like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacks.machines import database_memory_gib

if TYPE_CHECKING:
    from stacks.pooler_settings import PoolerSettings
    from stacks.settings import Settings

# AWS RDS user guide, "Maximum number of database connections":
# max_connections = LEAST({DBInstanceClassMemory/9531392}, 5000).
BYTES_PER_CONNECTION = 9_531_392
MOST_CONNECTIONS = 5_000
# DBInstanceClassMemory is the machine's memory less what RDS's own processes take, which AWS does
# not publish; so much is left out here, so that the estimate errs on the safe side.
_RDS_SHARE_PERCENT = 10
_RDS_SHARE_LEAST_BYTES = 256 * 1024**2
# While hosts are replaced: one that is new and one that drains.
HOSTS_IN_TRANSIT = 2
READONLY_SUFFIX = "_readonly"


@dataclass(frozen=True)
class Demand:
    """Server connections that one host's pools of one database may want, in parts."""

    parts: tuple[tuple[str, int], ...]

    @property
    def connections(self) -> int:
        """All parts together."""
        return sum(count for _, count in self.parts)


@dataclass(frozen=True)
class ServerBudget:
    """The arithmetic for one server: the primary, or any one of the replicas."""

    database: str
    """PgBouncer's database that leads there."""
    max_connections: int
    origin: str
    """Where `max_connections` comes from."""
    kept: tuple[tuple[str, int], ...]
    """Connections that the pools leave to others."""
    peak_hosts: int
    demand: Demand

    @property
    def for_pools(self) -> int:
        """Connections that all hosts may open together."""
        return self.max_connections - sum(count for _, count in self.kept)

    @property
    def per_host(self) -> int:
        """Connections that one host may open: `max_db_connections`. Below 1 nothing works."""
        return self.for_pools // self.peak_hosts

    @property
    def fits(self) -> bool:
        """Whether a host's pools can all be full at once."""
        return self.demand.connections <= self.per_host

    @property
    def arithmetic(self) -> str:
        """On one line, for a refusal."""
        kept = "".join(f" - {count} {what}" for what, count in self.kept)
        parts = " + ".join(f"{count} {what}" for what, count in self.demand.parts)
        return (
            f"({self.max_connections} max_connections{kept}) / {self.peak_hosts} hosts while one "
            f"is replaced = {self.per_host} a host, wanted {parts} = {self.demand.connections}"
        )

    def lines(self) -> list[str]:
        """A small table, for people."""
        rows = [(self.max_connections, f"max_connections of {self.database}: {self.origin}")]
        rows += [(-count, what) for what, count in self.kept]
        rows += [
            (self.for_pools, "for the pools of all hosts"),
            (self.per_host, f"for one of {self.peak_hosts} hosts (two more while one is replaced)"),
            (self.demand.connections, "wanted by one host:"),
        ]
        found = [f"{number:>6}  {text}" for number, text in rows]
        found += [f"{'':>6}    {count} {what}" for what, count in self.demand.parts]
        return found


@dataclass(frozen=True)
class ConnectionBudget:
    """The budgets of the primary and, where there is a read pool, of a replica."""

    primary: ServerBudget
    replica: ServerBudget | None

    def lines(self) -> list[str]:
        """What `pgkeep settings` prints."""
        found = self.primary.lines()
        return found if self.replica is None else [*found, "", *self.replica.lines()]


def host_count(settings: Settings) -> int:
    """How many pooler hosts there are when none is being replaced."""
    pooler = settings.pooler
    if pooler.host_count is not None:
        return pooler.host_count
    return settings.network.zone_count * (pooler.hosts_per_zone or 1)


def estimated_max_connections(instance_class: str) -> int | None:
    """What RDS's own formula gives on an instance class, cautiously; None for unknown memory."""
    memory_gib = database_memory_gib(instance_class)
    if memory_gib is None:
        return None
    memory_bytes = memory_gib * 1024**3
    rds_bytes = max(memory_bytes * _RDS_SHARE_PERCENT // 100, _RDS_SHARE_LEAST_BYTES)
    return min((memory_bytes - rds_bytes) // BYTES_PER_CONNECTION, MOST_CONNECTIONS)


def max_connections(settings: Settings) -> int | None:
    """max_connections of the primary: given, or estimated; None when it cannot be known."""
    given = settings.database.max_connections
    return given or estimated_max_connections(settings.database.instance_class)


def connection_budget(settings: Settings) -> ConnectionBudget | None:
    """The budget of a stack; None where max_connections is neither given nor can be estimated."""
    pooler, name = settings.pooler, settings.database.name
    peak = host_count(settings) + HOSTS_IN_TRANSIT
    primary_class = settings.database.instance_class
    most = max_connections(settings)
    if most is None:
        return None
    always = (
        ("superuser", pooler.superuser_connections),
        ("administrators", pooler.administrator_connections),
    )
    primary = ServerBudget(
        database=name,
        max_connections=most,
        origin=_origin(settings, primary_class),
        kept=(
            *always,
            ("functions", pooler.function_connections),
            ("health checks, one a host", peak),
        ),
        peak_hosts=peak,
        demand=_demand(pooler, name),
    )
    replica_class = settings.replicas.instance_class or primary_class
    replica_most = settings.database.max_connections or estimated_max_connections(replica_class)
    if not pooler.read_pool or settings.replicas.count == 0 or replica_most is None:
        return ConnectionBudget(primary, None)
    readonly = f"{name}{READONLY_SUFFIX}"
    return ConnectionBudget(
        primary,
        ServerBudget(
            database=readonly,
            max_connections=replica_most,
            origin=_origin(settings, replica_class),
            kept=always,
            peak_hosts=peak,
            demand=_demand(pooler, readonly),
        ),
    )


def _origin(settings: Settings, instance_class: str) -> str:
    if settings.database.max_connections is not None:
        return "given"
    return f"estimated by RDS's formula on {instance_class}; `SHOW max_connections` measures it"


def _demand(pooler: PoolerSettings, database: str) -> Demand:
    own = next((each for each in pooler.databases if each.name == database), None)
    size = (own.pool_size if own else None) or pooler.default_pool_size
    reserve = own.reserve_pool_size if own else None
    reserve = pooler.reserve_pool_size if reserve is None else reserve
    named = [(f"role {role.name}", role.pool_size) for role in pooler.roles if role.pool_size]
    pools = [*named, ("each other role" if named else "a role", size)]
    largest = max(count for _, count in pools)
    return Demand((*pools, ("its other user while it rotates", largest), ("reserve", reserve)))
