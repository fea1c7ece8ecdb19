"""Rules for IAM beyond wildcards: who trusts whom, escalation, deletion, people's keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from .action_levels import Level, has_no_resources, level
from .dangerous_actions import DELETION, ESCALATION, EXFILTRATION, EXPOSURE, PERMISSIONS
from .documents import Statement, matches
from .inventory import Resource, Stack
from .links import sources
from .permissions import (
    DOCUMENT_TYPES,
    ROLE,
    denials_of,
    identity_statements,
    is_broad_resource,
    parsed,
)
from .requirements import absent, on_resource
from .resource_policies import is_narrowed
from .rules import Context, Outcome, ResourceCheck, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, contains_unknown

USER: Final = "aws:iam/user:User"
ACCESS_KEY: Final = "aws:iam/accessKey:AccessKey"
LOGIN_PROFILE: Final = "aws:iam/userLoginProfile:UserLoginProfile"
USER_ATTACHMENTS: Final = (
    "aws:iam/userPolicy:UserPolicy",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment",
)
ATTACHMENT: Final = "aws:iam/policyAttachment:PolicyAttachment"
_WHOLE_ACCOUNT: Final = re.compile(r"(arn:aws[a-z-]*:iam::)?\d{12}(:root)?")


# What a restore test makes, and deletes again. No wildcard: nothing else can be meant.
_SCRATCH_DATABASE: Final = re.compile(
    r"arn:[a-z-]+:rds:[a-z0-9-]+:[0-9]{12}:db:[a-z][a-z0-9-]*-restore-test"
)


# What AWS Backup makes, and deletes once its lifecycle is over. RDS lets nobody else delete it.
_AWS_BACKUP_SNAPSHOTS: Final = re.compile(
    r"arn:[a-z-]+:rds:[a-z0-9-]+:[0-9]{12}:snapshot:awsbackup:\*"
)
# What RDS writes when it exports a snapshot: StartExportTask refuses a role that may not remove it.
_SNAPSHOT_EXPORTS: Final = re.compile(
    r"arn:[a-z-]+:s3:::[a-z0-9-]+-backups-[0-9]{12}-[a-z0-9-]+/exports/\*"
)
_DELETABLE: Final = {
    "rds:deletedbinstance": _SCRATCH_DATABASE,
    "rds:deletedbsnapshot": _AWS_BACKUP_SNAPSHOTS,
    "s3:deleteobject": _SNAPSHOT_EXPORTS,
}


def _of_others_lifecycle(action: str, statement: Statement) -> bool:
    """Whether it deletes nothing but what a restore test, AWS Backup or RDS's export has made."""
    deletable = _DELETABLE.get(action.lower())
    return (
        deletable is not None
        and bool(statement.resources)
        and all(isinstance(one, str) and deletable.fullmatch(one) for one in statement.resources)
    )


def _none_spared(_action: str, _statement: Statement) -> bool:
    return False


def _not_allowed(
    actions: tuple[str, ...],
    limit: str,
    *,
    anywhere: bool,
    spared: Callable[[str, Statement], bool] = _none_spared,
) -> ResourceCheck:
    """None of `actions` is allowed: on any resource at all, or on every resource (`*`)."""

    def check(resource: Resource, _context: Context) -> Iterator[Outcome]:
        denials = denials_of(resource)
        for place, statement in identity_statements(resource, limit):
            if not isinstance(statement, Statement):
                yield statement
                continue
            where = f"{place}, statement {statement.number},"
            if not statement.allows:
                continue  # (NotAction, which has no actions, is iam-no-wildcard-actions's.)
            # NotResource, and a missing Resource, leave nearly everything.
            wide = not statement.resources or any(
                isinstance(one, str) and is_broad_resource(one) for one in statement.resources
            )
            narrow = not wide or statement.condition not in (None, {})
            if not anywhere and narrow:
                if contains_unknown([*statement.resources, statement.condition]):
                    yield Unverified(resource, f"a resource or the condition of {where}")
                continue
            for action in statement.actions:
                if action is UNKNOWN:
                    yield Unverified(resource, f"an action of {where}")
                elif isinstance(action, str) and not spared(action, statement):
                    hits = _hits(action, actions)
                    hit = next(
                        (
                            one
                            for one in hits
                            if not denials.take_away(one, statement)
                            and not _restrained(resource, one, statement)
                        ),
                        "",
                    )
                    if not hit:
                        continue
                    by = "" if action.lower() == hit.lower() else f" (by {action[:60]})"
                    yield Violation(resource, f"allows in {where} {hit}{by}", limit, action)

    return check


