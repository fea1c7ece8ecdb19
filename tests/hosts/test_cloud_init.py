"""The user data of a pooler host. That a host boots from it is the end-to-end suite's."""

from __future__ import annotations

import ast
import dataclasses
import gzip
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import hosts.cloud_init
from hosts.cloud_config import USER_DATA_LIMIT_BYTES, certificates
from hosts.cloud_init import (
    CODE_FOLDER,
    MODULES,
    PoolerHostConfig,
    PoolSizes,
    cloud_config,
    render,
)

HOSTS = Path(hosts.cloud_init.__file__).parent
REGION_BUNDLES = Path("stacks/rds_ca")
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----\n"
# Text that does not compress.
NOISE = "".join(
    f"-----BEGIN CERTIFICATE-----\n{hashlib.sha512(bytes([n])).hexdigest()}\n"
    "-----END CERTIFICATE-----\n"
    for n in range(256)
)
SECRET = "arn:aws:secretsmanager:ap-northeast-1:123456789012:secret:pgkeep/staging/pooler"

CONFIG = PoolerHostConfig(
    region="ap-northeast-1",
    users_secret_arn=f"{SECRET}/users-AbCdEf",
    server_tls_secret_arn=f"{SECRET}/server-tls-AbCdEf",
    health_secret_arn=f"{SECRET}/health-AbCdEf",
    pause_secret_arn=f"{SECRET}/pause-AbCdEf",
    rds_ca_bundle_pem=CERTIFICATE,
    database_name="node_pass",
    database_host="pgkeep-staging.abcdefghijkl.ap-northeast-1.rds.amazonaws.com",
    database_port=5432,
    replica_hosts=["one.rds.amazonaws.com", "two.rds.amazonaws.com"],
    default_pool_size=20,
    min_pool_size=5,
    reserve_pool_size=5,
    reserve_pool_timeout_seconds=5,
    max_client_conn=1000,
    max_prepared_statements=200,
    server_lifetime_seconds=3600,
    server_idle_timeout_seconds=600,
    client_idle_timeout_seconds=900,
    tcp_keepalive_idle_seconds=60,
    tcp_keepalive_interval_seconds=10,
    refresh_interval_seconds=60,
    group_name="pgkeep-staging-pooler",
    launch_hook="pgkeep-staging-pooler-launch",
    termination_hook="pgkeep-staging-pooler-termination",
    log_group="/pgkeep/pgkeep-staging/pooler",
    health_port=8008,
    health_interval_seconds=10,
    watchdog_minutes=10,
    drain_seconds=60,
    transaction_grace_seconds=120,
    metrics_interval_seconds=60,
    zones=["ap-northeast-1a", "ap-northeast-1c"],
    database_sizes={
        "node_pass": PoolSizes(pool_size=8, reserve_pool_size=0, max_connections=44),
        "node_pass_readonly": PoolSizes(pool_mode="session", max_connections=48),
    },
    role_sizes={"node_pass_app": PoolSizes(pool_size=30, max_connections=60)},
)


def files(config: PoolerHostConfig = CONFIG) -> dict[str, Any]:
    document = yaml.safe_load(cloud_config(config))
    return {one["path"]: one["content"] for one in document["write_files"]}


def test_it_is_cloud_config_and_the_same_every_time() -> None:
    assert cloud_config(CONFIG).startswith("#cloud-config\n")
    assert gzip.decompress(render(CONFIG)).decode() == cloud_config(CONFIG)
    assert render(CONFIG) == render(dataclasses.replace(CONFIG))


@pytest.mark.parametrize("bundle", sorted(REGION_BUNDLES.glob("*.pem")), ids=lambda path: path.stem)
def test_it_fits_into_user_data_with_the_bundle_of_each_region(bundle: Path) -> None:
    """With a kilobyte to spare: for long names, and for replicas and roles by the dozen."""
    user_data = render(dataclasses.replace(CONFIG, rds_ca_bundle_pem=bundle.read_text()))
    assert len(user_data) <= USER_DATA_LIMIT_BYTES - 1024


