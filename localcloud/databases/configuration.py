"""postgresql.conf, pg_hba.conf and pg_ident.conf of one DB instance."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from localcloud.databases.instance_classes import InstanceClass
from localcloud.databases.parameters import catalogue, family_of, resolve
from localcloud.databases.server import (
    ADMINISTRATOR,
    CONFIGURATION,
    DATA,
    PRIMARY,
    REPLICATION_ADMINISTRATOR,
    RESTORE,
)
from localcloud.errors import LocalCloudError

# Several databases, hosts and functions share one developer's machine, so what a server takes at
# once is capped here: 128 MiB of shared buffers (PostgreSQL's own default) in 8 KiB pages, and
# 256 MiB for one maintenance operation in KiB. pg_settings shows the capped value.
LOCAL_CAPS = {"shared_buffers": 128 * 1024 // 8, "maintenance_work_mem": 256 * 1024}

ARCHIVE_SCRIPT_NAME = "archive-wal"
# Atomic and repeatable, as PostgreSQL's manual asks (26.3.1): a segment appears whole or not at
# all, an identical one already there is success, a different one is an error.
ARCHIVE_SCRIPT = """#!/bin/sh
set -eu
source=$1 target=/rdsdbdata/wal_archive/$2
if [ -e "$target" ]; then
    exec cmp -s "$source" "$target"
fi
# A segment ended early is zeros to its end.
cp --sparse=always "$source" "$target.partial"
sync "$target.partial"
mv "$target.partial" "$target"
sync /rdsdbdata/wal_archive
"""


class IncompatibleParametersError(LocalCloudError):
    """The parameter group's values cannot work on this instance class."""


@dataclass(frozen=True)
class Upstream:
    """What a replica follows."""

    port: int
    slot: str


@dataclass(frozen=True)
class Recovery:
    """A server that becomes consistent out of a copy, and opens to nobody before that."""

    # Where the replay of archived WAL stops; None for a snapshot, which has all it needs.
    target: datetime.datetime | None = None
    # Where in the source's WAL a streaming copy stops following and becomes a server of its own.
    position: str | None = None