def _restrained(resource: Resource, action: str, statement: Statement) -> bool:
    """Whether none of the roles that hold the document can do it after all."""
    held = resource.restraints
    return bool(held) and all(one.takes_away(action, statement) for one in held)


def _hits(pattern: str, actions: tuple[str, ...]) -> Iterator[str]:
    yield from (one for one in actions if matches(pattern.lower(), one.lower()))
    # Beyond the list, every action that AWS itself calls permissions management.
    if actions is not PERMISSIONS or has_no_resources(pattern):
        return
    if level(pattern) is Level.PERMISSIONS:
        yield pattern


def _no_account_trust(role: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "name the roles that may assume it, or narrow the account by a condition"
    for place, statement in parsed(role, "assumeRolePolicy", role.get("assumeRolePolicy"), limit):
        if not isinstance(statement, Statement):
            yield statement
            continue
        where = f"{place}, statement {statement.number},"
        if not statement.allows or statement.condition not in (None, {}):
            if statement.allows and contains_unknown(statement.condition):
                yield Unverified(role, f"the condition of {where}")
            continue
        for kind, identity in statement.principals:
            if identity is UNKNOWN:
                yield Unverified(role, f"a principal of {where}")
            elif kind.lower() == "aws" and _WHOLE_ACCOUNT.fullmatch(str(identity)):
                yield Violation(role, f"trusts in {where} the whole account {identity}", limit)


def _connect_names_user(resource: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "end in one database user: arn:aws:rds-db:<region>:<account>:dbuser:<id>/<user>"
    for place, statement in identity_statements(resource, limit):
        if not isinstance(statement, Statement):
            yield statement
            continue
        connects = any(
            isinstance(action, str) and matches(action.lower(), "rds-db:connect")
            for action in statement.actions
        )
        where = f"{place}, statement {statement.number},"
        if not statement.allows or not connects or is_narrowed(statement.condition):
            continue
        if _restrained(resource, "rds-db:connect", statement):
            continue
        for target in statement.resources or ("*",):
            if target is UNKNOWN:
                yield Unverified(resource, f"a resource of {where}")
            elif not isinstance(target, str) or "*" in target.rpartition(":")[2]:
                yield Violation(resource, f'connects in {where} as "{target}"', limit, str(target))


def _refused(resource: Resource, _context: Context) -> Iterator[Outcome]:
    yield Violation(resource, "is a long-lived identity", "be a role that is assumed instead")


def _no_console(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for user in stack.of_type(USER):
        profiles = sources(stack, user, (LOGIN_PROFILE,), "user")
        if profiles.undecided:
            yield Unverified(user, "the user of a UserLoginProfile")
        elif profiles.found:
            yield Violation(user, "logs in with a password of its own", "have no login profile")


def _no_user_policy(resource: Resource, context: Context) -> Iterator[Outcome]:
    limit = "be attached to a role or a group"
    if resource.type == ATTACHMENT:
        yield from on_resource(absent("users", limit))(resource, context)
    else:
        yield Violation(resource, "gives a user permissions of its own", limit)


def _grant_rule(
    rule_id: str, title: str, what: str, actions: tuple[str, ...], *controls: str
) -> Rule:
    return Rule(
        id=rule_id,
        title=title,
        what=what,
        why="One leaked role would become every role, or would carry the data out.",
        remediation="put the ARNs that it needs into Resource of the statement.",
        severity=Severity.HIGH,
        catalogue=("IAM-03",),
        controls=controls,
        types=DOCUMENT_TYPES,
        exemption_names_subject=True,
        check_resource=_not_allowed(actions, "name the resources for it", anywhere=False),
    )


RULES: Final = (
    _grant_rule(
        "iam-no-escalation",
        "No policy lets its holder become more",
        "No policy allows passing, assuming or changing every role, user or function.",
        ESCALATION,
        "CKV_AWS_286",
        "CKV_AWS_110",
    ),
    _grant_rule(
        "iam-no-credential-exposure",
        "No policy hands out everybody's credentials",
        "No policy allows an action on every resource whose result is a credential.",
        EXPOSURE,
        "CKV_AWS_287",
        "CKV_AWS_107",
    ),
    _grant_rule(
        "iam-no-exfiltration",
        "No policy reads every bucket, secret or parameter",
        "No policy allows reading objects, secrets, parameters or snapshots on every resource.",
        EXFILTRATION,
        "CKV_AWS_288",
        "CKV_AWS_108",
    ),
    _grant_rule(
        "iam-no-permission-changes",
        "No policy changes everybody's permissions",
        "No policy allows changing policies, grants or access blocks on every resource.",
        PERMISSIONS,
        "CKV_AWS_289",
        "CKV_AWS_109",
    ),
    Rule(
        id="iam-no-account-trust",
        title="Roles trust roles, not whole accounts",
        what="No trust policy allows an account, or its root, without a condition.",
        why="Everybody in that account with sts:AssumeRole becomes this role.",
        remediation="put the role's ARN, or a condition, into assume_role_policy.",
        severity=Severity.HIGH,
        catalogue=("IAM-04",),
        controls=("CKV_AWS_61",),
        types=(ROLE,),
        check_resource=_no_account_trust,
    ),
    Rule(
        id="iam-no-users",
        title="There are no IAM users and access keys",
        what="The stack has no IAM user, access key or login profile.",
        why="Long-lived keys leak, and nobody notices for months.",
        remediation="use a role: an instance profile, a function's role, IAM Identity Center.",
        severity=Severity.HIGH,
        catalogue=("IAM-06",),
        controls=("CKV_AWS_273",),
        types=(USER, ACCESS_KEY, LOGIN_PROFILE),
        check_resource=_refused,
    ),
    Rule(
        id="iam-no-console-users",
        title="No IAM user logs in to the console",
        what="No IAM user of the stack has a login profile.",
        why="A password without single sign-on outlives the person, and is phished.",
        remediation="remove the aws.iam.UserLoginProfile; use IAM Identity Center.",
        severity=Severity.HIGH,
        catalogue=("IAM-06",),
        controls=("CKV2_AWS_22",),
        types=(),
        check_stack=_no_console,
        joined_types=(USER, LOGIN_PROFILE),
    ),
    Rule(
        id="iam-no-user-policies",
        title="No policy is attached to a user",
        what="No policy stands on a user or is attached to one.",
        why="A person who leaves keeps what was given to nobody else.",
        remediation="attach the policy to a role or a group.",
        severity=Severity.MEDIUM,
        catalogue=("IAM-06",),
        controls=("CKV_AWS_40", "IAM.2", "2.14", "onlyPermissionsViaGroups"),
        types=(*USER_ATTACHMENTS, ATTACHMENT),
        check_resource=_no_user_policy,
    ),
    Rule(
        id="iam-no-deletion",
        title="No role deletes data, keys or backups",
        what="No policy allows deleting databases, snapshots, backups, objects, keys or secrets, "
        "but for databases named ...-restore-test, which restore tests make and delete, for "
        "snapshots that AWS Backup made (snapshot:awsbackup:*), which its lifecycle ends, and for "
        "exports/* of a bucket named ...-backups-ACCOUNT-REGION: RDS exports a snapshot only with "
        "a role that may remove what it wrote.",
        why="A taken-over function or CI job would destroy what recovery needs.",
        remediation="leave deletion to retention settings and people; for a reviewed case write "
        "an exemption that covers the action.",
        severity=Severity.CRITICAL,
        catalogue=("IAM-07",),
        controls=(),
        types=DOCUMENT_TYPES,
        exemption_names_subject=True,
        check_resource=_not_allowed(
            DELETION,
            "leave out actions that delete data, keys or backups",
            anywhere=True,
            spared=_of_others_lifecycle,
        ),
    ),
    Rule(
        id="iam-connect-names-user",
        title="IAM logins are for one database user",
        what="rds-db:connect is allowed for named database users only.",
        why="A role that may connect as anybody connects as the owner.",
        remediation="end the resource's ARN in the database user.",
        severity=Severity.HIGH,
        catalogue=("IAM-07",),
        controls=(),
        types=DOCUMENT_TYPES,
        exemption_names_subject=True,
        check_resource=_connect_names_user,
    ),
)
