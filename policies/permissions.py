"""Rules for IAM: no wildcard actions, resources or trust, in every document that grants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, cast

from .action_levels import Level, has_no_resources, level
from .documents import MalformedDocumentError, Statement, is_wildcard, parse
from .effective import Denials
from .inventory import Resource
from .resource_policies import is_narrowed
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, one_or_many, shown

ROLE: Final = "aws:iam/role:Role"
POLICY: Final = "aws:iam/policy:Policy"
# The property of each type that holds an identity policy.
_POLICY_PROPERTIES: Final = {
    "aws:iam/policy:Policy": "policy",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/userPolicy:UserPolicy": "policy",
    "aws:iam/groupPolicy:GroupPolicy": "policy",
    "aws:ssoadmin/permissionSetInlinePolicy:PermissionSetInlinePolicy": "inlinePolicy",
}
# The properties of each type that attach policies by ARN.
_ATTACHMENT_PROPERTIES: Final = {
    ROLE: "managedPolicyArns",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "policyArn",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": "policyArn",
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": "policyArn",
    "aws:iam/policyAttachment:PolicyAttachment": "policyArn",
    "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive": "policyArns",
    "aws:ssoadmin/managedPolicyAttachment:ManagedPolicyAttachment": "managedPolicyArn",
}
# AWS's own policies that allow whole services.
_BROAD_MANAGED_POLICY: Final = re.compile(
    r"arn:aws[a-z-]*:iam::aws:policy/(.*/)?"
    r"(AdministratorAccess.*|PowerUserAccess|SystemAdministrator|DatabaseAdministrator|.*FullAccess.*)"
)
# `s3:Get*` and `ec2:Describe*` keep a verb; `s3:*`, `s3:*Object` and `iam:P*` do not.
_VERB_KEPT: Final = re.compile(r"[a-z0-9-]+:[a-z]{3,}\*", re.IGNORECASE)

# Beside the reads of actions_without_resources.txt: what AWS accepts nothing but "*" for and what
# gives nobody anything, and looks at EC2, for a few of which it would accept more.
# Source: AWS Service Authorization Reference, the actions whose resource type column is empty.
# Any other write that needs "*" is an exemption, written in the environment's settings.
_UNRESTRICTABLE: Final = re.compile(
    r"""(?:
    cloudwatch:PutMetricData
    | ec2:Describe[a-z]+
    | kms:GenerateRandom
    | rds:(?:CancelExportTask|DescribeExportTasks|StartExportTask)
    | ssmmessages:(?:CreateControlChannel|CreateDataChannel|OpenControlChannel|OpenDataChannel)
    | xray:(?:PutTelemetryRecords|PutTraceSegments)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# Services where "every resource of a type" (secret:*, key/*, role/*) is as good as everything:
# they hold data, keys or permissions.
_SENSITIVE_SERVICES: Final = frozenset(
    {"backup", "dynamodb", "iam", "kms", "lambda", "rds", "secretsmanager", "ssm", "sts"}
)
_WHOLE_TYPE: Final = re.compile(r"[a-z-]+[:/][*?/:]+", re.IGNORECASE)


def _actions(resource: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "name its actions: no wildcard in place of a service or of an action's verb"
    for place, statement in identity_statements(resource, limit):
        if isinstance(statement, Violation | Unverified):
            yield statement
            continue
        if not statement.allows:
            continue
        where = f"{place}, statement {statement.number},"
        if statement.not_actions:
            found = f"allows in {where} everything but {shown(list(statement.not_actions))}"
            yield Violation(resource, found, "list Action instead of NotAction", "NotAction")
        for action in statement.actions:
            if action is UNKNOWN:
                yield Unverified(resource, f"an action of {where}")
            elif not isinstance(action, str):
                yield Violation(resource, f"has in {where} the action {shown(action)}", limit)
            elif _is_broad_action(action):
                yield Violation(resource, f'allows in {where} "{action[:100]}"', limit, action)
    yield from _attachments(resource)


def _resources(resource: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "name the ARNs that it needs"
    for place, statement in identity_statements(resource, limit):
        if isinstance(statement, Violation | Unverified):
            yield statement
        elif statement.allows:
            yield from _statement_resources(resource, place, statement, limit)


def _statement_resources(
    resource: Resource, place: str, statement: Statement, limit: str
) -> Iterator[Outcome]:
    where = f"{place}, statement {statement.number},"
    actions = [action for action in statement.actions if isinstance(action, str)]
    judged = [action for action in actions if not _needs_everything(action)]
    if statement.not_actions:
        judged.append("NotAction")
    if statement.not_resources:
        found = f"allows in {where} all but {shown(list(statement.not_resources))}"
        yield Violation(resource, found, "list Resource instead of NotResource", "NotResource")
    # AWS refuses a statement without Resource; until then it is read as the widest one.
    for target in statement.resources or (() if statement.not_resources else ("*",)):
        if target is UNKNOWN:
            yield Unverified(resource, f"a resource of {where}")
        elif not isinstance(target, str):
            yield Violation(resource, f"has in {where} the resource {shown(target)}", limit)
        elif is_broad_resource(target):
            if UNKNOWN in statement.actions:
                yield Unverified(resource, f"an action of {where}")
            for action in judged:
                found = f'allows in {where} {action[:100]} on "{target[:100]}"'
                yield Violation(resource, found, limit, action)


def trust_statements(
    resource: Resource, limit: str
) -> Iterator[tuple[str, Statement | Violation | Unverified]]:
    """The statements that may name a principal: a trust policy's, and a document's of any use."""
    name = _POLICY_PROPERTIES.get(resource.type, "assumeRolePolicy")
    yield from parsed(resource, name, resource.get(name), limit)


def _trust(role: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "name the services or roles that may assume it"
    for place, statement in trust_statements(role, limit):
        if isinstance(statement, Violation | Unverified):
            if role.type == ROLE or isinstance(statement, Unverified):
                yield statement
            continue  # A document that cannot be read is refused by another rule.
        # A document that is written for a resource may narrow everybody by a condition.
        if not statement.allows or (role.type != ROLE and is_narrowed(statement.condition)):
            continue
        where = f"{place}, statement {statement.number},"
        if statement.not_principals:
            found = f"trusts in {where} everyone but those of NotPrincipal"
            yield Violation(role, found, limit, "NotPrincipal")
        for kind, identity in statement.principals:
            if identity is UNKNOWN:
                yield Unverified(role, f"a principal of {where}")
            elif not isinstance(identity, str):
                yield Violation(role, f"has in {where} the principal {shown(identity)}", limit)
            elif "*" in identity or "?" in identity:
                found = f'trusts in {where} {kind} "{identity[:100]}"'
                yield Violation(role, found, limit, identity)


def attached_policies(resource: Resource) -> list[object]:
    """The ARNs of the policies that a resource attaches."""
    property_name = _ATTACHMENT_PROPERTIES.get(resource.type)
    return one_or_many(resource.get(property_name)) if property_name else []


def _needs_everything(action: str) -> bool:
    """Whether "*" is no fault: AWS accepts nothing else, and nothing is changed."""
    if _UNRESTRICTABLE.fullmatch(action):
        return True
    return has_no_resources(action) and level(action) is Level.READ


def has_no_resource_level(action: str) -> bool:
    """Whether AWS accepts nothing but "*" as the resource of `action`."""
    return _UNRESTRICTABLE.fullmatch(action) is not None


def _attachments(resource: Resource) -> Iterator[Outcome]:
    property_name = _ATTACHMENT_PROPERTIES.get(resource.type)
    limit = "attach policies that name their actions"
    for arn in attached_policies(resource):
        if arn is UNKNOWN:
            yield Unverified(resource, property_name or "")
        elif not isinstance(arn, str):
            yield Violation(resource, f"has {property_name} = {shown(arn)}", limit)
        elif _BROAD_MANAGED_POLICY.fullmatch(arn):
            yield Violation(
                resource, f"attaches {arn[:160]}, which allows whole services", limit, arn
            )


def identity_statements(
    resource: Resource, limit: str
) -> Iterator[tuple[str, Statement | Violation | Unverified]]:
    """The statements of every identity policy that stands in `resource`.

    Without the actions that an unconditional Deny beside them takes away again, and without
    statements of a trust policy: some programs keep such documents beside the others, and IAM takes
    none with a principal for a policy. Whom they trust is judged by `trust_statements`.
    """
    found = [(place, one) for place, one in all_statements(resource, limit) if not _trusts(one)]
    denials = _denials(found)
    for place, one in found:
        if not isinstance(one, Statement) or not one.allows:
            yield place, one
        elif (left := denials.left_of(one)) is not None:
            yield place, left


def _trusts(one: Statement | Violation | Unverified) -> bool:
    """Whether a statement names a principal and no resource: the form of a trust policy."""
    return (
        isinstance(one, Statement)
        and bool(one.principals or one.not_principals)
        and not (one.resources or one.not_resources)
    )


def denials_of(resource: Resource) -> Denials:
    """What the identity policies that stand in `resource` deny without a condition."""
    return _denials(all_statements(resource, ""))


def _denials(found: Iterable[tuple[str, Statement | Violation | Unverified]]) -> Denials:
    return Denials(one for _place, one in found if isinstance(one, Statement))


def all_statements(
    resource: Resource, limit: str
) -> Iterator[tuple[str, Statement | Violation | Unverified]]:
    """The statements of every identity policy that stands in `resource`, as they are written."""
    if property_name := _POLICY_PROPERTIES.get(resource.type):
        yield from parsed(resource, property_name, resource.get(property_name), limit)
    if resource.type != ROLE:
        return
    for number, item in enumerate(one_or_many(resource.get("inlinePolicies")), 1):
        place = f"inlinePolicies[{number - 1}]"
        if item is UNKNOWN:
            yield place, Unverified(resource, place)
        elif isinstance(item, dict):
            document = cast("dict[str, object]", item).get("policy")
            yield from parsed(resource, place, document, limit)
        else:
            yield place, Violation(resource, f"has {place} = {shown(item)}", limit)


def parsed(
    resource: Resource, place: str, document: object, limit: str
) -> Iterator[tuple[str, Statement | Violation | Unverified]]:
    try:
        statements = parse(document)
    except MalformedDocumentError as error:
        yield place, Violation(resource, f"has a document in {place} that {error}", limit)
        return
    if statements is UNKNOWN:
        yield place, Unverified(resource, place)
        return
    for statement in statements:
        if statement.unknown:
            yield place, Unverified(resource, f"statement {statement.number} of {place}")
        else:
            yield place, statement


def _is_broad_action(action: str) -> bool:
    return ("*" in action or "?" in action) and _VERB_KEPT.fullmatch(action) is None


def is_broad_resource(target: str) -> bool:
    """Whether the ARN pattern stands for all resources of a service, or of a sensitive type."""
    parts = target.split(":", 5)
    if len(parts) < 6:
        return "*" in target or "?" in target
    service, name = parts[2].lower(), parts[5]
    if "*" in service or "?" in service or is_wildcard(name.replace("/", "").replace(":", "")):
        return True
    return service in _SENSITIVE_SERVICES and _WHOLE_TYPE.fullmatch(name) is not None


DOCUMENT_TYPES: Final = (*_POLICY_PROPERTIES, ROLE)

NO_WILDCARD_ACTIONS: Final = Rule(
    id="iam-no-wildcard-actions",
    title="IAM policies name their actions",
    what="No policy allows *, a whole service (s3:*), NotAction, or a wildcard that hides the "
    "verb; no AWS policy that does so is attached.",
    why="A wildcard also grants deletion, permission changes and whatever AWS adds later.",
    remediation="list the actions that the code calls; for AWS's *FullAccess policies write an "
    "inline policy of your own.",
    severity=Severity.HIGH,
    catalogue=("IAM-01", "IAM-05"),
    controls=(
        "CKV_AWS_62",
        "CKV_AWS_63",
        "CKV_AWS_49",
        "CKV2_AWS_40",
        "CKV_AWS_274",
        "CKV2_AWS_56",
        "IAM.1",
        "IAM.21",
        "2.15",
    ),
    types=(*DOCUMENT_TYPES, *(kind for kind in _ATTACHMENT_PROPERTIES if kind != ROLE)),
    exemption_names_subject=True,
    check_resource=_actions,
)

NO_WILDCARD_RESOURCES: Final = Rule(
    id="iam-no-wildcard-resources",
    title="IAM policies name their resources",
    what="No policy allows an action on *, on all resources of a service, or on all secrets, keys, "
    "roles, databases, functions or buckets, unless AWS accepts nothing else for the action.",
    why="One leaked role would then reach every secret, key or bucket of the account.",
    remediation="put the resource's ARN into the statement; if AWS has no resource-level "
    "permission for the action, write an exemption that covers it.",
    severity=Severity.HIGH,
    catalogue=("IAM-02",),
    controls=("CKV_AWS_355", "CKV_AWS_356", "CKV_AWS_290", "CKV_AWS_111"),
    types=DOCUMENT_TYPES,
    exemption_names_subject=True,
    check_resource=_resources,
)

NO_PUBLIC_TRUST: Final = Rule(
    id="iam-no-wildcard-trust",
    title="Roles name whom they trust",
    what="No trust policy, and no other document that names principals, allows a principal with "
    "a wildcard, or NotPrincipal.",
    why="Anyone with an AWS account could assume the role.",
    remediation="name the service or the role ARN in the Principal of assume_role_policy.",
    severity=Severity.CRITICAL,
    catalogue=("IAM-04",),
    controls=("CKV_AWS_60", "CKV_AWS_283"),
    types=(ROLE, POLICY),
    check_resource=_trust,
)

RULES: Final = (NO_WILDCARD_ACTIONS, NO_WILDCARD_RESOURCES, NO_PUBLIC_TRUST)
