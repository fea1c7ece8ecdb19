"""Rules for who from outside may come in: OIDC subjects, other accounts; and for keys of all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

from .documents import Statement, matches
from .inventory import Resource
from .permissions import DOCUMENT_TYPES, POLICY, ROLE, identity_statements, trust_statements
from .resource_policies import (
    QUEUE,
    QUEUE_POLICY,
    TOPIC,
    TOPIC_POLICY,
    is_narrowed,
    statements,
)
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .values import UNKNOWN, contains_unknown, one_or_many, shown

_GITHUB: Final = "token.actions.githubusercontent.com"
# The subject begins with a claim that only GitHub sets; the organisation stands whole.
_GITHUB_SUBJECT: Final = re.compile(r"repo:[^*?/:]+/.+")
_DECRYPTION: Final = ("kms:Decrypt", "kms:ReEncryptFrom")
_ALL_KEYS: Final = re.compile(r"\*+|arn:[^:]*:kms:[^:]*:[^:]*:(key/)?\*+")
# arn:partition:service:region:account:name; https://sqs.region.domain/account/name
_TOPIC_PLACE: Final = re.compile(r"arn:[^:]*:sns:[^:]*:(?P<account>[^:]+):")
_QUEUE_PLACE: Final = re.compile(r"(?:arn:[^:]*:sqs:[^:]*:|https://[^/]+/)(?P<account>\d+)[:/]")
_ACCOUNT: Final = re.compile(r"(?:arn:[^:]+:(?:iam|sts)::)?(\d{12})(?::.*)?")


def _subjects_bound(role: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "have a condition on the subject that names organisation and repository, or the like"
    for place, statement in trust_statements(role, limit):
        if not isinstance(statement, Statement):
            if role.type == ROLE or isinstance(statement, Unverified):
                yield statement
            continue  # A document that cannot be read is refused by another rule.
        providers = [
            identity
            for kind, identity in statement.principals
            if kind.lower() == "federated"
            and isinstance(identity, str)
            and ":oidc-provider/" in identity
        ]
        if not statement.allows or not providers:
            continue
        where = f"{place}, statement {statement.number},"
        if contains_unknown(statement.condition):
            yield Unverified(role, f"the condition of {where}")
            continue
        subjects = list(_subjects(statement.condition))
        github = any(_GITHUB in provider for provider in providers)
        if not subjects:
            yield Violation(role, f"trusts in {where} every subject of {providers[0][:100]}", limit)
        for subject in subjects:
            bad = not subject.strip("*?") or (github and not _GITHUB_SUBJECT.fullmatch(subject))
            if bad:
                yield Violation(role, f'trusts in {where} the subject "{subject[:80]}"', limit)


def _subjects(condition: object) -> Iterator[str]:
    if not isinstance(condition, Mapping):
        return
    for operator, keys in cast("Mapping[str, object]", condition).items():
        words = operator.lower()
        if "not" in words or words.endswith("ifexists") or not isinstance(keys, Mapping):
            continue
        for key, values in cast("Mapping[str, object]", keys).items():
            if key.lower().endswith(":sub"):
                yield from (str(one) for one in one_or_many(values))


def _no_decrypt_of_all(resource: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "name the keys"
    for place, statement in identity_statements(resource, limit):
        if not isinstance(statement, Statement):
            yield statement
            continue
        if not statement.allows:
            continue
        where = f"{place}, statement {statement.number},"
        decrypts = [
            one
            for one in statement.actions
            if isinstance(one, str) and any(matches(one, action) for action in _DECRYPTION)
        ]
        everything = bool(statement.not_resources) or any(
            not isinstance(one, str) or _ALL_KEYS.fullmatch(one)
            for one in statement.resources or ("*",)
            if one is not UNKNOWN
        )
        if UNKNOWN in statement.resources and (decrypts or UNKNOWN in statement.actions):
            yield Unverified(resource, f"a resource of {where}")
        elif everything and UNKNOWN in statement.actions:
            yield Unverified(resource, f"an action of {where}")
        for action in decrypts if everything else ():
            yield Violation(
                resource, f"allows in {where} {action[:60]} of every key", limit, action
            )


def _own_account(resource: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "be for principals of its own account"
    pattern = _TOPIC_PLACE if resource.type in (TOPIC, TOPIC_POLICY) else _QUEUE_PLACE
    itself = (resource.get("arn"), resource.get("queueUrl"))
    for statement in statements(resource, "policy", limit):
        if not isinstance(statement, Statement):
            yield statement
            continue
        if not statement.allows:
            continue
        where = f"statement {statement.number} of policy"
        if contains_unknown(statement.condition):
            yield Unverified(resource, f"the condition of {where}")
            continue
        own = {_account_of(one, pattern) for one in (*statement.resources, *itself)} - {""}
        for kind, identity in statement.principals:
            match = _ACCOUNT.fullmatch(identity) if isinstance(identity, str) else None
            if kind.lower() != "aws" or match is None or match[1] in own:
                continue  # Wildcards and what is no account: the rules on public policies.
            if is_narrowed(statement.condition):
                continue
            if UNKNOWN in (*statement.resources, *itself) and not own:
                yield Unverified(resource, f"the account of {where}")
            else:
                found = f"allows in {where} the account {shown(match[1])}"
                yield Violation(resource, found, limit)


def _account_of(place: object, pattern: re.Pattern[str]) -> str:
    """The account in a topic's or queue's ARN, or in a queue's URL."""
    match = pattern.match(place) if isinstance(place, str) else None
    return match["account"] if match else ""


