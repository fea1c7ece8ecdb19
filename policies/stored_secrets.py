"""Rules for secrets over the whole stack: rotation; SSM parameters and documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, cast

from .documents import MalformedDocumentError, matches, parse
from .effective import overlap
from .hosts import FUNCTION
from .inventory import Resource, Stack
from .keys import PARAMETER, ROTATION
from .links import sources, targets
from .requirements import ADVISORY_BELOW_STAGING
from .resource_policies import SECRET
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, contains_unknown, one_or_many, shown, text

SCHEDULE: Final = "aws:scheduler/schedule:Schedule"
ROLE: Final = "aws:iam/role:Role"
ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
DOCUMENT: Final = "aws:ssm/document:Document"
_WRITES: Final = ("secretsmanager:PutSecretValue", "secretsmanager:UpdateSecret")
# A message that only its writers may utter, for example: there is nothing in it that could leak.
_NO_CREDENTIAL: Final = ("pgkeep:credential", "none")
_SESSION_LOGS: Final = (
    ("s3BucketName", "s3EncryptionEnabled"),
    ("cloudWatchLogGroupName", "cloudWatchEncryptionEnabled"),
)
_PUBLIC_PARAMETER: Final = re.compile(r"certificate|ca[-_]bundle|public", re.IGNORECASE)


def _rotated(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for secret in stack.of_type(SECRET):
        no_credential = _holds_no_credential(secret)
        if no_credential is True:
            continue
        rotations = sources(stack, secret, (ROTATION,), "secretId")
        if rotations.found:
            continue
        written = _written_on_schedule(stack, secret)
        if written is True:
            continue
        if no_credential is UNKNOWN:
            yield Unverified(secret, "tags")
        elif rotations.undecided or written is UNKNOWN:
            yield Unverified(secret, "what rotates it")
        else:
            limit = "have a SecretRotation, or a scheduled function that writes it"
            yield Violation(secret, "is rotated by nothing in this stack", limit)


def _holds_no_credential(secret: Resource) -> object:
    """What its tag says, or `UNKNOWN`."""
    tags = secret.get("tags")
    if not isinstance(tags, dict):
        return tags is UNKNOWN and UNKNOWN
    said = cast("dict[str, object]", tags).get(_NO_CREDENTIAL[0])
    return UNKNOWN if said is UNKNOWN else said == _NO_CREDENTIAL[1]


def _written_on_schedule(stack: Stack, secret: Resource) -> object:
    """Whether a function that runs at least every quarter may write the secret, or `UNKNOWN`.

    What rotates another secret runs as often as that one is rotated, which is a rule of its own;
    what is derived from passwords (their hashes for a pooler) changes with them.
    """
    unknown = False
    for function in sources(stack, secret, (FUNCTION,), "environment").found:
        schedules = sources(stack, function, (SCHEDULE,), "target").found
        often = [_is_often(one.get("scheduleExpression")) for one in schedules]
        if sources(stack, function, (ROTATION,), "rotationLambdaArn").found:
            often.append(True)
        if not any(often):
            continue
        for role in targets(stack, function, "role", (ROLE,)).found:
            for policy in sources(stack, role, (ROLE_POLICY,), "role").found:
                may_write = _may_write(policy, secret)
                if may_write is True:
                    return UNKNOWN if UNKNOWN in often and True not in often else True
                unknown |= may_write is UNKNOWN
    return UNKNOWN if unknown else False


def _is_often(expression: object) -> object:
    """Whether a schedule runs at least every 92 days, the longest quarter."""
    if not isinstance(expression, str):
        return expression is UNKNOWN and UNKNOWN
    if rate := re.fullmatch(r"rate\((\d{1,6}) (minute|hour|day)s?\)", expression):
        days = {"minute": 1 / 1440, "hour": 1 / 24, "day": 1}[rate[2]]
        return int(rate[1]) * days <= 92
    fields = expression.removeprefix("cron(").rstrip(")").split()
    # minutes hours day-of-month month day-of-week year
    return (
        len(fields) == 6
        and fields[5] == "*"
        and bool(re.fullmatch(r"\*|\d+/[123]|\*/[123]", fields[3]))
    )


def _may_write(policy: Resource, secret: Resource) -> object:
    try:
        parsed = parse(policy.get("policy"))
    except MalformedDocumentError:
        return False
    if parsed is UNKNOWN:
        # Recorded references decide what the document can be about at all.
        return secret.urn in policy.property_dependencies.get("policy", ()) and UNKNOWN
    arn, name = secret.identity("arn"), secret.identity("name")
    for statement in parsed:
        actions = [one for one in statement.actions if isinstance(one, str)]
        if not statement.allows or not any(matches(a, w) for a in actions for w in _WRITES):
            continue
        for resource in statement.resources:
            if resource is UNKNOWN:
                return UNKNOWN
            if isinstance(resource, str) and (
                (isinstance(arn, str) and matches(resource, arn))
                or (isinstance(name, str) and _is_arn_of(name, resource))
            ):
                return True
    return False


def _is_arn_of(name: str, pattern: str) -> bool:
    """Whether an ARN, or a pattern of ARNs, is of the secret; AWS adds six characters of its own
    to the name."""
    return overlap(pattern.partition(":secret:")[2], f"{name}-??????")


def _secure(parameter: Resource, _context: Context) -> Iterator[Outcome]:
    kind, name = text(parameter.get("type")), parameter.get("name")
    if kind is UNKNOWN:
        yield Unverified(parameter, "type")
    elif kind != "SecureString":
        if name is UNKNOWN:
            yield Unverified(parameter, "name")
        elif not _PUBLIC_PARAMETER.search(str(name or parameter.name)):
            found = f"has type = {shown(parameter.get('type'))}"
            limit = "be a SecureString, unless its name says certificate or public"
            yield Violation(parameter, found, limit)


def _private_document(document: Resource, _context: Context) -> Iterator[Outcome]:
    permissions = document.get("permissions")
    limit = "be shared with named accounts only"
    if permissions is UNKNOWN:
        yield Unverified(document, "permissions")
        return
    if permissions is not None and not isinstance(permissions, dict):
        yield Violation(document, f"has permissions = {shown(permissions)}", limit)
    fields = cast("dict[str, object]", permissions) if isinstance(permissions, dict) else {}
    for key, value in fields.items():
        if key.replace("_", "").lower() != "accountids":
            continue
        for account in one_or_many(value):
            if account is UNKNOWN:
                yield Unverified(document, "permissions")
            elif not all(one.strip().isdigit() for one in str(account).split(",")):
                yield Violation(document, f"is shared with {shown(account)}", limit)


def _session_inputs(document: Resource) -> dict[str, object] | Outcome | None:
    """The inputs of a session document; `None` of another one."""
    kind, content = document.get("documentType"), document.get("content")
    if kind is UNKNOWN:
        return Unverified(document, "documentType")
    if kind is None or (isinstance(kind, str) and kind != "Session"):
        return None
    if content is UNKNOWN:
        return Unverified(document, "content")
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except (ValueError, RecursionError):
            content = _flat_yaml(content)
    inputs = cast("dict[str, object]", content).get("inputs") if isinstance(content, dict) else None
    if inputs is UNKNOWN:
        return Unverified(document, "inputs of content")
    return cast("dict[str, object]", inputs) if isinstance(inputs, dict) else {}


def _flat_yaml(content: str) -> dict[str, object]:
    """The scalars of a document in YAML, which the standard library does not read."""
    pairs = re.findall(r"^\s+(\w+):[ \t]*['\"]?([^'\"\n#]*?)['\"]?[ \t]*$", content, re.MULTILINE)
    return {
        "inputs": {
            key: {"true": True, "false": False}.get(value.lower(), value) for key, value in pairs
        }
    }


def _is_on(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _sessions_encrypted(document: Resource, _context: Context) -> Iterator[Outcome]:
    inputs = _session_inputs(document)
    if isinstance(inputs, dict):
        if inputs.get("kmsKeyId") is UNKNOWN:
            yield Unverified(document, "kmsKeyId of content")
        elif not isinstance(inputs.get("kmsKeyId"), str) or not inputs["kmsKeyId"]:
            yield Violation(document, "has no kmsKeyId in its inputs", "name a customer key")
    elif inputs is not None:
        yield inputs


def _sessions_logged(document: Resource, _context: Context) -> Iterator[Outcome]:
    inputs = _session_inputs(document)
    if isinstance(inputs, dict):
        if any(inputs.get(log) and _is_on(inputs.get(switch)) for log, switch in _SESSION_LOGS):
            return
        if contains_unknown(inputs):
            yield Unverified(document, "the log in content")
        else:
            limit = "write sessions to an encrypted bucket or log group"
            yield Violation(document, "logs no session under encryption", limit)
    elif inputs is not None:
        yield inputs


def _document_rule(rule_id: str, title: str, what: str, check: object, *controls: str) -> Rule:
    return Rule(
        id=rule_id,
        title=title,
        what=what,
        why="A shell on a host that holds connections would leave no trace, or be read by others.",
        remediation="set permissions, kmsKeyId and a log in the content of the aws.ssm.Document.",
        severity=Severity.HIGH,
        catalogue=("SEC-04",),
        controls=controls,
        types=(DOCUMENT,),
        check_resource=check,  # pyright: ignore[reportArgumentType]
    )


RULES: Final = (
    Rule(
        id="secrets-rotated",
        title="Every secret is rotated",
        what="Every secret has a SecretRotation, or is written by a function of the stack that "
        "runs at least every quarter or rotates another secret; but not one whose tag "
        "pgkeep:credential says none.",
        why="A password that leaked stays good until it is changed.",
        remediation="add aws.secretsmanager.SecretRotation, or a schedule of a function that may "
        "write the secret (components/role_rotation.py, components/master_credentials.py; "
        "secrets.login_rotation_days in the settings).",
        severity=Severity.MEDIUM,
        catalogue=("SEC-02",),
        controls=("CKV2_AWS_57", "SecretsManager.1"),
        types=(),
        enforcement=ADVISORY_BELOW_STAGING,
        check_stack=_rotated,
        joined_types=(SECRET, SCHEDULE),
    ),
    Rule(
        id="secrets-parameters-secure",
        title="SSM parameters are encrypted unless they are public",
        what="Every parameter is a SecureString, unless its name says certificate or public.",
        why="What was harmless is replaced by a password, in the same plain parameter.",
        remediation='set type = "SecureString" and key_id on the aws.ssm.Parameter.',
        severity=Severity.MEDIUM,
        catalogue=("SEC-04",),
        controls=("CKV2_AWS_34",),
        types=(PARAMETER,),
        check_resource=_secure,
    ),
    _document_rule(
        "secrets-documents-private",
        "SSM documents are not public",
        "permissions of no SSM document names anything but accounts.",
        _private_document,
        *("CKV_AWS_303", "SSM.4"),
    ),
    _document_rule(
        "secrets-sessions-encrypted",
        "Shell sessions are encrypted by a key of one's own",
        "inputs of every session document has a kmsKeyId.",
        _sessions_encrypted,
        "CKV_AWS_112",
    ),
    _document_rule(
        "secrets-sessions-logged",
        "Shell sessions are logged under encryption",
        "Every session document writes to a bucket or log group that is encrypted.",
        _sessions_logged,
        "CKV_AWS_113",
    ),
)
