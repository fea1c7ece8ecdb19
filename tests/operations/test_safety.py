"""What the roles function refuses before it connects to anything."""

from __future__ import annotations

from typing import Any

import pytest

import workloads
from operations.errors import OperationError
from operations.roles import check
from workloads import RoleManifest


def manifest(role: str, **changes: Any) -> RoleManifest:
    contract = workloads.load("node_pass")
    made = contract.role_manifest({one.name: one.name for one in contract.login_roles})
    document = made.model_dump(by_alias=True)
    for one in document["roles"]:
        if one["name"] == role:
            one.update(changes)
    return RoleManifest.model_validate(document)


def grant(*privileges: str, on: str = "table", schema: str = "node_pass") -> dict[str, Any]:
    if on == "schema":
        return {"object_type": "schema", "objects": [schema], "privileges": privileges}
    return {"object_type": on, "schema": schema, "objects": ["*"], "privileges": privileges}


def test_the_repositorys_manifests_are_safe() -> None:
    for name in workloads.names():
        check(workloads.load(name))


@pytest.mark.parametrize("privilege", ["DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"])
def test_application_gets_nothing_but_select_insert_update(privilege: str) -> None:
    with pytest.raises(
        OperationError, match=rf"node_pass_app of kind app must not get {privilege}"
    ):
        check(manifest("node_pass_app", grants=[grant("SELECT", privilege)]))


@pytest.mark.parametrize(
    ("role", "changes", "message"),
    [
        ("node_pass_app", {"member_of": ["node_pass_owner"]}, "must not be a member of node_pass_o"),
        ("node_pass_app", {"member_of": ["pg_write_all_data"]}, "must not be a member of pg_write_"),
        ("node_pass_app", {"grants": [grant("CREATE", on="schema")]}, "must not get CREATE on schema"),
        ("node_pass_app", {"grants": [grant("UPDATE", on="sequence")]}, "must not get UPDATE on seq"),
        ("node_pass_app", {"grants": [grant("SELECT", schema="other")]}, "privileges in schema other"),
        ("node_pass_readonly", {"grants": [grant("INSERT")]}, "must not get INSERT"),
        ("node_pass_backup", {"grants": [grant("SELECT")]}, "must not get SELECT"),
        ("node_pass_backup", {"member_of": ["pg_write_all_data"]}, r"\(allowed: pg_read_all_data\)"),
        ("node_pass_migrator", {"member_of": ["pg_signal_backend"]}, r"\(allowed: node_pass_owner\)"),
        ("node_pass_migrator", {"grants": [grant("SELECT")]}, "must not get SELECT"),
        ("node_pass_owner", {"login": True, "secret_arn": "x"}, "must not log in"),
        ("node_pass_owner", {"member_of": ["pg_read_all_data"]}, r"\(allowed: none\)"),
        ("node_pass_app", {"login": False}, r"must log in"),
        ("node_pass_app", {"name": "other_app"}, r"other_app must be named node_pass_\.\.\."),
    ],
)  # fmt: skip
def test_too_much_is_refused_with_what_is_allowed(
    role: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(OperationError, match=message):
        check(manifest(role, **changes))
