"""What the roles in moto's IAM allow and whom they trust."""

from collections.abc import Mapping, Sequence
from typing import Any

from moto.iam.models import iam_backends

from localcloud.permissions.policies import Decision, Principal, Request, evaluate


def find(account_id: str, role_arn: str) -> Any | None:
    """moto's role with this ARN, None when there is none."""
    backend: Any = iam_backends[account_id]["aws"]
    return next((role for role in backend.roles.values() if role.arn == role_arn), None)


def documents(role: Any) -> list[str]:
    """The policy documents of the role: inline and attached."""
    return [
        *role.policies.values(),
        *(_default(policy) for policy in role.managed_policies.values()),
    ]


def _default(policy: Any) -> str:
    return next(version.document for version in policy.versions if version.is_default)


def boundary(role: Any) -> list[str] | None:
    """The document of the role's permissions boundary, None without one."""
    if not role.permissions_boundary_arn:
        return None
    backend: Any = iam_backends[role.account_id]["aws"]
    policy = backend.managed_policies.get(role.permissions_boundary_arn)
    return [_default(policy)] if policy else []


def decide(role: Any, request: Request) -> Decision:
    """What the role's own policies say, within its permissions boundary."""
    decision = evaluate(documents(role), request)
    limit = boundary(role)
    if limit is not None and decision is Decision.ALLOW:
        within = evaluate(limit, request)
        return Decision.ALLOW if within is Decision.ALLOW else Decision.DENY
    return decision


def allows(
    account_id: str,
    role_arn: str,
    action: str,
    resource: str | None,
    context: Mapping[str, str | Sequence[str]] | None = None,
) -> bool:
    """Whether the role's policies allow `action` on `resource`; a missing role allows nothing."""
    role = find(account_id, role_arn)
    if role is None:
        return False
    principal = Principal(account_id, (role_arn,))
    request = Request(action, resource, principal, context or {})
    return decide(role, request) is Decision.ALLOW


def trusts(
    account_id: str,
    role_arn: str,
    service: str,
    context: Mapping[str, str | Sequence[str]] | None = None,
) -> bool:
    """Whether `service` (such as lambda.amazonaws.com) may assume the role.

    A service names the account it acts for (`aws:SourceAccount`), against the confused deputy.
    """
    role = find(account_id, role_arn)
    if role is None:
        return False
    known = {"aws:sourceaccount": account_id, **(context or {})}
    request = Request("sts:AssumeRole", None, Principal(account_id, service=service), known)
    return evaluate([role.assume_role_policy_document], request) is Decision.ALLOW