@dataclass(frozen=True)
class Configuration:
    """Everything the files depend on."""

    identifier: str
    major: int
    instance_class: InstanceClass
    storage_gibibytes: int
    port: int
    address: str
    master_username: str
    parameters: Mapping[str, str]  # set by the user in the parameter group
    archiving: bool
    upstream: Upstream | None = None
    recovery: Recovery | None = None
    # Name of the Multi-AZ standby that a commit waits for.
    synchronous_standby: str | None = None
    # Sessions begin read-only.
    read_only: bool = False
    subscribed: bool = False
    hidden: bool = False  # the standby itself: it takes no connections
    # What a parameter group may name and this engine has not.
    lacking_libraries: frozenset[str] = frozenset()

    def resolved(self) -> dict[str, str]:
        """All set parameters, computed and capped. Raises IncompatibleParametersError."""
        values = resolve(
            family_of(self.major),
            self.parameters,
            self.instance_class,
            self.port,
            self.storage_gibibytes * 1024**3,
        )
        wanted_bytes = int(values["shared_buffers"]) * 8192
        if wanted_bytes > self.instance_class.memory_bytes:
            raise IncompatibleParametersError(
                f"shared_buffers of {wanted_bytes} bytes does not fit in the "
                f"{self.instance_class.memory_bytes} bytes of {self.instance_class.name}: "
                "PostgreSQL could not start; lower it in the parameter group."
            )
        for name, cap in LOCAL_CAPS.items():
            values[name] = str(min(int(values[name]), cap))
        return values

    def files(self) -> dict[str, str]:
        """File name to content. Raises IncompatibleParametersError."""
        values = self.resolved()
        return {
            "postgresql.conf": self._postgresql_conf(values),
            "pg_hba.conf": self._pg_hba_conf(values),
            "pg_ident.conf": _PG_IDENT_CONF,
            ARCHIVE_SCRIPT_NAME: ARCHIVE_SCRIPT,
        }

    def _postgresql_conf(self, values: Mapping[str, str]) -> str:
        known = catalogue(family_of(self.major))
        settings = {name: value for name, value in values.items() if not known[name].managed}
        settings["shared_preload_libraries"] = ",".join(
            library for library in preloaded(values) if library not in self.lacking_libraries
        )
        archive = f"/bin/sh {CONFIGURATION / ARCHIVE_SCRIPT_NAME} %p %f"
        settings |= {
            # "on" archives on a primary only; a read replica's automated backups are its own.
            "archive_mode": "always"
            if self.upstream and self.archiving and not self.hidden
            else "on",
            "archive_command": archive if self.archiving else "/bin/true",
            "cluster_name": self.identifier,
            "data_directory": str(DATA),
            "hba_file": str(CONFIGURATION / "pg_hba.conf"),
            "huge_pages": "off",  # the machine's own reservation, not ours
            "ident_file": str(CONFIGURATION / "pg_ident.conf"),
            # Only the instance's own address: other interfaces of its namespace are not its own.
            "listen_addresses": self.address,
            "log_directory": "/rdsdbdata/log/error",
            "port": str(self.port),
            "reserved_connections": values["rds.rds_superuser_reserved_connections"],
            "ssl": "on",
            "ssl_cert_file": str(CONFIGURATION / "server.crt"),
            "ssl_key_file": str(CONFIGURATION / "server.key"),
            "unix_socket_directories": "/rdsdbdata/socket",
            "wal_level": "logical" if _on(values["rds.logical_replication"]) else "replica",
        }
        if self.major >= 17:
            settings["allow_alter_system"] = "off"  # parameters come from the group alone
        if self.upstream is not None:
            settings |= {
                "primary_conninfo": f"host={PRIMARY} port={self.upstream.port} "
                f"user={REPLICATION_ADMINISTRATOR} application_name={self.identifier}",
                "primary_slot_name": self.upstream.slot,
            }
        if self.synchronous_standby is not None:
            settings["synchronous_standby_names"] = f'"{self.synchronous_standby}"'
        if self.hidden:
            settings |= {"hot_standby": "off", "wal_retrieve_retry_interval": "200ms"}
        if self.subscribed:
            settings["wal_retrieve_retry_interval"] = "200ms"
        if self.read_only:
            settings["default_transaction_read_only"] = "on"
        if self.recovery is not None:
            settings |= _recovery_settings(self.recovery)
        return "".join(f"{name} = {_quoted(value)}\n" for name, value in sorted(settings.items()))

    def _pg_hba_conf(self, values: Mapping[str, str]) -> str:
        kind = "hostssl" if _on(values["rds.force_ssl"]) else "host"
        scram_only = values["rds.accepted_password_auth_method"] == "scram"  # noqa: S105
        # `md5` takes both kinds of verifier, `scram-sha-256` only its own.
        method = "scram-sha-256" if scram_only else "md5"
        master = _identifier(self.master_username)
        lines = [
            f"local all {ADMINISTRATOR} peer map=rds",
            f"local replication {REPLICATION_ADMINISTRATOR} peer map=rds",
            # Nobody reaches RDS's own users or databases over the network.
            f"host all {ADMINISTRATOR},{REPLICATION_ADMINISTRATOR} all reject",
            "host rdsadmin all all reject",
            f"{kind} all {master} all {method}",
            # Members of rds_iam log in with IAM tokens only, which this cloud does not issue.
            "host all +rds_iam all reject",
            f"{kind} all all all {method}",
        ]
        return "\n".join([*lines, ""])


def preloaded(values: Mapping[str, str]) -> list[str]:
    """The names in `shared_preload_libraries`."""
    listed = values.get("shared_preload_libraries", "").split(",")
    return [library.strip() for library in listed if library.strip()]


def _recovery_settings(recovery: Recovery) -> dict[str, str]:
    settings = {
        "archive_command": "/bin/true",  # what is replayed is in the source's archive
        "fsync": "off",  # as for every new copy (see server.py); the next start has it on
        "hot_standby": "off",
    }
    if recovery.position is not None:
        settings |= {
            "recovery_target_action": "promote",
            # What is committed there comes by logical replication.
            "recovery_target_inclusive": "off",
            "recovery_target_lsn": recovery.position,
        }
    if recovery.target is not None:
        settings |= {
            "recovery_target_action": "promote",
            "recovery_target_time": recovery.target.isoformat(sep=" "),
            "recovery_target_timeline": "latest",
            "restore_command": f"test -e {RESTORE}/wal/%f && cp {RESTORE}/wal/%f %p",
        }
    return settings


# root is the local cloud's daemon, postgres a replica's own server.
_PG_IDENT_CONF = f"""rds root {ADMINISTRATOR}
rds postgres {ADMINISTRATOR}
rds postgres {REPLICATION_ADMINISTRATOR}
"""


def _on(value: str) -> bool:
    return value.lower() in ("1", "on", "true", "yes")


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
