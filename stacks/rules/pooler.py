"""Rules of the pooler: machines, pools, the connection budget and draining."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.connection_budget import (
    BYTES_PER_CONNECTION,
    READONLY_SUFFIX,
    connection_budget,
    host_count,
)
from stacks.machines import database_memory_gib, is_arm64
from stacks.pooler_settings import HEALTH_THRESHOLD
from stacks.schema import Refusal
from stacks.windows import daily_minutes, minutes_long

if TYPE_CHECKING:
    from stacks.settings import Settings

# Two hosts more while one is replaced; a network load balancer's zone takes hundreds.
MOST_HOSTS = 16
# AWS ELB API reference: deregistration_delay.timeout_seconds is 0 to 3600.
MOST_DRAIN_SECONDS = 3_500
# A boot and the first health checks. Hosts of a zone begin in the first half of its part of the
# window (hosts/lifecycle.py), so that the second half is left for draining and this.
BOOT_MINUTES = 2
GUARDED = ("staging", "prod")


def refusals(settings: Settings) -> Iterator[Refusal]:
    """Machines that do not boot and pools that do not fit into the database."""
    yield from _hosts(settings)
    yield from _connections(settings)
    yield from _machines(settings)
    yield from _pools(settings)
    yield from _names(settings)
    yield from _timeouts(settings)


def _hosts(settings: Settings) -> Iterator[Refusal]:
    pooler = settings.pooler
    if pooler.host_count is not None and pooler.hosts_per_zone is not None:
        yield Refusal(
            "pooler.hosts_per_zone",
            pooler.hosts_per_zone,
            f"not together with pooler.host_count ({pooler.host_count})",
            "two numbers for one thing would contradict each other",
            "Remove one of the two (null in the stack's file unsets a default).",
        )
    count = host_count(settings)
    if settings.environment in GUARDED and count < 2:
        yield Refusal(
            "pooler.host_count",
            count,
            f"at least 2 hosts in {settings.environment}",
            "one host is a single point of failure",
            "Set it to 2 or more.",
        )
    if count > MOST_HOSTS:
        yield Refusal(
            "pooler.hosts_per_zone",
            pooler.hosts_per_zone,
            f"{count} hosts in all, at most {MOST_HOSTS}",
            "each host takes its share of the database's connections",
            "Lower it.",
        )


def _connections(settings: Settings) -> Iterator[Refusal]:
    database = settings.database
    memory_gib = database_memory_gib(database.instance_class)
    if memory_gib is not None and database.max_connections is not None:
        most = memory_gib * 1024**3 // BYTES_PER_CONNECTION
        if database.max_connections > most:
            yield Refusal(
                "database.max_connections",
                database.max_connections,
                f"at most {most} on {database.instance_class} ({memory_gib} GiB)",
                "each connection takes about 9.5 MB of memory by RDS's own formula",
                "Lower it or choose a larger database.instance_class.",
            )
    budget = connection_budget(settings)
    if budget is None:
        yield Refusal(
            "database.max_connections",
            None,
            f"must be given on {database.instance_class}",
            "the memory of this class is not known, so the pools cannot be checked against it",
            "Set it to what `SHOW max_connections` says.",
        )
        return
    servers = [budget.primary, *([budget.replica] if budget.replica else [])]
    # The same sizes on both: one line is enough.
    for server in [each for each in servers if not each.fits][:1]:
        yield Refusal(
            "pooler.default_pool_size",
            settings.pooler.default_pool_size,
            f"the pools of {server.database} do not fit: {server.arithmetic}",
            "PostgreSQL refuses connections past the limit, to administrators too",
            "Lower the pools or raise database.max_connections.",
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
    # The local cloud's own image has the packages.
    if pooler.image_has_packages and pooler.image_id is None and settings.environment != "local":
        yield Refusal(
            "pooler.image_has_packages",
            True,
            "only with pooler.image_id",
            "Debian's own image has no PgBouncer, and hosts would install nothing",
            "Name the image that `python -m hosts.image` made.",
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
    idle = pooler.client_idle_timeout_seconds
    if 0 < idle <= pooler.tcp_keepalive_idle_seconds:
        yield Refusal(
            "pooler.client_idle_timeout_seconds",
            idle,
            f"0, or more than {pooler.tcp_keepalive_idle_seconds} "
            "(pooler.tcp_keepalive_idle_seconds)",
            "clients that only wait for their next request would be disconnected before the first "
            "probe could tell whether they are there",
            "Raise it, or set it to 0.",
        )


def _names(settings: Settings) -> Iterator[Refusal]:
    pooler, name = settings.pooler, settings.database.name
    offered = {name, f"{name}{READONLY_SUFFIX}"} if pooler.read_pool else {name}
    seen: set[str] = set()
    for number, database in enumerate(pooler.databases):
        if database.name not in offered or database.name in seen:
            yield Refusal(
                f"pooler.databases[{number}].name",
                database.name,
                f"once each of {', '.join(sorted(offered))}",
                "PgBouncer offers no other database",
                "Correct or remove it.",
            )
        seen.add(database.name)
    roles = [role.name for role in pooler.roles]
    for number, role in enumerate(roles):
        if role in roles[:number]:
            yield Refusal(
                f"pooler.roles[{number}].name",
                role,
                "each role once",
                "two sizes for one role would contradict each other",
                "Remove one of them.",
            )
    if pooler.health_port == pooler.port:
        yield Refusal(
            "pooler.health_port",
            pooler.health_port,
            "another port than pooler.port",
            "PgBouncer and the health endpoint cannot share one",
            "Change one of the two.",
        )


def _timeouts(settings: Settings) -> Iterator[Refusal]:
    pooler = settings.pooler
    if pooler.tcp_keepalive_idle_seconds >= pooler.load_balancer_idle_timeout_seconds:
        yield Refusal(
            "pooler.tcp_keepalive_idle_seconds",
            pooler.tcp_keepalive_idle_seconds,
            f"below {pooler.load_balancer_idle_timeout_seconds} "
            "(pooler.load_balancer_idle_timeout_seconds)",
            "the load balancer forgets a silent connection first, and its client hangs",
            "Lower it, or raise pooler.load_balancer_idle_timeout_seconds.",
        )
    longest = settings.database.statement_timeout_seconds
    if pooler.transaction_grace_seconds < longest:
        yield Refusal(
            "pooler.transaction_grace_seconds",
            pooler.transaction_grace_seconds,
            f"at least {longest} (database.statement_timeout_seconds)",
            "a statement that may run so long would be cut off when its host is replaced",
            "Raise it or lower the statement timeout.",
        )
    drain = pooler.drain_seconds + pooler.transaction_grace_seconds
    if drain > MOST_DRAIN_SECONDS:
        yield Refusal(
            "pooler.drain_seconds",
            pooler.drain_seconds,
            f"at most {MOST_DRAIN_SECONDS} together with pooler.transaction_grace_seconds",
            "the load balancer's deregistration delay ends there",
            "Lower one of the two.",
        )
    noticed = HEALTH_THRESHOLD * pooler.health_interval_seconds
    if pooler.drain_seconds < noticed:
        yield Refusal(
            "pooler.drain_seconds",
            pooler.drain_seconds,
            f"at least {noticed} ({HEALTH_THRESHOLD} times pooler.health_interval_seconds)",
            "the load balancer sends new clients to a host until two of its checks have failed, "
            "and a host that ended its service before would refuse them",
            "Raise it or lower pooler.health_interval_seconds.",
        )
    if pooler.reboot_window is not None:
        window = daily_minutes(pooler.reboot_window)
        zones = settings.network.zone_count
        a_zone = 2 * (-(-drain // 60) + BOOT_MINUTES)
        if minutes_long(window) < zones * a_zone:
            yield Refusal(
                "pooler.reboot_window",
                pooler.reboot_window,
                f"at least {zones * a_zone} minutes ({a_zone} a zone: twice draining and a boot)",
                "hosts of two zones must not reboot at once",
                "Move its end.",
            )