def test_fifteen_replicas_and_twenty_roles_of_long_names_fit() -> None:
    """RDS takes fifteen replicas, and 63 characters of a name."""
    domain = "abcdefghijkl.ap-southeast-3.rds.amazonaws.com"
    many = dataclasses.replace(
        CONFIG,
        rds_ca_bundle_pem=(REGION_BUNDLES / "ap-southeast-3.pem").read_text(),
        replica_hosts=[f"{'a-long-name-' * 4}replica-{n}.{domain}" for n in range(1, 16)],
        role_sizes={
            f"a_role_with_a_name_that_is_fairly_long_{n}": PoolSizes(n, n, "session", 10 * n)
            for n in range(20)
        },
    )
    assert len(render(many)) <= USER_DATA_LIMIT_BYTES


@pytest.mark.parametrize("region", ["eu-west-1", "ap-southeast-3"])
def test_the_setup_makes_the_roots_again_as_pgbouncer_reads_them(region: str) -> None:
    bundle = (REGION_BUNDLES / f"{region}.pem").read_text()
    written = files(dataclasses.replace(CONFIG, rds_ca_bundle_pem=bundle))
    setup = written["/usr/local/sbin/pgkeep-pooler-setup"]
    found = re.search(r"(?s)python3 -c '(.*?)' \\\n +<(\S+) >(\S+)\n", setup)
    assert found is not None
    program, source, target = found.groups()
    made = subprocess.run(
        [sys.executable, "-c", program],
        input=written[source],
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == certificates(bundle)
    assert f"server_tls_ca_file = {target}\n" in written["/etc/pgbouncer/pgbouncer.ini"]


def test_a_bundle_that_is_too_large_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"EC2 takes 16384; the RDS CA bundle has \d+ of them"):
        render(dataclasses.replace(CONFIG, rds_ca_bundle_pem=NOISE))


def test_settings_reach_pgbouncer_under_its_own_names() -> None:
    text = files()["/etc/pgbouncer/pgbouncer.ini"]
    settings = dict(re.findall(r"(?m)^(\w+) = (.*)$", text))
    primary = f"host={CONFIG.database_host} port=5432 dbname=node_pass"
    assert settings["node_pass"] == (
        f"{primary} pool_size=8 reserve_pool_size=0 max_db_connections=44"
    )
    assert settings["pgkeep_health"] == (
        f"{primary} pool_size=1 reserve_pool_size=0 pool_mode=transaction max_db_connections=1"
    )
    assert settings["node_pass_readonly"] == (
        "host=one.rds.amazonaws.com,two.rds.amazonaws.com port=5432 dbname=node_pass "
        "load_balance_hosts=round-robin pool_mode=session max_db_connections=48"
    )
    users = {name: settings[name] for name in ("node_pass_app_1", "node_pass_app_2")}
    assert set(users.values()) == {"pool_size=30 max_user_connections=60"}
    expected = {
        "tcp_keepidle": "60",
        "tcp_keepintvl": "10",
        "listen_port": "6543",
        "pool_mode": "transaction",
        "default_pool_size": "20",
        "min_pool_size": "5",
        "reserve_pool_size": "5",
        "reserve_pool_timeout": "5",
        "max_client_conn": "1000",
        "max_prepared_statements": "200",
        "server_lifetime": "3600",
        "server_idle_timeout": "600",
        "client_idle_timeout": "900",
        "auth_type": "scram-sha-256",
        "client_tls_sslmode": "require",
        "server_tls_sslmode": "verify-full",
    }
    assert {name: settings[name] for name in expected} == expected
    assert "$" not in text
    assert "listen_addr" not in settings


def test_without_replicas_there_is_no_read_pool() -> None:
    text = files(dataclasses.replace(CONFIG, replica_hosts=[]))["/etc/pgbouncer/pgbouncer.ini"]
    assert "_readonly" not in text


