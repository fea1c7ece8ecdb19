"""Who signs a request: the administrator, or a session of a role."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.s3.exceptions import S3ClientError
from moto.sts.models import sts_backends

from localcloud.permissions import accounts, roles
from localcloud.permissions.policies import Principal

# Keys that STS has given out; every other key is the administrator's.
_SESSION_KEY = "ASIA"


@dataclass(frozen=True)
class Caller:
    """`role` is moto's role of a session, None for the administrator and for nobody."""

    principal: Principal
    role: Any | None
    service: str
    session_name: str = ""
    # Condition keys that come with the credentials, lower case.
    conditions: Mapping[str, str] = field(default_factory=lambda: {})

    @property
    def administrator(self) -> bool:
        """The person at the keyboard: allowed everything that no policy denies to everybody."""
        return self.role is None and not self.principal.anonymous

    @property
    def name(self) -> str:
        """How AWS names the caller in its errors."""
        return self.principal.arns[-1] if self.principal.arns else "anonymous"


def identify(response: Any) -> Caller:
    """Return who has signed the request that this moto response answers.

    Raises S3ClientError (a ServiceException that S3 handles too) for session credentials that are
    unknown, incomplete or expired.
    """
    account: str = response.current_account
    signature = accounts.signature(response)
    if signature is None:
        return Caller(Principal(account), None, "")
    key, service = signature
    if not key.startswith(_SESSION_KEY):
        root = f"arn:aws:iam::{account}:root"
        return Caller(Principal(account, (root,)), None, service)
    session: Any = sts_backends[account]["aws"].get_assumed_role_from_access_key(key)
    token = response.headers.get("X-Amz-Security-Token") or response._get_param(
        "X-Amz-Security-Token"
    )
    if session is None or token != session.session_token:
        raise S3ClientError(
            "InvalidClientTokenId", "The security token included in the request is invalid."
        )
    if session.expiration < datetime.datetime.now(datetime.UTC).replace(tzinfo=None):
        raise S3ClientError("ExpiredToken", "The security token included in the request is expired")
    role = roles.find(account, session.role_arn)
    if role is None:
        raise S3ClientError(
            "InvalidClientTokenId", f"The role {session.role_arn} no longer exists."
        )
    principal = Principal(account, (session.role_arn, session.arn))
    conditions: Mapping[str, str] = getattr(session, "conditions", {})
    return Caller(principal, role, service, session.session_name, conditions)
