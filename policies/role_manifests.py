"""The role manifest: what each database role may do, by which way.

The roles function applies the manifest to the database; it is the `input` of an
`aws.lambda_.Invocation`, so that it is visible here before it reaches the database. The model is
the workload contract's, read leniently: what is misspelt or unknown is reported, never skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from .database.membership import DELETING_ROLES, HARMLESS_ROLES
from .values import one_or_many, shown

# Kinds that are meant to delete: the owner of the objects (never logs in), who changes the schema,
# and the reviewed retention functions. Every other kind serves an application or a reader.
_DELETING_KINDS: Final = frozenset({"owner", "migrator", "retention"})

_TABLE_PRIVILEGES: Final = frozenset(
    {"SELECT", "INSERT", "UPDATE", "REFERENCES", "TRIGGER", "MAINTAIN"}
)
_DELETING_PRIVILEGES: Final = frozenset({"DELETE", "TRUNCATE", "ALL"})
_ALL_PRIVILEGES: Final = _TABLE_PRIVILEGES | _DELETING_PRIVILEGES | {"PRIVILEGES"}
# ALL on these gives nothing that deletes rows.
_ROWLESS_OBJECTS: Final = frozenset(
    {"schema", "sequence", "database", "function", "procedure", "routine", "type", "domain"}
    | {"language", "parameter"}
)
_ROLE_KEYS: Final = frozenset(
    {"name", "kind", "login", "member_of", "grants", "secret_arn", "secret_name", "members"}
    | {"connection_limit", "superuser", "create_role", "owns"}
)
_GRANT_KEYS: Final = frozenset(
    {"object_type", "schema", "objects", "privileges", "columns", "with_grant_option"}
)
_OWNER_KEYS: Final = ("owner", "schema_owner", "database_owner", "table_owner")
PUBLIC: Final = "PUBLIC"


class MalformedManifestError(Exception):
    """The manifest cannot be judged; the text says why."""


@dataclass
class Role:
    """One role, with every entry of the same name merged."""

    name: str
    kinds: set[str] = field(default_factory=set[str])
    can_login: bool = False
    deletes_by: list[str] = field(default_factory=list[str])
    """Why the role itself can delete rows, each as a phrase."""
    member_of: set[str] = field(default_factory=set[str])

    @property
    def is_application(self) -> bool:
        """Whether the role must not delete; an owner that logs in is no mere owner of objects."""
        return not (
            self.kinds
            and self.kinds <= _DELETING_KINDS
            and not ("owner" in self.kinds and self.can_login)
        )


def find(payload: object) -> list[dict[str, object]]:
    """The role manifests in an invocation's payload; empty if it is of another function."""
    if isinstance(payload, list):
        return [found for item in cast("list[object]", payload) for found in find(item)]
    if not isinstance(payload, dict):
        return []
    mapping = cast("dict[str, object]", payload)
    if _looks_like_manifest(mapping):
        return [mapping]
    return [found for item in mapping.values() for found in find(item)]


def _looks_like_manifest(mapping: Mapping[str, object]) -> bool:
    """Whether the object has database roles; other functions' `roles` are of another shape."""
    return any(
        isinstance(role, dict)
        and not cast("dict[str, object]", role).keys().isdisjoint(_ROLE_KEYS - {"name", "owns"})
        for role in one_or_many(mapping.get("roles"))
    )