RULES: Final = (
    Rule(
        id="iam-oidc-subject",
        title="Roles for other identity providers name who comes",
        what="Every trust in an OIDC provider has a condition on the subject, without a wildcard "
        "for everybody; for GitHub it names organisation and repository.",
        why="Anybody with an account at the provider could assume the role from a job of their "
        "own.",
        remediation='put StringLike {"<provider>:sub": "repo:<organisation>/<repository>:*"} into '
        "the Condition of assume_role_policy.",
        severity=Severity.CRITICAL,
        catalogue=("IAM-04",),
        controls=("CKV_AWS_393", "CKV_AWS_358"),
        types=(ROLE, POLICY),
        check_resource=_subjects_bound,
    ),
    Rule(
        id="iam-no-decrypt-all-keys",
        title="No policy decrypts with every key",
        what="No policy allows kms:Decrypt or kms:ReEncryptFrom on all keys.",
        why="Encryption would protect nothing from whoever takes over the role.",
        remediation="put the ARN of the key into Resource of the statement.",
        severity=Severity.CRITICAL,
        catalogue=("IAM-07",),
        controls=("KMS.1", "KMS.2"),
        types=DOCUMENT_TYPES,
        exemption_names_subject=True,
        check_resource=_no_decrypt_of_all,
    ),
    Rule(
        id="sns-own-account",
        title="Topics are for one's own account",
        what="No topic policy allows another account without a condition that binds it.",
        why="Alarms tell another account what is weak, or come from it.",
        remediation="name principals of the own account, or add a condition on them, in the "
        "aws.sns.TopicPolicy.",
        severity=Severity.MEDIUM,
        catalogue=("SNS-01",),
        controls=("CKV_AWS_385",),
        types=(TOPIC, TOPIC_POLICY),
        check_resource=_own_account,
    ),
    Rule(
        id="sqs-own-account",
        title="Queues are for one's own account",
        what="No queue policy allows another account without a condition that binds it.",
        why="Another account would read what failed, or fill the queue so that nobody sees it.",
        remediation="name principals of the own account, or add a condition on them, in the "
        "aws.sqs.QueuePolicy.",
        severity=Severity.MEDIUM,
        catalogue=("SNS-01",),
        controls=(),
        types=(QUEUE, QUEUE_POLICY),
        check_resource=_own_account,
    ),
)
