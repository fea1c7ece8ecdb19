"""Rules for policies on resources: buckets, keys, topics, queues, secrets; none is public."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, cast

from .buckets import BUCKET_POLICY, BUCKETS
from .documents import MalformedDocumentError, Statement, is_wildcard, parse
from .inventory import Resource, Stack
from .links import sources
from .rules import Context, Outcome, ResourceCheck, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, contains_unknown, one_or_many, shown

KEY: Final = "aws:kms/key:Key"
REPLICA_KEY: Final = "aws:kms/replicaKey:ReplicaKey"
KEY_POLICY: Final = "aws:kms/keyPolicy:KeyPolicy"
TOPIC: Final = "aws:sns/topic:Topic"
TOPIC_POLICY: Final = "aws:sns/topicPolicy:TopicPolicy"
QUEUE: Final = "aws:sqs/queue:Queue"
QUEUE_POLICY: Final = "aws:sqs/queuePolicy:QueuePolicy"
SECRET: Final = "aws:secretsmanager/secret:Secret"  # noqa: S105 (a type)
SECRET_POLICY: Final = "aws:secretsmanager/secretPolicy:SecretPolicy"  # noqa: S105 (a type)

# Conditions that leave "everyone" only those of an account, an organisation or a network.
_NARROWING_KEYS: Final = frozenset(
    {
        *(
            "aws:principalaccount",
            "aws:principalarn",
            "aws:principalorgid",
            "aws:principalorgpaths",
        ),
        *("aws:sourceaccount", "aws:sourcearn", "aws:sourceowner", "aws:sourceorgid"),
        *("aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip"),
        *("kms:calleraccount", "s3:dataaccesspointaccount", "aws:userid", "aws:vpceaccount"),
        *("aws:vpceorgid", "aws:vpceorgpaths"),
    }
)


def statements(resource: Resource, property_name: str, limit: str) -> Iterator[Statement | Outcome]:
    """The statements of the document in `property_name`, or what prevents reading them."""
    try:
        parsed = parse(resource.get(property_name))
    except MalformedDocumentError as error:
        yield Violation(resource, f"has a {property_name} that {error}", limit)
        return
    if parsed is UNKNOWN:
        yield Unverified(resource, property_name)
        return
    for statement in parsed:
        if statement.unknown:
            yield Unverified(resource, f"statement {statement.number} of {property_name}")
        else:
            yield statement


def is_narrowed(condition: object) -> bool:
    """Whether a condition leaves only known accounts, organisations or networks."""
    if not isinstance(condition, Mapping):
        return False
    for operator, keys in cast("Mapping[str, object]", condition).items():
        # A negated comparison, or one that a missing key passes, leaves nearly everyone.
        words = operator.lower()
        if "not" in words or words.endswith("ifexists") or not isinstance(keys, Mapping):
            continue
        for key, values in cast("Mapping[str, object]", keys).items():
            known = [one for one in one_or_many(values) if isinstance(one, str)]
            wide = any(_is_wide(one) for one in known)
            if key.lower() in _NARROWING_KEYS and known and not wide:
                return True
    return False


def _is_wide(value: str) -> bool:
    """Whether a condition's value leaves everybody: a wildcard, every address, any account."""
    if is_wildcard(value) or value in ("0.0.0.0/0", "::/0"):
        return True
    # arn:partition:service:region:account:resource
    parts = value.split(":", 5)
    if len(parts) < 6:
        return value.startswith("arn:") and "*" in value
    account, name = parts[4:]
    return is_wildcard(account) or (not account and is_wildcard(name))


def is_everybody(identity: object) -> bool:
    """Whether a principal is a wildcard, an ARN of any account, or nothing that can be read."""
    return not isinstance(identity, str) or _is_wide(identity)


def _not_public(limit: str) -> ResourceCheck:
    def check(resource: Resource, _context: Context) -> Iterator[Outcome]:
        for statement in statements(resource, "policy", limit):
            if not isinstance(statement, Statement):
                yield statement
                continue
            if not statement.allows or is_narrowed(statement.condition):
                continue
            where = f"statement {statement.number} of policy"
            if contains_unknown(statement.condition):
                yield Unverified(resource, f"the condition of {where}")
                continue
            if statement.not_principals:
                found = f"allows in {where} everyone but those of NotPrincipal"
                yield Violation(resource, found, limit)
            for _kind, identity in statement.principals:
                if identity is UNKNOWN:
                    yield Unverified(resource, f"a principal of {where}")
                elif is_everybody(identity):
                    found = f"allows in {where} the principal {shown(identity)}"
                    yield Violation(resource, found, limit)

    return check


