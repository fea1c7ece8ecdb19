"""Temporary credentials of a role, as Lambda and the instance metadata service hand them out."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.sts.models import sts_backends


@dataclass(frozen=True)
class RoleCredentials:
    """A session of a role; `expires_at` is UTC."""

    role_arn: str
    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: datetime.datetime


def assume(
    account_id: str,
    region: str,
    role_arn: str,
    session_name: str,
    duration_seconds: int = 43_200,
    *,
    conditions: Mapping[str, str] | None = None,
) -> RoleCredentials:
    """Start a session of `role_arn`: requests signed with it are checked against the role.

    `duration_seconds` is at most 12 hours on AWS, which is also the default here. `conditions`
    are condition keys of every request of the session, such as lambda:SourceFunctionArn.
    """
    backend: Any = sts_backends[account_id]["aws"]
    session: Any = backend.assume_role(
        region_name=region,
        role_session_name=session_name,
        role_arn=role_arn,
        policy=None,
        duration=duration_seconds,
        external_id=None,
    )
    session.conditions = {name.lower(): value for name, value in (conditions or {}).items()}
    return RoleCredentials(
        role_arn,
        session.access_key_id,
        session.secret_access_key,
        session.session_token,
        session.expiration.replace(tzinfo=datetime.UTC),
    )
