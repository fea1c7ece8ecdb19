"""Secrets, the role manifest and the order in which functions are run."""

from __future__ import annotations

import json

import workloads
from tests.unit.conftest import Deployed
from tests.unit.test_network import tags

SECRETS = {
    "master-credentials-secret": "master",
    "roles-migrator": "node_pass/migrator",
    "roles-app": "node_pass/app",
    "roles-readonly": "node_pass/readonly",
    "roles-backup": "node_pass/backup",
    "roles-health": "node_pass/health",
    "roles-pooler-users": "pooler/users",
    "pooler-pause": "pooler/pause",
    "pooler-certificates-authority": "pooler/authority",
    "pooler-certificates-server": "pooler/server-tls",
}


def test_secrets_are_places_without_values(deployed: Deployed, environment: str) -> None:
    recorder = deployed(environment)
    window = {"local": 0, "dev": 0, "staging": 7, "prod": 30}[environment]
    found = recorder.of_type("aws:secretsmanager/secret:Secret")
    assert set(found) == set(SECRETS)
    for name, suffix in SECRETS.items():
        inputs = dict(found[name])
        assert inputs.pop("description")
        assert inputs == {
            "name": f"pgkeep-{environment}/{suffix}",
            "kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/keys-secrets",
            "recoveryWindowInDays": window,
            "tags": {
                **tags(environment, f"pgkeep-{environment}/{suffix}"),
                **({"pgkeep:credential": "none"} if name == "pooler-pause" else {}),
            },
        }


def test_the_manifest_is_the_contract_with_secret_names(
    deployed: Deployed, environment: str
) -> None:
    recorder = deployed(environment)
    inputs = recorder.inputs("roles-apply")
    manifest = json.loads(inputs["input"])["manifest"]
    assert inputs == {
        "functionName": f"pgkeep-{environment}-roles",
        "input": json.dumps({"manifest": manifest}),
        "lifecycleScope": "CREATE_ONLY",
        "triggers": {"instance": "db-database-instance"},
    }
    roles = {role["kind"]: role for role in manifest["roles"]}
    assert {kind: role.get("secret_arn") for kind, role in roles.items()} == {
        "owner": None,
        "migrator": f"pgkeep-{environment}/node_pass/migrator",
        "app": f"pgkeep-{environment}/node_pass/app",
        "readonly": f"pgkeep-{environment}/node_pass/readonly",
        "backup": f"pgkeep-{environment}/node_pass/backup",
        "health": f"pgkeep-{environment}/node_pass/health",
    }
    (table,) = [grant for grant in roles["app"]["grants"] if grant["object_type"] == "table"]
    assert table["privileges"] == ["SELECT", "INSERT", "UPDATE"]
    assert workloads.RoleManifest.model_validate(manifest).workload == "node_pass"


def test_migrations_are_announced_with_their_digests(deployed: Deployed, environment: str) -> None:
    inputs = deployed(environment).inputs("migrations-apply")
    expected = [migration.model_dump() for migration in workloads.migrations("node_pass")]
    assert expected
    assert json.loads(inputs["input"]) == {"workload": "node_pass", "migrations": expected}


def test_functions_run_in_order(deployed: Deployed, environment: str) -> None:
    order = list(deployed(environment).resources)
    steps = [
        "database-instance",
        "master-credentials-initialize",
        "roles-apply",
        "migrations-apply",
    ]
    assert [name for name in order if name in steps] == steps
    assert order.index("roles-apply") < order.index("pooler-hosts-group")
    assert order.index("pooler-certificates-ca") < order.index("pooler-certificates-issue")
    assert order.index("pooler-certificates-issue") < order.index("pooler-hosts-group")


def test_certificates_are_issued_for_the_load_balancer(
    deployed: Deployed, environment: str
) -> None:
    assert json.loads(deployed(environment).inputs("pooler-certificates-issue")["input"]) == {
        "dns_names": ["pooler-load-balancer.elb.eu-west-1.amazonaws.com"],
        "server_valid_days": 90,
        "authority_valid_days": 3650,
    }
