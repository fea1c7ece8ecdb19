"""Workload contracts: the node_pass one, and what a wrong one is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import workloads
from workloads import ContractError, Grant, RoleManifest

ROLES = [{"name": "shop_owner", "kind": "owner", "login": False}]


def write(root: Path, text: str) -> Path:
    folder = root / "shop" / "migrations"
    folder.mkdir(parents=True)
    (root / "shop/contract.yaml").write_text(text)
    return folder


def manifest(**changes: Any) -> dict[str, Any]:
    return {
        "workload": "shop",
        "database": "shop",
        "schema": "shop",
        "roles": ROLES,
        **changes,
    }


def test_every_workload_in_the_repository_loads() -> None:
    assert "node_pass" in workloads.names()
    for name in workloads.names():
        assert workloads.load(name).workload == name
        assert workloads.migrations(name)


def test_node_pass_app_reads_adds_and_changes_buyers_only() -> None:
    contract = workloads.load("node_pass")
    app = next(role for role in contract.roles if role.kind == "app")
    tables = [grant for grant in app.grants if grant.object_type == "table"]
    assert [(grant.objects, grant.privileges) for grant in tables] == [
        (("buyers",), ("SELECT", "INSERT", "UPDATE"))
    ]
    assert app.member_of == ()


def test_manifest_json_has_the_keys_of_the_contract() -> None:
    contract = workloads.load("node_pass")
    made = contract.role_manifest({role.name: role.name for role in contract.login_roles})
    document = json.loads(made.to_json())
    assert list(document) == ["workload", "database", "schema", "roles"]
    app = next(role for role in document["roles"] if role["kind"] == "app")
    assert app["secret_arn"] == "node_pass_app"
    assert app["grants"][1] == {
        "object_type": "table",
        "schema": "node_pass",
        "objects": ["buyers"],
        "privileges": ["SELECT", "INSERT", "UPDATE"],
    }
    assert "secret_arn" not in document["roles"][0]
    assert RoleManifest.model_validate(document) == made


def test_login_role_without_secret_is_refused() -> None:
    with pytest.raises(ValidationError, match="node_pass_migrator can log in but has no secret"):
        workloads.load("node_pass").role_manifest({})


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ([], "at least 1 item"),
        ([{**ROLES[0], "kind": "app"}], "exactly one role of kind owner, got 0"),
        ([*ROLES, *ROLES], "shop_owner is listed twice"),
        ([{**ROLES[0], "member_of": ["rds_superuser"]}], "member of rds_superuser, which is neit"),
        ([{**ROLES[0], "name": "Shop-Owner"}], "should match pattern"),
        ([{**ROLES[0], "name": "a" * 62}], "at most 61 characters"),
        ([{**ROLES[0], "superuser": True}], "Extra inputs are not permitted"),
    ],
)
def test_wrong_roles_are_refused_by_name(roles: list[Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RoleManifest.model_validate(manifest(roles=roles))


@pytest.mark.parametrize(
    ("grant", "message"),
    [
        ({"object_type": "schema", "objects": ["x"], "privileges": ["SELECT"]}, "do not exist on"),
        ({"object_type": "schema", "objects": ["*"], "privileges": ["USAGE"]}, "names them in"),
        ({"object_type": "table", "objects": ["x"], "privileges": ["SELECT"]}, "names its `schema"),
        ({"object_type": "table", "schema": "s", "objects": ["*", "x"], "privileges": ["SELECT"]}, "already means all"),
        ({"object_type": "table", "schema": "s", "objects": ["x"], "privileges": ["ALL"]}, "Input should be 'SELECT'"),
        ({"object_type": "table", "schema": "s", "objects": [], "privileges": ["SELECT"]}, "at least 1 item"),
    ],
)  # fmt: skip
def test_wrong_grant_is_refused(grant: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Grant.model_validate(grant)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workload: [", r"shop/contract\.yaml line \d+ is not valid YAML"),
        ("- a list", r"shop/contract\.yaml: document: "),
        ("workload: shop", r"shop/contract\.yaml: database: Field required"),
        (
            f"{{workload: other, description: x, database: d, schema: s, roles: {json.dumps(ROLES)}}}",
            "workload is 'other', but its folder is 'shop'",
        ),
    ],
)
def test_wrong_contract_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ContractError, match=message) as caught:
        workloads.load("shop", tmp_path)
    assert "\n" not in str(caught.value)


def test_unknown_workload_lists_those_there_are(tmp_path: Path) -> None:
    write(tmp_path, "")
    with pytest.raises(ContractError, match=r"'nope' has no contract\.yaml; known workloads: shop"):
        workloads.load("nope", tmp_path)


def test_migrations_are_in_order_with_their_digests(tmp_path: Path) -> None:
    folder = write(tmp_path, "")
    (folder / "0002_b.sql").write_text("b")
    (folder / "0001_a.sql").write_text("a")
    found = workloads.migrations("shop", tmp_path)
    assert [one.name for one in found] == ["0001_a.sql", "0002_b.sql"]
    assert found[0].sha256 == "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["0001_a.sql", "0001_b.sql"], "two files numbered 0001"),
        (["1-A.sql"], r"1-A\.sql is not named NNNN_lower_case\.sql"),
    ],
)
def test_wrongly_named_migrations_are_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    folder = write(tmp_path, "")
    for name in names:
        (folder / name).write_text("")
    with pytest.raises(ContractError, match=message):
        workloads.migrations("shop", tmp_path)
