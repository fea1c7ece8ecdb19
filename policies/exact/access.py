"""Outside demands on IAM: checkov's checks of policies, Security Hub's IAM controls, CIS.

Checkov's CKV_AWS_286 to 290, 355 and their twins for data sources come from cloudsplaining: what is
allowed on "*" without a condition, by access level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from ..account_settings import PASSWORD_PARTS
from ..action_levels import Level, has_no_resources, level
from ..documents import Statement, is_wildcard, matches
from ..effective import Restraint
from ..inventory import Resource
from ..permissions import (
    attached_policies,
    denials_of,
    has_no_resource_level,
    identity_statements,
)
from ..requirements import on_resource
from ..rules import Context, Outcome, ResourceCheck, Unverified, Violation

_POLICY: Final = "aws:iam/policy:Policy"
# All actions of one of these sets give somebody more than he has.
# Source: Rhino Security Labs, "AWS IAM privilege escalation"; cloudsplaining follows it.
_ESCALATIONS: Final = (
    *(("iam:CreateAccessKey",), ("iam:CreateLoginProfile",), ("iam:UpdateLoginProfile",)),
    *(("iam:AddUserToGroup",), ("iam:CreatePolicyVersion",), ("iam:SetDefaultPolicyVersion",)),
    *(("iam:AttachUserPolicy",), ("iam:AttachGroupPolicy",), ("iam:PutUserPolicy",)),
    *(("iam:PutGroupPolicy",), ("iam:AttachRolePolicy", "sts:AssumeRole")),
    *(("iam:PutRolePolicy", "sts:AssumeRole"), ("iam:UpdateAssumeRolePolicy", "sts:AssumeRole")),
    *(("iam:PassRole", "ec2:RunInstances"), ("iam:PassRole", "cloudformation:CreateStack")),
    ("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"),
    ("iam:PassRole", "lambda:CreateFunction", "lambda:CreateEventSourceMapping"),
    *(("iam:PassRole", "glue:CreateDevEndpoint"), ("glue:UpdateDevEndpoint",)),
    *(("iam:PassRole", "datapipeline:CreatePipeline"), ("lambda:UpdateFunctionCode",)),
)


def _everywhere(resource: Resource) -> Iterator[object]:
    """Each action (or UNKNOWN) that is allowed on "*" without a condition."""
    for _place, statement in identity_statements(resource, ""):
        if isinstance(statement, Statement) and statement.is_everywhere:
            yield from _allowed_by(statement)


def _allowed_by(statement: Statement) -> tuple[object, ...]:
    return ("*",) if statement.not_actions else statement.actions


def _on_everything(dangerous: Callable[[str], bool]) -> ResourceCheck:
    def check(resource: Resource, _context: Context) -> Iterator[Outcome]:
        for action in _everywhere(resource):
            if not isinstance(action, str):
                yield Unverified(resource, "an action")
            elif dangerous(action):
                yield Violation(resource, "allows it", "not allow it", action)

    return check


def _escalates(resource: Resource, _context: Context) -> Iterator[Outcome]:
    """All steps of a way out: in the document, or with the other policies of a role that has it."""
    own = list(_everywhere(resource))
    for way in _ESCALATIONS:
        left = [step for step in way if not _any_matches(own, step)]
        begun = len(left) < len(way)
        if begun and (not left or _others_allow(resource, left)):
            yield Violation(resource, f"allows {way[0]}", "not allow it", way[0])


def _others_allow(resource: Resource, actions: Sequence[str]) -> bool:
    """Whether the other policies of a role that has the document allow all `actions` everywhere."""
    denials = denials_of(resource)

    def allows(role: Restraint, action: str) -> bool:
        return any(
            one.is_everywhere
            and _any_matches(_allowed_by(one), action)
            and not denials.take_away(action, one)
            and not role.takes_away(action, one)
            for one in role.beside
        )

    return any(all(allows(role, one) for one in actions) for role in resource.restraints)


def _any_matches(patterns: Iterable[object], action: str) -> bool:
    return any(isinstance(one, str) and matches(one, action) for one in patterns)


def _restrictable(action: str) -> bool:
    return not (has_no_resource_level(action) or has_no_resources(action))


def _writes(action: str) -> bool:
    return level(action) is Level.WRITE and _restrictable(action)


def _allows(*patterns: str, everywhere: bool, types: tuple[str, ...] = ()) -> ResourceCheck:
    """No statement allows one of exactly these actions; on "*" if `everywhere`."""

    def check(resource: Resource, _context: Context) -> Iterator[Outcome]:
        if types and resource.type not in types:
            return
        for _place, one in identity_statements(resource, ""):
            if not isinstance(one, Statement) or not one.allows:
                continue
            if everywhere and not one.is_wide:
                continue
            names = [action.lower() for action in one.actions if isinstance(action, str)]
            if any(name in patterns for name in names):
                yield Violation(resource, "allows it", "not allow it")

    return check


def _whole_services(resource: Resource, _context: Context) -> Iterator[Outcome]:
    """IAM.21: a customer managed policy allows `*` or `service:*`, or NotAction."""
    if resource.type != _POLICY:
        return
    for _place, one in identity_statements(resource, ""):
        if isinstance(one, Statement) and one.allows:
            names = [action for action in one.actions if isinstance(action, str)]
            if one.not_actions or any(is_wildcard(name.rpartition(":")[2]) for name in names):
                yield Violation(resource, "allows a service", "name actions")


def _attaches(name: str) -> ResourceCheck:
    def check(resource: Resource, _context: Context) -> Iterator[Outcome]:
        for arn in attached_policies(resource):
            if isinstance(arn, str) and arn.endswith(f":aws:policy/{name}"):
                yield Violation(resource, f"attaches {name}", "not attach it")

    return check


_full_administration: Final = _allows("*", "*:*", everywhere=True)

RESOURCES: Final[Mapping[str, Mapping[str, ResourceCheck]]] = {
    "iam-no-wildcard-actions": {
        "CKV_AWS_62": _full_administration,
        "IAM.1": _allows("*", "*:*", everywhere=True, types=(_POLICY,)),
        "2.15": _full_administration,
        "CKV_AWS_63": _allows("*", "*:*", everywhere=False),
        "CKV_AWS_49": _allows("*", "*:*", everywhere=False),
        "CKV2_AWS_40": _allows("iam:*", "*", "*:*", everywhere=False),
        "CKV_AWS_274": _attaches("AdministratorAccess"),
        "CKV2_AWS_56": _attaches("IAMFullAccess"),
        "IAM.21": _whole_services,
    },
    "iam-no-wildcard-resources": {
        "CKV_AWS_355": _on_everything(_restrictable),
        "CKV_AWS_356": _on_everything(_restrictable),
        "CKV_AWS_290": _on_everything(_writes),
        "CKV_AWS_111": _on_everything(_writes),
    },
    "iam-password-policy": {control: on_resource(part) for control, part in PASSWORD_PARTS.items()},
    "iam-no-escalation": dict.fromkeys(("CKV_AWS_286", "CKV_AWS_110"), _escalates),
}
