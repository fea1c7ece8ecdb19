"""What a role of a kind may be given at most.

The policy pack refuses the same before an update; this is the last gate before the database, for a
manifest that came another way.
"""

from __future__ import annotations

from collections.abc import Mapping

from operations.errors import OperationError
from workloads.contract import Grant, Role, RoleKind, RoleSet

_TABLE_LIMITS: Mapping[RoleKind, frozenset[str]] = {
    "app": frozenset({"SELECT", "INSERT", "UPDATE"}),
    "readonly": frozenset({"SELECT"}),
}
_SEQUENCE_LIMITS: Mapping[RoleKind, frozenset[str]] = {
    "app": frozenset({"USAGE", "SELECT"}),
    "readonly": frozenset({"SELECT"}),
}
_SCHEMA_LIMITS: Mapping[RoleKind, frozenset[str]] = {
    "app": frozenset({"USAGE"}),
    "readonly": frozenset({"USAGE"}),
}
_NOTHING: frozenset[str] = frozenset()


def check(roles: RoleSet) -> None:
    """Raise `OperationError`, naming everything that is wrong, unless the manifest is safe."""
    wrong = [problem for role in roles.roles for problem in _problems(role, roles)]
    if wrong:
        raise OperationError(f"role manifest of {roles.workload} refused: " + "; ".join(wrong))


def _problems(role: Role, roles: RoleSet) -> list[str]:
    problems: list[str] = []
    if not role.name.startswith(f"{roles.workload}_"):
        problems.append(f"role {role.name} must be named {roles.workload}_...")
    if role.login == (role.kind == "owner"):
        problems.append(
            f"role {role.name} of kind {role.kind} "
            + ("must not log in (login: false)" if role.login else "must log in (login: true)")
        )
    allowed = _allowed_memberships(role, roles)
    for parent in role.member_of:
        if parent not in allowed:
            problems.append(
                f"role {role.name} of kind {role.kind} must not be a member of {parent} "
                f"(allowed: {', '.join(allowed) or 'none'})"
            )
    for grant in role.grants:
        problems += _grant_problems(role, grant, roles)
    return problems


def _allowed_memberships(role: Role, roles: RoleSet) -> list[str]:
    if role.kind == "migrator":
        return [roles.owner.name]
    if role.kind == "backup":
        return ["pg_read_all_data"]
    return []


def _grant_problems(role: Role, grant: Grant, roles: RoleSet) -> list[str]:
    limits = {"schema": _SCHEMA_LIMITS, "table": _TABLE_LIMITS, "sequence": _SEQUENCE_LIMITS}
    allowed = limits[grant.object_type].get(role.kind, _NOTHING)
    too_much = [privilege for privilege in grant.privileges if privilege not in allowed]
    problems: list[str] = []
    if too_much:
        problems.append(
            f"role {role.name} of kind {role.kind} must not get {', '.join(too_much)} on "
            f"{grant.object_type} {', '.join(grant.objects)} "
            f"(allowed: {', '.join(sorted(allowed)) or 'none'})"
        )
    schemas = grant.objects if grant.object_type == "schema" else (grant.schema_name or "",)
    problems += [
        f"role {role.name} must not get privileges in schema {schema} "
        f"(the workload's own is {roles.schema_name})"
        for schema in schemas
        if schema != roles.schema_name
    ]
    return problems
