"""Owner and grants of a restored database end as the role manifest says, and are proven to."""

from __future__ import annotations

from typing import Any

import pytest

from operations.errors import OperationError
from operations.restore import role_grants
from operations.restore.proof import Proof
from tests.operations.conftest import Deployment
from tests.operations.postgres_server import MASTER, MASTER_PASSWORD

pytestmark = pytest.mark.root


def connect(deployment: Deployment) -> Any:
    return lambda: deployment.server.endpoint.connect(MASTER, MASTER_PASSWORD)


@pytest.fixture
def restored(deployment: Deployment) -> Deployment:
    """The roles are applied, and the application's table is there."""
    deployment.apply()
    with deployment.server.superuser("node_pass") as connection:
        connection.execute("SET ROLE node_pass_owner")
        connection.execute("CREATE TABLE node_pass.buyers (id int PRIMARY KEY)")
    role_grants.apply(deployment.contract, connect=connect(deployment))
    return deployment


def judged(deployment: Deployment, **options: bool) -> Proof:
    proof = Proof("backup")
    role_grants.prove(proof, deployment.contract, connect=connect(deployment), **options)
    return proof


WRONG = {
    "GRANT DELETE ON node_pass.buyers TO node_pass_app": (
        "revoke DELETE on table node_pass.buyers from node_pass_app"
    ),
    "REVOKE UPDATE ON node_pass.buyers FROM node_pass_app": (
        "grant UPDATE on table node_pass.buyers to node_pass_app"
    ),
    "GRANT SELECT ON node_pass.buyers TO PUBLIC": (
        "revoke SELECT on table node_pass.buyers from PUBLIC"
    ),
}


@pytest.mark.parametrize("statement", WRONG)
def test_a_grant_that_the_manifest_does_not_give_is_found_and_taken_back(
    restored: Deployment, statement: str
) -> None:
    (holds,) = judged(restored).checks
    assert (holds.name, holds.examined, holds.findings) == ("owner and grants", 1, ())
    with restored.server.superuser("node_pass") as connection:
        connection.execute(statement.encode())
    for _ in range(2):
        # Looking changes nothing.
        assert judged(restored).checks[0].findings == (WRONG[statement],)
    noted = judged(restored, as_of_its_day=True)
    assert noted.checks == []
    assert noted.left_out == [
        f"owner and grants are of that moment; today's manifest would {WRONG[statement]}"
    ]
    role_grants.apply(restored.contract, connect=connect(restored))
    assert judged(restored).proven


def test_a_table_of_somebody_else_is_found_by_name(restored: Deployment) -> None:
    with restored.server.superuser("node_pass") as connection:
        connection.execute(f"ALTER TABLE node_pass.buyers OWNER TO {MASTER}".encode())
    (line,) = judged(restored).checks[0].findings
    assert line.startswith("node_pass.buyers belongs to ")
    assert "not to node_pass_owner" in line
    with pytest.raises(OperationError, match=r"node_pass.buyers belongs to"):
        role_grants.apply(restored.contract, connect=connect(restored))
