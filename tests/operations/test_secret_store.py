"""Stages of a secret, as Secrets Manager (moto) keeps them."""

from __future__ import annotations

from typing import Any

import pytest

from operations import secret_store
from operations.errors import OperationError


@pytest.fixture
def secret(secrets: Any) -> str:
    secrets.create_secret(Name="a-secret")
    return "a-secret"


def stages(secrets: Any, secret: str) -> list[list[str]]:
    return sorted(secrets.describe_secret(SecretId=secret)["VersionIdsToStages"].values())


def test_a_pending_version_becomes_current_and_the_old_one_previous(
    secrets: Any, secret: str
) -> None:
    assert secret_store.read(secrets, secret) is None
    secret_store.write(secrets, secret, {"n": 1})
    secret_store.write(secrets, secret, {"n": 2}, "AWSPENDING")
    assert secret_store.read(secrets, secret) == {"n": 1}
    assert secret_store.read(secrets, secret, "AWSPENDING") == {"n": 2}

    secret_store.promote(secrets, secret)
    secret_store.promote(secrets, secret)

    assert secret_store.read(secrets, secret) == {"n": 2}
    assert secret_store.read(secrets, secret, "AWSPENDING") is None
    assert stages(secrets, secret) == [["AWSCURRENT"], ["AWSPREVIOUS"]]


def test_first_version_is_current_and_pending_until_promoted(secrets: Any, secret: str) -> None:
    secret_store.write(secrets, secret, {"n": 1}, "AWSPENDING")
    secret_store.promote(secrets, secret)
    assert stages(secrets, secret) == [["AWSCURRENT"]]


def test_absent_secret_and_other_text_are_named_without_their_content(
    secrets: Any, secret: str
) -> None:
    with pytest.raises(OperationError, match="secret nothing does not exist; deploy the stack"):
        secret_store.read(secrets, "nothing")
    secrets.put_secret_value(SecretId=secret, SecretString="a plain password")
    with pytest.raises(OperationError, match="a-secret holds no JSON object") as caught:
        secret_store.read(secrets, secret)
    assert "plain password" not in str(caught.value)