def test_open_files_cover_clients_and_servers() -> None:
    unit = files()["/etc/systemd/system/pgbouncer.service.d/pgkeep.conf"]
    limit = int(re.findall(r"LimitNOFILE=(\d+)", unit)[0])
    assert limit >= CONFIG.max_client_conn + 16 * 25


def test_pgbouncer_waits_for_its_credentials_and_both_units_are_confined() -> None:
    units = files()
    pgbouncer = units["/etc/systemd/system/pgbouncer.service.d/pgkeep.conf"]
    refresh = units["/etc/systemd/system/pgkeep-credentials.service"]
    assert "Requires=pgkeep-credentials.service" in pgbouncer
    assert "RestartMode=direct" in refresh
    agent = units["/etc/systemd/system/pgkeep-agent.service"]
    assert "User=postgres" in agent
    for unit in (pgbouncer, refresh, agent):
        assert "NoNewPrivileges=yes" in unit
        assert "ProtectSystem=strict" in unit
        assert "LimitCORE=0" in unit
    timer = units["/etc/systemd/system/pgkeep-credentials.timer"]
    assert "OnUnitInactiveSec=60s" in timer


def test_what_runs_is_started_at_every_boot() -> None:
    """The packages' own units are; `systemctl is-enabled` passes for one without [Install] too."""
    written = files()
    setup = written["/usr/local/sbin/pgkeep-pooler-setup"]
    (units,) = re.findall(r"(?s)units='(.*?)'", setup)
    own = [unit for unit in units.split() if unit.startswith("pgkeep-")]
    assert "pgkeep-agent.service" in own
    for unit in own:
        name = re.sub(r"@.*\.", "@.", unit)
        assert "\n[Install]\nWantedBy=" in written[f"/etc/systemd/system/{name}"], unit


@pytest.mark.parametrize("module", MODULES)
def test_shipped_programs_are_those_in_the_repository_without_their_comments(module: str) -> None:
    shipped = ast.parse(files()[f"{CODE_FOLDER}/hosts/{module}.py"])
    source = ast.parse((HOSTS / f"{module}.py").read_text())
    for node in ast.walk(source):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node)
            and body
        ):
            body.pop(0)
            if not body and not isinstance(node, ast.Module):
                body.append(ast.Pass())
    assert ast.dump(shipped) == ast.dump(source)


def test_no_secret_and_no_comment_is_shipped() -> None:
    text = cloud_config(CONFIG)
    assert "PRIVATE KEY-----" not in text
    assert not re.search(r"SCRAM-SHA-256\$\d", text)
    for path, content in files().items():
        assert not re.search(r"(?m)^\s*(;|//|#(?!!))", content), path


def test_hosts_of_a_baked_image_never_install() -> None:
    path = "/usr/local/sbin/pgkeep-pooler-setup"
    assert "if [ 'no' = yes ]" in files()[path]
    baked = files(dataclasses.replace(CONFIG, image_has_packages=True))[path]
    assert "if [ 'yes' = yes ]" in baked
    assert "dpkg -s $packages" in baked


def test_the_agent_gets_its_settings_with_their_units() -> None:
    config = dataclasses.replace(CONFIG, reboot_window="03:00-04:00")
    text = files(config)["/etc/pgkeep/pooler.env"]
    found = dict(line.split("=", 1) for line in text.splitlines())
    expected = {
        "HEALTH_PORT": "8008",
        "DRAIN_SECONDS": "60",
        "TRANSACTION_GRACE_SECONDS": "120",
        "GROUP_NAME": "pgkeep-staging-pooler",
        "LAUNCH_HOOK": "pgkeep-staging-pooler-launch",
        "REBOOT_WINDOW": "03:00-04:00",
        "ZONES": '"ap-northeast-1a ap-northeast-1c"',
    }
    assert {name: found[name] for name in expected} == expected
