"""The user data of a pooler host. That a host boots from it is the end-to-end suite's."""

from __future__ import annotations

import ast
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import hosts.cloud_init
from hosts.cloud_init import USER_DATA_LIMIT_BYTES, PoolerHostConfig, render

HOSTS = Path(hosts.cloud_init.__file__).parent
REGION_BUNDLES = Path("stacks/rds_ca")
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nTUlJ\n-----END CERTIFICATE-----\n"
SECRET = "arn:aws:secretsmanager:ap-northeast-1:123456789012:secret:pgkeep/staging/pooler"

CONFIG = PoolerHostConfig(
    region="ap-northeast-1",
    users_secret_arn=f"{SECRET}/users-AbCdEf",
    server_tls_secret_arn=f"{SECRET}/server-tls-AbCdEf",
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
    refresh_interval_seconds=60,
)


def files(config: PoolerHostConfig = CONFIG) -> dict[str, Any]:
    document = yaml.safe_load(render(config))
    return {one["path"]: one["content"] for one in document["write_files"]}


def test_it_is_cloud_config_and_the_same_every_time() -> None:
    assert render(CONFIG).startswith("#cloud-config\n")
    assert render(CONFIG) == render(dataclasses.replace(CONFIG))


@pytest.mark.parametrize("bundle", sorted(REGION_BUNDLES.glob("*.pem")), ids=lambda path: path.stem)
def test_it_fits_into_user_data_with_the_bundle_of_each_region(bundle: Path) -> None:
    text = render(dataclasses.replace(CONFIG, rds_ca_bundle_pem=bundle.read_text()))
    assert len(text.encode()) <= USER_DATA_LIMIT_BYTES


def test_a_bundle_that_is_too_large_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"EC2 takes 16384; the RDS CA bundle has \d+ of them"):
        render(dataclasses.replace(CONFIG, rds_ca_bundle_pem=CERTIFICATE * 300))


def test_settings_reach_pgbouncer_under_its_own_names() -> None:
    text = files()["/etc/pgbouncer/pgbouncer.ini"]
    settings = dict(re.findall(r"(?m)^(\w+) = (.*)$", text))
    assert settings["node_pass"] == f"host={CONFIG.database_host} port=5432 dbname=node_pass"
    assert settings["node_pass_readonly"] == (
        "host=one.rds.amazonaws.com,two.rds.amazonaws.com port=5432 dbname=node_pass "
        "load_balance_hosts=round-robin"
    )
    expected = {
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
    for unit in (pgbouncer, refresh):
        assert "NoNewPrivileges=yes" in unit
        assert "ProtectSystem=strict" in unit
        assert "LimitCORE=0" in unit
    timer = units["/etc/systemd/system/pgkeep-credentials.timer"]
    assert "OnUnitInactiveSec=60s" in timer


def test_shipped_refresher_is_the_one_in_the_repository_without_its_comments() -> None:
    shipped = ast.parse(files()["/usr/local/lib/pgkeep/refresh_credentials.py"])
    source = ast.parse((HOSTS / "refresh_credentials.py").read_text())
    for node in ast.walk(source):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) and body:
            body.pop(0)
    assert ast.dump(shipped) == ast.dump(source)


def test_no_secret_and_no_comment_is_shipped() -> None:
    text = render(CONFIG)
    assert "PRIVATE KEY-----" not in text
    assert not re.search(r"SCRAM-SHA-256\$\d", text)
    for path, content in files().items():
        assert not re.search(r"(?m)^\s*(;|//|#(?!!))", content), path