def _no_lockout(resource: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "leave somebody who can change it: a denial of everything to everyone needs a condition"
    for statement in statements(resource, "policy", limit):
        if not isinstance(statement, Statement):
            yield statement
            continue
        everyone = ("AWS", "*") in statement.principals
        everything = any(one in ("*", "s3:*") for one in statement.actions)
        if statement.denies and everyone and everything and statement.condition in (None, {}):
            found = f"denies everything to everyone in statement {statement.number}"
            yield Violation(resource, found, limit)
        elif statement.denies and contains_unknown(
            [*statement.actions, *(one for _kind, one in statement.principals), statement.condition]
        ):
            yield Unverified(resource, f"statement {statement.number} of policy")


def _policy_given(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for key in (*stack.of_type(KEY), *stack.of_type(REPLICA_KEY)):
        if key.get("policy") not in (None, ""):
            continue
        beside = sources(stack, key, (KEY_POLICY,), "keyId")
        limit = "have a policy that names who uses it"
        if beside.undecided:
            yield Unverified(key, "the keyId of a KeyPolicy")
        elif not beside.found:
            yield Violation(key, "has no policy of its own", limit)


RULES: Final = (
    Rule(
        id="s3-no-public-policy",
        title="No bucket policy lets everybody in",
        what="No bucket policy allows the principal * without a condition on account or network.",
        why="Anyone could read or write the backups.",
        remediation="name the roles in Principal of the aws.s3.BucketPolicy.",
        severity=Severity.CRITICAL,
        catalogue=("S3-06",),
        controls=("CKV_AWS_70", "S3.2", "S3.3"),
        types=(BUCKET_POLICY, *BUCKETS),
        check_resource=_not_public("name the principals that it allows"),
    ),
    Rule(
        id="s3-no-lockout",
        title="No bucket policy locks everybody out",
        what="No bucket policy denies everything to everyone without a condition.",
        why="Only the account's root user could then restore access to the backups.",
        remediation="put a condition into the denial, such as aws:SecureTransport.",
        severity=Severity.HIGH,
        catalogue=("S3-06",),
        controls=("CKV_AWS_93",),
        types=(BUCKET_POLICY, *BUCKETS),
        check_resource=_no_lockout,
    ),
    Rule(
        id="kms-no-public-policy",
        title="No key policy lets everybody in",
        what="No key policy allows the principal * without a condition on the account.",
        why="Anyone could decrypt what the key protects, or schedule its deletion.",
        remediation="name the account or the roles in Principal of the key's policy.",
        severity=Severity.CRITICAL,
        catalogue=("KMS-02",),
        controls=("CKV_AWS_33", "KMS.5"),
        types=(KEY, REPLICA_KEY, KEY_POLICY),
        check_resource=_not_public("name the principals that it allows"),
    ),
    Rule(
        id="kms-policy-given",
        title="Every key has a policy of its own",
        what="policy is set on every KMS key, or a KeyPolicy stands beside it.",
        why="AWS's default policy lets every administrator of IAM decrypt everything.",
        remediation="set policy on aws.kms.Key (components/encryption_keys.py).",
        severity=Severity.MEDIUM,
        catalogue=("KMS-02",),
        controls=("CKV2_AWS_64",),
        types=(),
        check_stack=_policy_given,
        joined_types=(KEY, REPLICA_KEY, KEY_POLICY),
    ),
    Rule(
        id="sns-no-public-policy",
        title="No topic policy lets everybody in",
        what="No topic policy allows the principal * without a condition on account or source.",
        why="Anyone could read the alarms, or hide a real one among false ones.",
        remediation="name the service and aws:SourceAccount in the aws.sns.TopicPolicy.",
        severity=Severity.HIGH,
        catalogue=("SNS-01",),
        controls=("CKV_AWS_169", "SNS.4"),
        types=(TOPIC, TOPIC_POLICY),
        check_resource=_not_public("name the principals that it allows"),
    ),
    Rule(
        id="sqs-no-public-policy",
        title="No queue policy lets everybody in",
        what="No queue policy allows the principal * without a condition on account or source.",
        why="Anyone could read what failed, with the data in it, or delete it unseen.",
        remediation="name the service and aws:SourceAccount in the aws.sqs.QueuePolicy.",
        severity=Severity.HIGH,
        catalogue=("SNS-01",),
        controls=("CKV_AWS_168", "CKV_AWS_387", "SQS.3"),
        types=(QUEUE, QUEUE_POLICY),
        check_resource=_not_public("name the principals that it allows"),
    ),
    Rule(
        id="secrets-no-public-policy",
        title="No secret's policy lets everybody in",
        what="No secret's policy allows the principal * without a condition on the account.",
        why="Anyone could read the database's passwords.",
        remediation="name the roles in Principal of the secret's policy.",
        severity=Severity.CRITICAL,
        catalogue=("SEC-03",),
        controls=(),
        types=(SECRET, SECRET_POLICY),
        check_resource=_not_public("name the principals that it allows"),
    ),
)
