"""Pooler hosts that are refused, one line each, before any resource."""

from __future__ import annotations

import pytest

from tests.unit.changed_settings import Refusal, is_refused_in_one_line, names

REFUSED: list[Refusal] = [
    (
        "prod",
        {"pooler__default_pool_size": 37},
        "pooler.default_pool_size",
        "37",
        "(400 max_connections - 5 superuser - 3 administrators - 8 functions - 5 health checks, "
        "one a host) / 5 hosts while one is replaced = 75 a host, wanted 37 a role + 37 its other "
        "user while it rotates + 5 reserve = 79",
        "PostgreSQL refuses connections past the limit",
    ),
    (
        "prod",
        {"pooler__min_pool_size": 21},
        "pooler.min_pool_size",
        "21",
        "at most 20 (pooler.default_pool_size)",
        "cannot keep more connections",
    ),
    (
        "prod",
        {"pooler__server_idle_timeout_seconds": 3601},
        "pooler.server_idle_timeout_seconds",
        "3601",
        "at most 3600",
        "replaced before",
    ),
    (
        "prod",
        {"pooler__client_idle_timeout_seconds": 60},
        "pooler.client_idle_timeout_seconds",
        "60",
        "0, or more than 60 (pooler.tcp_keepalive_idle_seconds)",
        "before the first probe",
    ),
    (
        "prod",
        {"pooler__host_count": 1},
        "pooler.host_count",
        "1",
        "at least 2 hosts in prod",
        "single point of failure",
    ),
    (
        "prod",
        {"pooler__host_count": 3, "pooler__hosts_per_zone": 1},
        "pooler.hosts_per_zone",
        "1",
        "not together with pooler.host_count (3)",
        "contradict each other",
    ),
    (
        "prod",
        {"pooler__hosts_per_zone": 4, "network__availability_zone_count": 4},
        "pooler.default_pool_size",
        "20",
        "(400 max_connections - 5 superuser - 3 administrators - 8 functions - 18 health checks",
        "PostgreSQL refuses connections past the limit",
    ),
    (
        "prod",
        {"pooler__pool_mode": "statement"},
        "pooler.pool_mode",
        "'statement'",
        "must be 'transaction' or 'session'",
        "`statement` would refuse every transaction of several statements",
    ),
    (
        "prod",
        {"pooler__tcp_keepalive_idle_seconds": 350},
        "pooler.tcp_keepalive_idle_seconds",
        "350",
        "below 350 (pooler.load_balancer_idle_timeout_seconds)",
        "the load balancer forgets a silent connection first",
    ),
    (
        "prod",
        {"pooler__load_balancer_idle_timeout_seconds": 6001},
        "pooler.load_balancer_idle_timeout_seconds",
        "6001",
        "at most 6000",
        "the range that AWS offers",
    ),
    (
        "prod",
        {"pooler__transaction_grace_seconds": 59},
        "pooler.transaction_grace_seconds",
        "59",
        "at least 60 (database.statement_timeout_seconds)",
        "would be cut off when its host is replaced",
    ),
    (
        "prod",
        {"pooler__drain_seconds": 3000, "pooler__transaction_grace_seconds": 600},
        "pooler.drain_seconds",
        "3000",
        "at most 3500 together with pooler.transaction_grace_seconds",
        "deregistration delay",
    ),
    (
        "prod",
        {"pooler__reboot_window": "03:00-03:29"},
        "pooler.reboot_window",
        "'03:00-03:29'",
        "at least 30 minutes (10 a zone: twice draining and a boot)",
        "two zones must not reboot at once",
    ),
    (
        "prod",
        {"pooler__reboot_window": "03:00-04:00", "pooler__drain_seconds": 1000},
        "pooler.reboot_window",
        "'03:00-04:00'",
        "at least 126 minutes (42 a zone: twice draining and a boot)",
        "two zones must not reboot at once",
    ),
    (
        "prod",
        {"pooler__health_interval_seconds": 31},
        "pooler.drain_seconds",
        "60",
        "at least 62 (2 times pooler.health_interval_seconds)",
        "the load balancer sends new clients to a host until two of its checks have failed",
    ),
    (
        "prod",
        {"pooler__health_port": 6543},
        "pooler.health_port",
        "6543",
        "another port than pooler.port",
        "cannot share one",
    ),
    (
        "prod",
        {"pooler__databases": [{"name": "other", "pool_size": 1}]},
        "pooler.databases[0].name",
        "'other'",
        "once each of node_pass, node_pass_readonly",
        "PgBouncer offers no other database",
    ),
    (
        "prod",
        {"pooler__roles": [{"name": "node_pass_app"}, {"name": "node_pass_app"}]},
        "pooler.roles[1].name",
        "'node_pass_app'",
        "each role once",
        "contradict each other",
    ),
    (
        "prod",
        {"pooler__architecture": "x86_64"},
        "pooler.architecture",
        "'x86_64'",
        "must be 'arm64' for t4g.small",
        "does not boot",
    ),
    (
        "dev",
        {"pooler__image_has_packages": True},
        "pooler.image_has_packages",
        "true",
        "only with pooler.image_id",
        "Debian's own image has no PgBouncer",
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=names(REFUSED))
def test_a_wrong_setting_is_refused_in_one_line(case: Refusal) -> None:
    is_refused_in_one_line(case)
