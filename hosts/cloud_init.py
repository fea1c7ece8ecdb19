"""The user data of a PgBouncer host: cloud-config that holds settings, and no secret."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

_HOSTS = Path(__file__).parent
_FILES = _HOSTS / "files"

#: EC2's limit on user data before base64
#: (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html).
USER_DATA_LIMIT_BYTES = 16 * 1024

_COMMENTS = re.compile(r"(?m)^[ \t]*(?:#(?!!)|;|//).*\n")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_DOCSTRINGS = re.compile(r'(?m)^[ \t]*"""(?:.|\n)*?"""\n')
# Beyond clients and servers: log, DNS, listeners, the journal.
_SPARE_OPEN_FILES = 1024
# Room for several users and databases, each with its own pool of servers.
_POOLS = 16


@dataclass(frozen=True)
class PoolerHostConfig:
    """What makes a PgBouncer host; the names of PgBouncer's own settings with their unit."""

    region: str
    users_secret_arn: str
    server_tls_secret_arn: str
    rds_ca_bundle_pem: str
    database_name: str
    database_host: str
    database_port: int
    replica_hosts: list[str]
    default_pool_size: int
    min_pool_size: int
    reserve_pool_size: int
    reserve_pool_timeout_seconds: int
    max_client_conn: int
    max_prepared_statements: int
    server_lifetime_seconds: int
    server_idle_timeout_seconds: int
    refresh_interval_seconds: int
    listen_port: int = 6543
    pool_mode: str = "transaction"

    @property
    def databases(self) -> dict[str, str]:
        """PgBouncer's databases with their connection strings; `<name>_readonly` are replicas."""
        where = f"port={self.database_port} dbname={self.database_name}"
        databases = {self.database_name: f"host={self.database_host} {where}"}
        if self.replica_hosts:
            hosts = ",".join(self.replica_hosts)
            databases[f"{self.database_name}_readonly"] = (
                f"host={hosts} {where} load_balance_hosts=round-robin"
            )
        return databases

    @property
    def open_files(self) -> int:
        """File descriptors that PgBouncer may need."""
        servers = (self.default_pool_size + self.reserve_pool_size) * _POOLS
        return self.max_client_conn + servers + _SPARE_OPEN_FILES


def render(config: PoolerHostConfig) -> str:
    """`#cloud-config` text; the same configuration gives the same bytes.

    Raises `ValueError` when it is longer than EC2 takes.
    """
    document = {
        "ssh_pwauth": False,
        "disable_root": True,
        "package_update": False,
        "write_files": _files(config),
        "runcmd": [["/usr/local/sbin/pgkeep-pooler-setup"]],
    }
    text = "#cloud-config\n" + yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=False
    )
    size_bytes = len(text.encode())
    if size_bytes > USER_DATA_LIMIT_BYTES:
        raise ValueError(
            f"user data of the pooler hosts is {size_bytes} bytes, EC2 takes "
            f"{USER_DATA_LIMIT_BYTES}; the RDS CA bundle has {len(config.rds_ca_bundle_pem)} of "
            "them: use the bundle of one region, not the global one"
        )
    return text


def _files(config: PoolerHostConfig) -> list[dict[str, str]]:
    values: dict[str, Any] = {
        **asdict(config),
        "databases": "\n".join(f"{name} = {where}" for name, where in config.databases.items()),
        "open_files": config.open_files,
        "refresh_spread_seconds": max(1, config.refresh_interval_seconds // 10),
    }
    environment = {
        "AWS_REGION": config.region,
        # Debian's bundle, which has an organisation's own authorities too.
        "AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
        "USERS_SECRET_ARN": config.users_secret_arn,
        "SERVER_TLS_SECRET_ARN": config.server_tls_secret_arn,
    }
    refresher = _without_comments((_HOSTS / "refresh_credentials.py").read_text(encoding="utf-8"))
    units = "/etc/systemd/system"
    return [
        _file("/etc/pgbouncer/pgbouncer.ini", _fill("pgbouncer.ini", values)),
        _file("/etc/pgbouncer/rds-ca-bundle.pem", _certificates(config.rds_ca_bundle_pem)),
        _file("/etc/pgkeep/pooler.env", "".join(f"{k}={v}\n" for k, v in environment.items())),
        _file("/usr/local/lib/pgkeep/refresh_credentials.py", refresher),
        _file("/usr/local/sbin/pgkeep-pooler-setup", _read("setup.sh"), mode="0755"),
        _file(
            f"{units}/pgbouncer.service.d/pgkeep.conf", _fill("pgbouncer.service.d.conf", values)
        ),
        _file(f"{units}/pgkeep-credentials.service", _read("pgkeep-credentials.service")),
        _file(f"{units}/pgkeep-credentials.timer", _fill("pgkeep-credentials.timer", values)),
        _file("/etc/ssh/sshd_config.d/10-pgkeep.conf", _read("sshd.conf")),
        _file("/etc/apt/apt.conf.d/52pgkeep", _read("apt.conf")),
        _file("/etc/systemd/resolved.conf.d/pgkeep.conf", _read("resolved.conf")),
    ]


def _file(path: str, content: str, mode: str = "0644") -> dict[str, str]:
    """A file of root's: the service can read its configuration and not change it."""
    return {"path": path, "permissions": mode, "content": content}


def _certificates(bundle: str) -> str:
    """The bundle's certificates without the text between them."""
    return "".join(f"{found}\n" for found in _CERTIFICATE.findall(bundle))


def _read(name: str) -> str:
    return _without_comments((_FILES / name).read_text(encoding="utf-8"))


def _without_comments(text: str) -> str:
    """Comments and docstrings stay in the repository: a fifth of what EC2 takes.

    Compression would save more, but its bytes differ from one zlib to another, and user data that
    differs replaces every host.
    """
    return _COMMENTS.sub("", _DOCSTRINGS.sub("", text)).lstrip("\n")


def _fill(name: str, values: dict[str, Any]) -> str:
    return Template(_read(name)).substitute(values)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stay readable."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
