"""Evaluates policy documents: Effect, Principal, Action, Resource and Condition.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import enum
import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.permissions.conditions import Context, as_list, holds, matches_wildcard


class Decision(enum.Enum):
    """What one or several policies say; an explicit deny beats every allow."""

    DENY = "explicit deny"
    ALLOW = "allow"
    NEUTRAL = "no statement"


@dataclass(frozen=True)
class Principal:
    """Who asks. `arns` are all its names: for a role's session the role's and the session's."""

    account_id: str = ""
    arns: tuple[str, ...] = ()
    service: str = ""

    @property
    def anonymous(self) -> bool:
        """Nobody known: only a statement for everybody fits."""
        return not self.arns and not self.service


@dataclass(frozen=True)
class Request:
    """One action on one resource; `resource` None stands for one that is not known."""

    action: str
    resource: str | None
    principal: Principal = Principal()
    context: Context = field(default_factory=lambda: {})


@functools.lru_cache(maxsize=512)
def _statements(document: str) -> tuple[dict[str, Any], ...]:
    found: Any = json.loads(document)["Statement"]
    return tuple(found if isinstance(found, list) else [found])


def evaluate(documents: Iterable[str], request: Request, *, delegated: bool = False) -> Decision:
    """Combine the statements of all `documents`.

    With `delegated` a statement for the whole account counts as one for its principals: so a
    key or bucket policy hands the decision to IAM.
    """
    decision = Decision.NEUTRAL
    for document in documents:
        for statement in _statements(document):
            if not _applies(statement, request, delegated):
                continue
            if statement.get("Effect") == "Deny":
                return Decision.DENY
            decision = Decision.ALLOW
    return decision


def _applies(statement: Mapping[str, Any], request: Request, delegated: bool) -> bool:
    # A deny for the account is a deny for everybody in it.
    whole_account = delegated or statement.get("Effect") == "Deny"
    return (
        _principal_applies(statement, request.principal, whole_account)
        and _action_applies(statement, request.action)
        and _resource_applies(statement, request.resource)
        and holds(statement.get("Condition") or {}, request.context)
    )


def _action_applies(statement: Mapping[str, Any], action: str) -> bool:
    key = "NotAction" if "NotAction" in statement else "Action"
    found = any(
        matches_wildcard(pattern.lower(), action.lower()) for pattern in as_list(statement[key])
    )
    return found != (key == "NotAction")


def _resource_applies(statement: Mapping[str, Any], resource: str | None) -> bool:
    key = "NotResource" if "NotResource" in statement else "Resource"
    if key not in statement or resource is None:
        # A trust policy has no resource.
        return True
    found = any(matches_wildcard(pattern, resource) for pattern in as_list(statement[key]))
    return found != (key == "NotResource")


def _principal_applies(
    statement: Mapping[str, Any], principal: Principal, whole_account: bool
) -> bool:
    key = "NotPrincipal" if "NotPrincipal" in statement else "Principal"
    if key not in statement:
        return True
    named: Any = statement[key]
    if named == "*":
        named = {"AWS": "*"}
    names = {"*", *principal.arns}
    if whole_account and principal.arns:
        names |= {f"arn:aws:iam::{principal.account_id}:root", principal.account_id}
    found = any(name in names for name in as_list(named.get("AWS", [])))
    if principal.service and principal.service in as_list(named.get("Service", [])):
        found = True
    return found != (key == "NotPrincipal")
