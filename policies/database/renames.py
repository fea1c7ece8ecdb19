"""Other names for what is there: everything that is known under the old name goes along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .model import Body, Database, Kind, Object

Names = Callable[[str], str]


def rename_role(database: Database, old: str, new: str) -> None:
    """ALTER ROLE … RENAME TO."""

    def named(name: str) -> str:
        return new if name == old else name

    if (role := database.roles.pop(old, None)) is not None:
        role.name = new
        database.roles[new] = role
    database.memberships = {
        (named(group), named(member), named(grantor)): replace(
            one, group=named(group), member=named(member), grantor=named(grantor)
        )
        for (group, member, grantor), one in database.memberships.items()
    }
    database.grants = {
        (target, named(role), privilege, named(grantor)): replace(
            one, role=named(role), grantor=named(grantor)
        )
        for (target, role, privilege, grantor), one in database.grants.items()
    }
    database.column_grants = {
        (target, named(role), privilege, named(grantor), column): replace(
            one, role=named(role), grantor=named(grantor)
        )
        for (target, role, privilege, grantor, column), one in database.column_grants.items()
    }
    database.owners = {target: named(owner) for target, owner in database.owners.items()}
    for one in (*database.relations.values(), *database.functions.values()):
        one.owner = named(one.owner)
    database.defaults = {
        (named(owner), schema, kind, named(role), privilege): replace(
            one, owner=named(owner), role=named(role)
        )
        for (owner, schema, kind, role, privilege), one in database.defaults.items()
    }
    database.withheld = {
        (named(owner), kind, named(role), privilege)
        for owner, kind, role, privilege in database.withheld
    }


def rename_schema(database: Database, old: str, new: str) -> None:
    """ALTER SCHEMA … RENAME TO."""

    def named(name: str) -> str:
        return f"{new}{name[len(old) :]}" if name == old or name.startswith(f"{old}.") else name

    rename_objects(database, named, (Kind.TABLE, Kind.SEQUENCE, Kind.FUNCTION, Kind.SCHEMA))
    database.defaults = {
        (owner, named(schema), kind, role, privilege): replace(one, schema=named(schema))
        for (owner, schema, kind, role, privilege), one in database.defaults.items()
    }
    database.extensions = {
        name: (named(schema), via) for name, (schema, via) in database.extensions.items()
    }


def rename_objects(database: Database, named: Names, kinds: tuple[Kind, ...]) -> None:
    """Give the objects of some kinds the names that `named` makes of theirs."""

    def target(one: Object) -> Object:
        return Object(one.kind, named(one.name)) if one.kind in kinds else one

    database.owners = {target(one): owner for one, owner in database.owners.items()}
    database.owners_via = {target(one): via for one, via in database.owners_via.items()}
    database.grants = {
        (target(one), role, privilege, grantor): replace(grant, object=target(one))
        for (one, role, privilege, grantor), grant in database.grants.items()
    }
    database.column_grants = {
        (target(one), role, privilege, grantor, column): replace(grant, object=target(one))
        for (one, role, privilege, grantor, column), grant in database.column_grants.items()
    }
    if Kind.FUNCTION in kinds:
        made = list(database.functions.values())
        database.functions.clear()
        for function in made:
            function.object = target(function.object)
            database.functions[function.object.name] = function
        for relation in database.relations.values():
            relation.triggers = [
                replace(one, function=named(one.function)) for one in relation.triggers
            ]
    if Kind.TABLE in kinds:
        known = list(database.relations.values())
        database.relations.clear()
        for relation in known:
            relation.object = target(relation.object)
            relation.parents = {named(one) for one in relation.parents}
            relation.reads = tuple(named(one) for one in relation.reads)
            relation.rules = [replace(one, body=_body(one.body, named)) for one in relation.rules]
            database.relations[relation.object.name] = relation


def _body(body: Body, named: Names) -> Body:
    """A rule knows its tables by what they are, not by name."""
    return replace(body, actions=tuple((event, named(table)) for event, table in body.actions))