def deletion_paths(manifest: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """(role, path) for each way in which an application role could DELETE or TRUNCATE.

    The path is written out: "node_pass_app → member of node_pass_owner → owns the tables".
    Raises `MalformedManifestError`.
    """
    roles = _roles(manifest)
    for role in roles.values():
        if role.is_application and role.name != PUBLIC:
            for path in _reach(role.name, roles, ()):
                yield role.name, " → ".join([role.name, *path])
    if PUBLIC in roles:
        for reason in roles[PUBLIC].deletes_by:
            yield PUBLIC, f"every role → PUBLIC → {reason}"
    for place, text in _strays(manifest):
        yield place, f"{text} stands in {place}, where no privilege is expected"


def _reach(
    name: str, roles: Mapping[str, Role], seen: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """Every way on from the role `name`; `seen` breaks circles."""
    role = roles.get(name)
    if role is None:
        if name.lower() in DELETING_ROLES:
            yield (f"{name} {DELETING_ROLES[name.lower()]}",)
        elif name.lower() not in HARMLESS_ROLES:
            yield (f"{name} is not in the manifest, so that it cannot be judged",)
        return
    for reason in role.deletes_by:
        yield (reason,)
    for parent in sorted(role.member_of - {*seen, name}):
        for path in _reach(parent, roles, (*seen, name)):
            yield (f"member of {parent}", *path)


def _roles(manifest: Mapping[str, object]) -> dict[str, Role]:
    entries = manifest.get("roles")
    if not isinstance(entries, list):
        raise MalformedManifestError(f"has roles = {shown(entries)}, not a list")
    roles: dict[str, Role] = {}
    for entry in cast("list[object]", entries):
        if not isinstance(entry, dict):
            raise MalformedManifestError(f"has the role {shown(entry)}, not an object")
        fields = cast("dict[str, object]", entry)
        name = fields.get("name")
        if not isinstance(name, str) or not name:
            raise MalformedManifestError(f"has a role with name = {shown(name)}")
        if name.upper() == PUBLIC:
            name = PUBLIC
        _merge(roles.setdefault(name, Role(name)), fields)
    for entry in cast("list[dict[str, object]]", entries):
        for member in _names(entry.get("members"), "members"):
            roles.setdefault(member, Role(member)).member_of.add(str(entry["name"]))
    for key in _OWNER_KEYS:
        for owner in _names(manifest.get(key), key):
            roles.setdefault(owner, Role(owner)).deletes_by.append("owns the tables")
    return roles


def _merge(role: Role, fields: Mapping[str, object]) -> None:
    kind = fields.get("kind")
    role.kinds.add(kind.lower() if isinstance(kind, str) else "unknown")
    role.can_login |= fields.get("login") is not False
    role.member_of |= set(_names(fields.get("member_of"), f"member_of of {role.name}"))
    if "owner" in role.kinds or fields.get("owns"):
        role.deletes_by.append("owns the tables")
    for attribute in ("superuser", "create_role"):
        if fields.get(attribute) not in (None, False):
            role.deletes_by.append(f"has the attribute {attribute}")
    for grant in one_or_many(fields.get("grants")):
        role.deletes_by += _deletions_of(role.name, grant)


def _deletions_of(role_name: str, grant: object) -> Iterator[str]:
    if not isinstance(grant, dict):
        raise MalformedManifestError(f"has a grant of {role_name} that is {shown(grant)}")
    fields = cast("dict[str, object]", grant)
    if extra := sorted(fields.keys() - _GRANT_KEYS):
        raise MalformedManifestError(
            f'has a grant of {role_name} with the unknown key "{extra[0]}"'
        )
    object_type = fields.get("object_type")
    kind = object_type.strip().lower().rstrip("s") if isinstance(object_type, str) else "table"
    objects = ", ".join(shown(item) for item in one_or_many(fields.get("objects")) or ["*"])
    for privilege in _privileges(role_name, fields.get("privileges")):
        if kind in _ROWLESS_OBJECTS and privilege not in ("DELETE", "TRUNCATE"):
            continue
        if privilege in _DELETING_PRIVILEGES:
            yield f"granted {privilege} on {kind} {objects}"
        elif privilege not in _TABLE_PRIVILEGES:
            yield f'granted "{privilege[:40]}" on {kind} {objects}, which is no known privilege'


def _privileges(role_name: str, value: object) -> Iterator[str]:
    """Each privilege as its keyword: `delete`, `UPDATE (status)` and `ALL PRIVILEGES` included."""
    for item in one_or_many(value):
        if not isinstance(item, str):
            raise MalformedManifestError(f"has a privilege of {role_name} that is {shown(item)}")
        for privilege in re.sub(r"\([^)]*\)", "", item).split(","):
            words = privilege.upper().split()
            if words in (["ALL"], ["ALL", "PRIVILEGES"]):
                yield "ALL"
            elif words:
                yield " ".join(words)


def _names(value: object, place: str) -> Iterator[str]:
    for item in one_or_many(value):
        if not isinstance(item, str) or not item:
            raise MalformedManifestError(f"has {place} = {shown(item)}, not a role's name")
        yield item


def _strays(manifest: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Deleting privileges in places that this module does not read (a newer manifest's)."""
    places: list[tuple[str, object]] = [
        (key, value) for key, value in manifest.items() if key != "roles"
    ]
    for entry in cast("list[dict[str, object]]", manifest["roles"]):
        places += [
            (f"{key} of {entry['name']}", value)
            for key, value in entry.items()
            if key not in _ROLE_KEYS
        ]
    for place, value in places:
        for text in _texts(value):
            words = re.findall(r"[A-Z]+", text.upper())
            deleting = sorted(_DELETING_PRIVILEGES.intersection(words))
            # Prose may say "never DELETE"; a list of privileges or a GRANT means it.
            means_it = "GRANT" in words or _ALL_PRIVILEGES.issuperset(words)
            if deleting and means_it:
                yield place, deleting[0]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        items = (
            cast("dict[str, object]", value).items()
            if isinstance(value, dict)
            else cast("list[object]", value)
        )
        for item in items:
            for part in item if isinstance(item, tuple) else (item,):
                yield from _texts(part)
