"""Role manifests: their faults, and what they allow together with resources and migrations."""

from __future__ import annotations

from typing import Any

import pytest

from policies.database.migrations import migrations
from tests.policies.database_doors import grant, manifest_of, paths, pg, rules


def test_doors_add_up_to_one_model() -> None:
    """Each alone is sound; together they let the application delete."""
    manifest, group = manifest_of(), pg("role", "group", name="np_group")
    member = pg("grantRole", role="np_app", grantRole="np_group")
    delete = migrations(
        [("1.sql", "CREATE TABLE t (a int);\nGRANT DELETE ON t TO np_group;")], None
    )
    assert paths(manifest, group, member) == []
    found = paths(manifest, group, member, delete)
    text = "np_app → is a member of np_group → is granted DELETE on node_pass.t"
    assert text in found
    # By the kinds of the manifest, which the resources know nothing of.
    assert paths(manifest, grant("DELETE", role="np_migrator")) == []
    assert paths(manifest, grant("DELETE", role="np_app")) != []


def test_what_a_manifest_alone_does_is_told_once() -> None:
    grants = [{"object_type": "table", "objects": ["t"], "privileges": ["DELETE"]}]
    assert len(paths(manifest_of(grants=grants))) == 1


@pytest.mark.parametrize(
    ("fields", "limited"),
    [
        ({"connection_limit": 5}, True),
        ({"connection_limit": 5, "columns": []}, True),
        ({"connection_limit": 0}, False),
        ({"connection_limit": -1}, False),
        ({"connection_limit": None}, False),
        ({"connection_limit": "x"}, False),
    ],
)
def test_login_roles_of_manifests_have_a_limit(fields: dict[str, Any], limited: bool) -> None:
    assert ("db-login-roles-bounded" not in rules(manifest_of(**fields))) == limited


def test_columns_of_manifests_are_judged() -> None:
    grants = [{"object_type": "table", "objects": ["audit"], "privileges": ["UPDATE (a, b)"]}]
    assert "db-audit-append-only" in rules(manifest_of(grants=grants))
    grants = [
        {"object_type": "table", "objects": ["audit"], "privileges": ["UPDATE"], "columns": ["a"]}
    ]
    assert "db-audit-append-only" in rules(manifest_of(grants=grants))


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("db-no-elevated-roles", {"create_role": True}),
        ("db-no-elevated-roles", {"createDatabase": True}),
        ("db-no-elevated-roles", {"createdb": "yes"}),
        ("db-no-elevated-roles", {"replication": True}),
        ("db-no-elevated-roles", {"BYPASSRLS": True}),
        ("db-no-elevated-roles", {"bypass_row_level_security": True}),
        ("db-login-role-limits", {"password": "hunter2"}),
        ("db-login-role-limits", {"password": 5}),
        ("db-app-cannot-delete", {"member_of": ["rds_password"]}),
        (
            "db-app-cannot-delete",
            {"grants": [{"object_type": "table", "objects": ["t"], "privileges": ["TRIGGER"]}]},
        ),
        (
            "db-no-grant-options",
            {
                "grants": [
                    {
                        "object_type": "table",
                        "objects": ["*"],
                        "privileges": ["SELECT"],
                        "with_grant_option": True,
                    }
                ]
            },
        ),
        (
            "db-grants-named",
            {"grants": [{"object_type": "sequence", "objects": ["q"], "privileges": ["ALL"]}]},
        ),
    ],
)
def test_faults_of_manifests_are_refused(rule: str, fields: dict[str, Any]) -> None:
    assert rule in rules(manifest_of(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"create_role": False},
        {"replication": None},
        {"member_of": ["pg_maintain"]},
        {"password": "SCRAM-SHA-256$4096:c2FsdA==$a2V5:c2VydmVy"},
        {"grants": [{"object_type": "tables", "objects": ["*"], "privileges": ["SELECT"]}]},
    ],
)
def test_sound_manifests_pass(fields: dict[str, Any]) -> None:
    assert rules(manifest_of(**fields)) == set()


def test_defaults_of_manifests_meet_migrations() -> None:
    every = [{"object_type": "table", "objects": ["*"], "privileges": ["DELETE"]}]
    made = migrations([("1.sql", "CREATE TABLE other (a int);")], None)
    found = paths(manifest_of(grants=every), made)
    assert "np_app → is granted DELETE on node_pass.other" in found
