"""No DELETE or TRUNCATE for an application: every way that a manifest can give it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from policies.evaluation import Kind, Verdict
from policies.grants import manifests
from policies.inventory import Resource
from tests.policies.good_stack import (
    INVOCATION,
    MANIFEST,
    UNKNOWN_STRING,
    notes,
    resource,
)
from tests.policies.good_stack import verdicts as all_verdicts

REFUSED = [("db-app-cannot-delete", "roles")]


def verdicts(changed: Resource) -> list[Verdict]:
    """Of the rule itself; others judge the same grants for other reasons."""
    return [one for one in all_verdicts(changed) if one.rule.id == "db-app-cannot-delete"]


def violations(changed: Resource) -> list[tuple[str, str]]:
    return [
        (one.rule.id, one.urn.rpartition("::")[2])
        for one in verdicts(changed)
        if one.kind is Kind.VIOLATION
    ]


def manifest(*more_roles: Any, app: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    changed = {**copy.deepcopy(MANIFEST), **top}
    changed["roles"][2].update(app or {})
    changed["roles"] += list(more_roles)
    return changed


def invocation(payload: object) -> Resource:
    return resource("roles", input=payload if isinstance(payload, str) else json.dumps(payload))


def found(*more_roles: Any, app: dict[str, Any] | None = None, **top: Any) -> list[tuple[str, str]]:
    return violations(invocation({"manifest": manifest(*more_roles, app=app, **top)}))


def table(*privileges: Any, **other: Any) -> list[dict[str, Any]]:
    return [
        {"object_type": "table", "objects": ["buyers"], "privileges": list(privileges), **other}
    ]


@pytest.mark.parametrize(
    "privilege",
    [
        "DELETE",
        "delete",
        " Delete ",
        "TRUNCATE",
        "ALL",
        "ALL PRIVILEGES",
        "all  privileges",
        "SELECT, DELETE",
        "DELETE (id)",
        "CRUD",
        "*",
        "SELECT DELETE",
        5,
        None,
        ["DELETE"],
    ],
    ids=str,
)
def test_deleting_and_unknown_privileges_are_refused(privilege: object) -> None:
    assert found(app={"grants": table("SELECT", privilege)}) == REFUSED
    assert found(app={"grants": table("SELECT", privilege)[0]}) == REFUSED


def test_privileges_may_be_one_text() -> None:
    assert found(app={"grants": table(privileges="SELECT,INSERT")}) == []
    assert found(app={"grants": table(privileges="SELECT,TRUNCATE")}) == REFUSED


@pytest.mark.parametrize(
    "grant",
    [
        {"object_type": "table", "objects": ["*"], "privileges": ["DELETE"]},
        {"object_type": "TABLES", "objects": ["*"], "privileges": ["ALL"]},
        {"object_type": "view", "objects": ["v"], "privileges": ["DELETE"]},
        {"objects": ["buyers"], "privileges": ["DELETE"]},
        {"object_type": 5, "privileges": ["ALL"]},
        {"object_type": "schema", "objects": ["s"], "privileges": ["DELETE"]},
        {"object_type": "table", "privilege": ["DELETE"]},
    ],
    ids=str,
)
def test_objects_of_every_kind_and_misspelt_grants_are_refused(grant: dict[str, Any]) -> None:
    assert found(app={"grants": [grant]}) == REFUSED


@pytest.mark.parametrize("kind", ["schema", "sequence", "sequences", "function", "database"])
def test_all_on_what_has_no_rows_is_accepted(kind: str) -> None:
    assert found(app={"grants": [{"object_type": kind, "privileges": ["ALL"]}]}) == []


def test_column_privileges_are_read() -> None:
    assert found(app={"grants": table("UPDATE (status, refunded_at)")}) == []


def test_membership_in_the_owner_is_refused_and_the_path_is_written_out() -> None:
    payload = {"manifest": manifest({"name": "mid", "member_of": ["np_owner"], "kind": "migrator"})}
    payload["manifest"]["roles"][2]["member_of"] = ["mid"]
    (verdict,) = verdicts(invocation(payload))
    assert "np_app → member of mid → member of np_owner → owns the tables" in verdict.message


@pytest.mark.parametrize(
    "role",
    ["pg_write_all_data", "PG_WRITE_ALL_DATA", "rds_superuser", "np_migrator", "who_is_this"],
)
def test_memberships_that_delete_or_cannot_be_judged_are_refused(role: str) -> None:
    assert found(app={"member_of": [role]}) == REFUSED
    assert found(app={"member_of": role}) == REFUSED


def test_harmless_memberships_are_accepted() -> None:
    assert found(app={"member_of": ["pg_read_all_data", "pg_monitor"]}) == []


def test_membership_may_be_declared_from_the_other_side() -> None:
    role = {"name": "group", "kind": "retention", "members": ["np_app"], "grants": table("DELETE")}
    assert found(role) == REFUSED


def test_circles_of_membership_end() -> None:
    first = {"name": "a", "kind": "app", "member_of": ["b"]}
    second = {"name": "b", "kind": "app", "member_of": ["a", "b"]}
    assert found(first, second) == []


def test_grants_to_public_reach_every_role() -> None:
    public = {"name": "public", "kind": "retention", "grants": table("DELETE")}
    (verdict,) = verdicts(invocation({"manifest": manifest(public)}))
    assert "every role → PUBLIC → granted DELETE on table" in verdict.message


@pytest.mark.parametrize("key", ["owner", "schema_owner", "table_owner"])
def test_ownership_is_refused(key: str) -> None:
    assert found(**{key: "np_app"}) == REFUSED
    assert found(app={"owns": ["buyers"]}) == REFUSED
    assert found(**{key: "np_owner"}) == []


@pytest.mark.parametrize("attribute", ["superuser", "create_role"])
def test_attributes_above_grants_are_refused(attribute: str) -> None:
    assert found(app={attribute: True}) == REFUSED
    assert found(app={attribute: False}) == []


@pytest.mark.parametrize("kind", ["readonly", "backup", "monitoring", "service", None, 5, "App"])
def test_every_kind_that_is_not_meant_to_delete_is_judged(kind: object) -> None:
    assert found({"name": "r", "kind": kind, "grants": table("DELETE")}) == REFUSED


@pytest.mark.parametrize("kind", ["retention", "migrator"])
def test_kinds_that_are_meant_to_delete_may(kind: str) -> None:
    assert found({"name": "r", "kind": kind, "login": True, "grants": table("DELETE")}) == []


def test_an_owner_that_logs_in_is_an_application() -> None:
    assert found({"name": "o", "kind": "owner", "login": True}) == REFUSED
    assert found({"name": "o", "kind": "owner"}) == REFUSED


def test_two_entries_of_one_role_are_one_role() -> None:
    assert found({"name": "np_app", "kind": "migrator", "grants": table("DELETE")}) == REFUSED


@pytest.mark.parametrize(
    "extra",
    [
        {"default_privileges": [{"to": "np_app", "privileges": ["DELETE"]}]},
        {"public": {"privileges": "ALL PRIVILEGES"}},
        {"sql": "GRANT DELETE ON buyers TO np_app"},
    ],
    ids=str,
)
def test_privileges_in_unknown_places_are_refused(extra: dict[str, Any]) -> None:
    assert found(**extra) == REFUSED
    assert found(app=extra) == REFUSED


def test_prose_may_speak_of_delete() -> None:
    assert found(description="Applications never DELETE or TRUNCATE.") == []


@pytest.mark.parametrize(
    "payload",
    ["{", "not json", '{"manifest": ' + "[" * 50_000, '{"a": 1, "a": 2}', "NaN{"],
    ids=lambda text: text[:20],
)
def test_inputs_that_cannot_be_read_are_refused(payload: str) -> None:
    assert violations(invocation(payload)) == REFUSED


def test_manifest_as_text_inside_the_payload_is_read() -> None:
    bad = manifest(app={"grants": table("DELETE")})
    assert violations(invocation({"manifest": json.dumps(bad)})) == REFUSED
    assert violations(invocation([{"deep": {"er": bad}}])) == REFUSED


@pytest.mark.parametrize(
    "payload",
    [
        *({"action": "initialize"}, {"class": "daily"}, {"roles": ["reader"]}),
        *({"manifest": {"a": 1}}, {"manifest": "of the month"}),
    ],
    ids=str,
)
def test_other_functions_are_not_judged(payload: dict[str, Any]) -> None:
    assert violations(invocation(payload)) == []


def test_an_input_that_is_unknown_at_preview_is_noted_and_a_known_copy_is_judged() -> None:
    bad = json.dumps(manifest(app={"grants": table("DELETE")}))
    unknown = Resource.of(type=INVOCATION, name="roles", properties={"input": UNKNOWN_STRING})
    # The event may hold a connection too.
    assert [one for one in notes(unknown) if one[0] != "db-verify-full"] == REFUSED
    copied = Resource.of(
        type=INVOCATION,
        name="roles",
        properties={"input": UNKNOWN_STRING, "triggers": {"manifest": bad, "hash": "ab12"}},
    )
    assert violations(copied) == REFUSED


def test_paths_name_privilege_kind_and_objects() -> None:
    def path(**grant: Any) -> str:
        (verdict,) = verdicts(invocation({"manifest": manifest(app={"grants": [grant]})}))
        return verdict.finding.partition("np_app → ")[2].partition(";")[0]

    assert path(objects=["a", "b"], privileges=["DELETE"]) == 'granted DELETE on table "a", "b"'
    assert path(privileges=["DELETE"], object_type=" Views ") == 'granted DELETE on view "*"'
    assert path(privileges=["ALL  PRIVILEGES"]) == 'granted ALL on table "*"'
    odd = 'granted "CRUD" on table "*", which is no known privilege'
    assert path(privileges=["CRUD"]) == odd
    assert found(app={"grants": table("SELECT", "")}) == []


@pytest.mark.parametrize("owner", [[""], [5], ""])
def test_names_that_are_none_are_refused(owner: Any) -> None:
    for refused in (found(app={"member_of": owner}), found(owner=owner)):
        assert set(refused) == set(REFUSED)


@pytest.mark.parametrize("name", [None, "", 5])
def test_roles_without_a_name_are_refused(name: Any) -> None:
    assert found({"name": name, "kind": "app"}) == REFUSED
    assert found("np_other") == REFUSED


def test_names_of_keys_are_read_as_privileges_too() -> None:
    assert found(privileges_by_name={"DELETE": ["np_app"]}) == REFUSED
    assert found(privileges_by_name={"SELECT": ["np_app"]}) == []
    assert found(granted={"x": ["GRANT TRUNCATE ON t"]}) == REFUSED


def test_what_everybody_has_is_told_of_everybody_once() -> None:
    public = {"name": "PUBLIC", "kind": "app", "grants": table("DELETE")}
    assert len(verdicts(invocation({"manifest": manifest(public)}))) == 1


@pytest.mark.parametrize("roles", ["np_app", {"np_app": {"kind": "app"}}, [], None])
def test_what_has_no_roles_is_no_manifest(roles: Any) -> None:
    assert violations(invocation({"manifest": {"roles": roles, "schema": "s"}})) == []
    odd = [{"name": "a", "owns": ["t"]}]
    assert violations(invocation({"manifest": {"roles": odd}})) == []
    one = {"name": "a", "grants": table("DELETE")}
    assert set(violations(invocation({"manifest": {"roles": one}}))) == set(REFUSED)


def of(**properties: Any) -> Resource:
    return Resource.of(type=INVOCATION, name="roles", properties=properties)


def test_manifests_are_found_in_inputs_and_triggers_once_each() -> None:
    one, other = manifest(), manifest(schema="other")
    text = json.dumps(one)
    for found in (
        of(input=text),
        of(input=one),
        of(input=json.dumps({"manifest": text})),
        of(input=text, triggers={"copy": text, "hash": "ab12", "number": 5}),
        of(input="{", triggers={"copy": text}),
        of(input="", triggers={"copy": one}),
        of(input=text, triggers="ab12"),
    ):
        assert manifests(found) == [one]
    assert manifests(of(input=text, triggers={"copy": json.dumps(other)})) == [one, other]
    assert manifests(of(input="", triggers="ab12")) == []
    assert manifests(of(input=json.dumps({"manifest": "of the month"}))) == []


def test_triggers_are_judged_where_they_may_be_manifests() -> None:
    bad = manifest(app={"grants": table("DELETE")})
    assert violations(of(input="", triggers={"copy": json.dumps(bad)})) == REFUSED
    assert violations(of(input=bad)) == REFUSED
    assert violations(of(input="", triggers={"copy": '{"roles": '})) == REFUSED
    assert violations(of(input="", triggers={"hash": "{ab12", "number": 5})) == []
    assert violations(of(triggers=json.dumps(bad))) == []
