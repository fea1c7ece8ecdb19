"""Random IAM documents: what a reference evaluator allows, the rules refuse, and nothing else."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from policies.action_levels import Level, level
from policies.dangerous_actions import DELETION, ESCALATION, EXFILTRATION, EXPOSURE, PERMISSIONS
from policies.effective import includes, overlap
from policies.evaluation import Kind, evaluate
from policies.inventory import Resource, Stack
from policies.rules import Context
from tests.policies.iam_reference import (
    DANGEROUS,
    allowed,
    covers,
    documents,
    listed,
    taken_away,
)

LISTS = {
    "iam-no-escalation": ESCALATION,
    "iam-no-credential-exposure": EXPOSURE,
    "iam-no-exfiltration": EXFILTRATION,
    "iam-no-permission-changes": PERMISSIONS,
}
# A name that no generated pattern spells: only a wildcard covers it.
STRANGER = {
    "s3": "arn:aws:s3:::9q9q/9q",
    "rds": "arn:aws:rds:eu-west-9:999999999999:db:9q9q",
    "kms": "arn:aws:kms:eu-west-9:999999999999:key/9q9q",
    "iam": "arn:aws:iam::999999999999:role/9q9q",
    "secretsmanager": "arn:aws:secretsmanager:eu-west-9:999999999999:secret:9q9q",
    "lambda": "arn:aws:lambda:eu-west-9:999999999999:function:9q9q",
}


def refused(document: dict[str, Any]) -> set[str]:
    policy = Resource.of(
        type="aws:iam/policy:Policy", name="p", properties={"policy": json.dumps(document)}
    )
    verdicts = evaluate(Stack([policy]), Context())
    return {v.rule.id for v in verdicts if v.kind is Kind.VIOLATION and v.blocks}


@profile(max_examples=450, derandomize=True, database=None, deadline=None)
@given(documents())
def test_what_a_document_allows_is_refused_and_nothing_else(document: dict[str, Any]) -> None:
    found = refused(document)
    what_reaches_strangers_is_refused(document, found)
    lists_of_actions_are_refused_exactly_where_they_are_allowed(document, found)
    whole_services_and_hidden_verbs_are_refused(document, found)


def what_reaches_strangers_is_refused(document: dict[str, Any], found: set[str]) -> None:
    """Soundness: who may act on a resource that no statement names holds a refused policy."""
    for action in DANGEROUS:
        service = action.partition(":")[0]
        if service in STRANGER and allowed(document, action, STRANGER[service]):
            assert found, (action, document)
            assert found & {"iam-no-wildcard-resources", "iam-no-wildcard-actions"}


def lists_of_actions_are_refused_exactly_where_they_are_allowed(
    document: dict[str, Any], found: set[str]
) -> None:
    plain = [one for one in document["Statement"] if one["Effect"] == "Allow" and "Action" in one]

    def acts(statement: dict[str, Any], actions: tuple[str, ...]) -> bool:
        return any(
            covers(pattern, action, any_case=True) and not taken_away(document, action, statement)
            for pattern in listed(statement["Action"])
            for action in actions
        )

    def changes_permissions(statement: dict[str, Any]) -> bool:
        """What AWS calls permissions management counts beyond the list."""
        return any(
            level(pattern) is Level.PERMISSIONS and not taken_away(document, pattern, statement)
            for pattern in listed(statement["Action"])
        )

    def everywhere(statement: dict[str, Any]) -> bool:
        """NotResource leaves nearly everything; a pattern for a stranger is for all."""
        return "NotResource" in statement or any(
            covers(pattern, stranger)
            for pattern in listed(statement["Resource"])
            for stranger in STRANGER.values()
        )

    assert ("iam-no-deletion" in found) == any(acts(one, DELETION) for one in plain)
    for rule, actions in LISTS.items():
        expected = any(
            (acts(one, actions) or (actions is PERMISSIONS and changes_permissions(one)))
            and everywhere(one)
            and not one.get("Condition")
            for one in plain
        )
        assert (rule in found) == expected, rule


def whole_services_and_hidden_verbs_are_refused(document: dict[str, Any], found: set[str]) -> None:
    expected = any(
        one["Effect"] == "Allow"
        and (
            "NotAction" in one
            # A wildcard anywhere but behind three letters of the verb.
            or any(
                ("*" in action or "?" in action)
                and not taken_away(document, action, one)
                and not re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z]{3}[A-Za-z]*[*]", action)
                for action in listed(one.get("Action", []))
            )
        )
        for one in document["Statement"]
    )
    assert ("iam-no-wildcard-actions" in found) == expected


ATOMS = st.text(alphabet="ab*?", max_size=5)
WORDS = ["".join(letters) for size in range(5) for letters in product("ab", repeat=size)]


@profile(max_examples=1500, derandomize=True, database=None, deadline=None)
@given(ATOMS, ATOMS)
def test_patterns_are_compared_as_the_texts_that_they_match(one: str, other: str) -> None:
    ours = {word for word in WORDS if covers(one, word)}
    theirs = {word for word in WORDS if covers(other, word)}
    if includes(one, other):
        assert theirs <= ours
    assert overlap(one, other) == overlap(other, one)
    if ours & theirs:
        assert overlap(one, other)
    # Two patterns of five signs that have a text in common have one of at most ten letters.
    elif not overlap(one, other):
        assert not any(covers(one, word) and covers(other, word) for word in LONGER)
    if "*" not in one + other and "?" not in one:
        assert includes(one, other) == (one == other)


LONGER = ["".join(letters) for letters in product("ab", repeat=6)]


def test_a_denial_needs_all_of_the_action_and_the_resource() -> None:
    allow = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::backups/*"}

    def deletes(**deny: Any) -> bool:
        statements = [allow, {"Effect": "Deny", **deny}]
        return "iam-no-deletion" in refused({"Version": "2012-10-17", "Statement": statements})

    assert not deletes(Action="s3:Delete*", Resource="*")
    assert not deletes(Action="S3:deleteobject", Resource="arn:aws:s3:::backups/*")
    assert not deletes(NotAction="s3:Get*", NotResource="arn:aws:s3:::logs/*")
    assert deletes(Action="s3:Delete*", Resource="arn:aws:s3:::backups/daily/*")
    assert deletes(Action="s3:DeleteBucket", Resource="*")
    assert deletes(NotAction="s3:Delete*", Resource="*")
    assert deletes(Action="s3:*", NotResource="arn:aws:s3:::backups/daily/*")
    # A condition that is not known to hold takes nothing away.
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    assert deletes(Action="s3:*", Resource="*", Condition=condition)
