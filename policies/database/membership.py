"""Which roles a role has the privileges of, and which it can become.

https://www.postgresql.org/docs/17/role-membership.html: INHERIT and SET are options of a
membership, followed along chains in which every link has them; ADMIN is of one link.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .model import Database, Membership

# Predefined roles, and those of RDS, that are in no file and whose members can delete.
# https://www.postgresql.org/docs/17/predefined-roles.html; RDS user guide, "Understanding
# PostgreSQL roles and permissions".
DELETING_ROLES: Final = {
    "pg_write_all_data": "may DELETE from every table",
    "rds_superuser": "may give itself every other role",
    "rdsadmin": "is the superuser of RDS",
    "postgres": "is the superuser of most installations",
    "pg_execute_server_program": "may run programs as the server, beyond every privilege",
    "pg_write_server_files": "may overwrite the server's files",
    "pg_read_server_files": "may read the server's files, secrets included",
    "pg_database_owner": "owns the database",
    "rds_password": "may change passwords",
}
# Members may not delete by them, and stand above what their grants say all the same.
ELEVATED_ROLES: Final = frozenset(
    {"rds_superuser", "rdsadmin", "rds_replication", "rdsrepladmin", "pg_create_subscription"}
)
HARMLESS_ROLES: Final = frozenset(
    {
        *("pg_checkpoint", "pg_maintain", "pg_monitor", "pg_read_all_data", "pg_read_all_settings"),
        *("pg_read_all_stats", "pg_signal_backend", "pg_stat_scan_tables"),
        *("pg_use_reserved_connections", "pg_signal_autovacuum_worker", "rds_iam"),
    }
)


class Memberships:
    """The memberships of a database, indexed by member."""

    def __init__(self, database: Database) -> None:
        """A snapshot: what is granted later is not seen."""
        self.database = database
        self._of: dict[str, list[Membership]] = {}
        for membership in database.memberships.values():
            self._of.setdefault(membership.member, []).append(membership)

    def of(self, member: str) -> list[Membership]:
        """The direct memberships of a role."""
        return self._of.get(member, [])

    def inherited(self, role: str) -> dict[str, tuple[Membership, ...]]:
        """Each role whose privileges `role` has, itself included, with the links to it."""
        return self._closure(role, lambda one: one.inherit)

    def settable(self, role: str) -> dict[str, tuple[Membership, ...]]:
        """Each role that `role` may SET ROLE to, itself included, with the links to it."""
        return self._closure(role, lambda one: one.set)

    def obtainable(self, role: str) -> dict[str, tuple[Membership, ...]]:
        """Each role that `role` can come to act as, by links of any kind in any order.

        A link that neither inherits nor may be set nor administers gives nothing.
        """
        return self._closure(role, lambda one: one.inherit or one.set or one.admin)

    def _closure(
        self, role: str, follows: Callable[[Membership], bool]
    ) -> dict[str, tuple[Membership, ...]]:
        found: dict[str, tuple[Membership, ...]] = {role: ()}
        queue = [role]
        for name in queue:
            for one in self.of(name):
                if one.group not in found and follows(one):
                    found[one.group] = (*found[name], one)
                    queue.append(one.group)
        return found

    def is_superuser(self, role: str) -> bool:
        """Whether the role itself is one; a superuser's members have to SET ROLE.

        Of whoever applies files or resources (a name in parentheses) nothing is known: what they
        grant must count, as if they were one.
        """
        if role.startswith("("):
            return True
        known = self.database.roles.get(role)
        return known is not None and "SUPERUSER" in known.attributes
