"""GRANT and REVOKE as PostgreSQL carries them out, and what a role holds.

src/backend/utils/adt/acl.c (select_best_grantor, aclupdate, recursive_revoke, aclnewowner).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from .membership import Memberships
from .model import PRIVILEGES, PUBLIC, Database, Grant, Kind, Object, Place

# https://www.postgresql.org/docs/17/predefined-roles.html: on every table.
_EVERYWHERE: Final = {
    "pg_write_all_data": ("INSERT", "UPDATE", "DELETE"),
    "pg_read_all_data": ("SELECT",),
    "pg_maintain": ("MAINTAIN",),
}


class StillNeededError(Exception):
    """A REVOKE without CASCADE of a privilege that its holder has passed on."""


def all_privileges(target: Object | Kind) -> tuple[str, ...]:
    """What ALL means on an object."""
    return PRIVILEGES[target.kind if isinstance(target, Object) else target]


def created(database: Database, target: Object, owner: str, via: Place) -> None:
    """Give a new object the privileges of its owner and the default ones."""
    withheld = {
        (role, privilege)
        for one, kind, role, privilege in database.withheld
        if (one, kind) == (owner, target.kind)
    }
    for privilege in all_privileges(target):
        if (owner, privilege) not in withheld:
            database.add(Grant(owner, privilege, target, owner, via, grantable=True))
    if target.kind is Kind.FUNCTION and (PUBLIC, "EXECUTE") not in withheld:
        database.add(Grant(PUBLIC, "EXECUTE", target, owner, via, implied=True))
    for default in list(database.defaults.values()):
        applies = (default.owner, default.kind) == (owner, target.kind)
        if applies and default.schema in ("", target.schema):
            database.add(
                Grant(default.role, default.privilege, target, owner, via, default.grantable)
            )


def holds(
    database: Database, memberships: Memberships, role: str, privilege: str, target: Object
) -> bool:
    """`has_table_privilege` and its kin: by itself, by what it inherits, by PUBLIC."""
    if memberships.is_superuser(role):
        return True
    identities = memberships.inherited(role)
    if target.kind is Kind.TABLE and any(
        privilege in given and name in identities for name, given in _EVERYWHERE.items()
    ):
        return True
    return any(
        grant.privilege == privilege and (grant.role in identities or grant.role == PUBLIC)
        for grant in database.on(target)
    )


def best_grantor(
    database: Database, current: str, target: Object, privileges: Iterable[str]
) -> tuple[str, frozenset[str]]:
    """As whom `current` grants on `target`, and which of `privileges` it may grant.

    The first role that it has the rights of, itself before others, and that may pass all of them
    on; otherwise the one that may pass on the most. An owner may pass on everything.
    """
    wanted = frozenset(privileges)
    memberships = Memberships(database)
    owner = database.owner(target)
    if owner is None or owner == current or memberships.is_superuser(current):
        return owner or current, wanted
    best, most = current, frozenset[str]()
    for role in memberships.inherited(current):
        options = wanted & {
            grant.privilege
            for grant in database.on(target)
            if grant.role == role and grant.grantable
        }
        if role == owner or options == wanted:
            return role, wanted
        if len(options) > len(most):
            best, most = role, options
    return best, most


def grant(
    database: Database,
    current: str,
    target: Object,
    privileges: Iterable[str],
    roles: Iterable[str],
    *,
    via: Place,
    grantable: bool = False,
    as_all: bool = False,
) -> None:
    """GRANT privileges ON target TO roles, said by `current`."""
    grantor, allowed = best_grantor(database, current, target, privileges)
    for role in roles:
        for privilege in sorted(allowed):
            database.add(Grant(role, privilege, target, grantor, via, grantable, as_all=as_all))


def revoke(
    database: Database,
    current: str,
    target: Object,
    privileges: Iterable[str],
    roles: Iterable[str],
    *,
    option_only: bool = False,
    cascade: bool = False,
) -> None:
    """REVOKE privileges ON target FROM roles, said by `current`.

    Only what the same grantor gave goes. Raises `StillNeededError` as PostgreSQL does.
    """
    grantor, allowed = best_grantor(database, current, target, privileges)
    for role in roles:
        for privilege in sorted(allowed):
            _revoke(database, (target, role, privilege, grantor), option_only, cascade)
            if not option_only:
                _revoke_columns(database, (target, role, privilege, grantor))


def _revoke_columns(database: Database, start: tuple[Object, str, str, str]) -> None:
    """A privilege on the table that is taken away is taken from its columns too."""
    for key in [one for one in database.column_grants if one[:4] == start]:
        del database.column_grants[key]


def _revoke(
    database: Database, key: tuple[Object, str, str, str], option_only: bool, cascade: bool
) -> None:
    held = database.grants.get(key)
    if held is None:
        return
    if option_only:
        database.grants[key] = replace(held, grantable=False)
    else:
        del database.grants[key]
    target, role, privilege, _ = key
    if not held.grantable or database.owner(target) == role:
        return
    if any(
        one.role == role and one.privilege == privilege and one.grantable
        for one in database.on(target)
    ):
        return
    for dependent in [
        one for one in database.on(target) if one.grantor == role and one.privilege == privilege
    ]:
        if not cascade:
            database.grants[key] = held
            raise StillNeededError(f"{role} has passed {privilege} on {target} on")
        inner = (target, dependent.role, privilege, role)
        _revoke(database, inner, option_only=False, cascade=True)


def change_owner(database: Database, target: Object, owner: str) -> None:
    """ALTER … OWNER TO: what the old owner held and granted is the new one's."""
    old = database.owner(target)
    if target.kind is Kind.FUNCTION:
        database.functions[target.name].owner = owner
    elif target.kind in (Kind.TABLE, Kind.SEQUENCE):
        database.relations[target.name].owner = owner
    else:
        database.owners[target] = owner
    for one in list(database.on(target)):
        del database.grants[one.object, one.role, one.privilege, one.grantor]
        changed = replace(
            one,
            role=owner if one.role == old else one.role,
            grantor=owner if one.grantor == old else one.grantor,
        )
        database.add(changed)
    for key, one in list(database.column_grants.items()):
        if key[0] == target and old in (one.role, one.grantor):
            del database.column_grants[key]
            role, grantor = (owner if name == old else name for name in (one.role, one.grantor))
            database.add_columns(replace(one, role=role, grantor=grantor), [key[4]])


def dropped(database: Database, target: Object) -> None:
    """Forget an object and all that was granted on it."""
    for one in list(database.on(target)):
        del database.grants[one.object, one.role, one.privilege, one.grantor]
    for key in [one for one in database.column_grants if one[0] == target]:
        del database.column_grants[key]
    if target.kind is Kind.FUNCTION:
        database.functions.pop(target.name, None)
    elif target.kind in (Kind.TABLE, Kind.SEQUENCE):
        database.relations.pop(target.name, None)
    else:
        database.owners.pop(target, None)
