"""The frame: a crash refuses, enforcement by environment, exemptions and their limits."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from policies import buckets, permissions
from policies.catalogue import RULES
from policies.databases import NOT_PUBLIC, PITR_RETENTION
from policies.evaluation import Judge, Kind, Verdict, evaluate
from policies.inventory import Resource, Stack
from policies.rules import Context, Enforcement, Environment, Outcome, Phase
from tests.policies.good_stack import INSTANCE, context, document, resource, stack, verdicts

TODAY = datetime.date(2026, 3, 1)


def crashing_resource_rule(_resource: Resource, _context: Context) -> Iterator[Outcome]:
    raise RuntimeError("the password is hunter2")
    yield


def crashing_stack_rule(_stack: Stack, _context: Context) -> Iterator[Outcome]:
    raise RecursionError
    yield


def test_a_crash_is_a_mandatory_violation_that_names_the_rule() -> None:
    broken = replace(
        PITR_RETENTION,
        id="broken",
        check_resource=crashing_resource_rule,
        check_stack=crashing_stack_rule,
        enforcement=dict.fromkeys(Environment, Enforcement.ADVISORY),
    )
    found = evaluate(stack(), context(), rules=[broken])
    assert len(found) == 3  # two databases, and the stack
    assert all(
        v.blocks and v.rule.id == "broken" and "RuntimeError" in v.message for v in found[:2]
    )
    assert "RecursionError" in found[2].message
    assert not any("hunter2" in verdict.message for verdict in found)


def test_what_a_rule_found_before_it_crashed_is_kept() -> None:
    def check(one: Resource, _context: Context) -> Iterator[Outcome]:
        yield from (NOT_PUBLIC.check_resource or crashing_resource_rule)(one, _context)
        raise KeyError

    broken = replace(NOT_PUBLIC, check_resource=check)
    found = Judge(context(), rules=[broken]).resource(resource("db", publiclyAccessible=True))
    assert [verdict.kind for verdict in found] == [Kind.VIOLATION, Kind.VIOLATION]


def test_enforcement_is_chosen_by_environment() -> None:
    by_environment = {**dict.fromkeys(Environment, Enforcement.MANDATORY)}
    by_environment[Environment.DEV] = Enforcement.ADVISORY
    by_environment[Environment.LOCAL] = Enforcement.DISABLED
    rule = replace(PITR_RETENTION, enforcement=by_environment)
    spoilt = Stack([resource("db", backupRetentionPeriod=0)])

    def levels(environment: Environment) -> list[Enforcement]:
        return [v.enforcement for v in evaluate(spoilt, Context(environment), rules=[rule])]

    assert levels(Environment.PROD) == [Enforcement.MANDATORY]
    assert levels(Environment.DEV) == [Enforcement.ADVISORY]
    assert levels(Environment.LOCAL) == []


def test_what_loses_data_or_opens_it_is_mandatory_everywhere() -> None:
    for rule in RULES:
        if rule.never_exempt_in:
            assert set(rule.enforcement.values()) == {Enforcement.MANDATORY}, rule.id


def test_the_pack_configuration_cannot_loosen_what_cannot_be_exempted() -> None:
    overrides = {"rds-not-public": Enforcement.DISABLED, "rds-pitr-retention": Enforcement.ADVISORY}
    spoilt = resource("db", publiclyAccessible=True, backupRetentionPeriod=0)

    def levels(environment: Environment) -> dict[str, Enforcement]:
        found = Judge(Context(environment), overrides=overrides).resource(spoilt)
        return {verdict.rule.id: verdict.enforcement for verdict in found}

    assert levels(Environment.PROD) == {
        "rds-not-public": Enforcement.MANDATORY,
        "rds-pitr-retention": Enforcement.ADVISORY,
    }
    assert levels(Environment.DEV) == {"rds-pitr-retention": Enforcement.ADVISORY}


def test_the_default_context_is_the_strictest() -> None:
    assert Context().environment is Environment.PROD


def entry(**changes: Any) -> dict[str, Any]:
    written = {
        "rule": "rds-pitr-retention",
        "resource": f"{INSTANCE}::db",
        "reason": "scratch copy, rebuilt every night from prod",
        "owner": "platform@example.com",
        "expires": "2026-06-01",
        **changes,
    }
    return {key: value for key, value in written.items() if value is not ...}


def judged(
    *entries: Any, environment: Environment = Environment.PROD, days: int = 3
) -> list[Verdict]:
    spoilt = stack(resource("db", backupRetentionPeriod=days))
    return evaluate(spoilt, context(environment, today=TODAY), list(entries))


def test_an_exemption_turns_the_violation_into_a_note_with_its_reason() -> None:
    (verdict,) = judged(entry())
    assert verdict.kind is Kind.EXEMPTED
    assert not verdict.blocks
    assert "exempted until 2026-06-01 by platform@example.com: scratch copy" in verdict.message


@pytest.mark.parametrize(
    "pattern",
    [f"{INSTANCE}::db", "urn:pulumi:prod::pgkeep::aws:rds/instance:Instance::db", "*::db"],
)
def test_patterns_match_type_and_name_or_the_urn(pattern: str) -> None:
    assert [verdict.kind for verdict in judged(entry(resource=pattern))] == [Kind.EXEMPTED]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expires": "2026-02-28"}, "expired on 2026-02-28"),
        ({"expires": "2026-08-29"}, "expires in 181 days; at most 180"),
        ({"expires": "soon"}, 'has expires = "soon"'),
        ({"expires": "2026-06-31"}, 'has expires = "2026-06-31"'),
        ({"expires": "2026-06-01 or later"}, "has expires"),
        ({"expires": ...}, "has expires"),
        ({"reason": "todo"}, "explains nothing"),
        ({"reason": ...}, "has reason = (not set)"),
        ({"owner": " "}, "has no owner"),
        ({"owner": ...}, "has owner = (not set)"),
        ({"owner": ""}, 'has owner = ""'),
        ({"owner": 5}, "has owner = 5"),
        ({"resource": "*"}, "is too broad"),
        ({"resource": f"{INSTANCE}::*"}, "is too broad"),
        ({"resource": f"{INSTANCE}::a*"}, "is too broad"),
        ({"resource": f"{INSTANCE}::ab??*"}, "is too broad"),
        ({"resource": "*pgkeep*db"}, "is too broad"),
        ({"rule": "rds-everything"}, "names no rule of the pack"),
        ({"rule": "rds-not-public"}, "cannot be exempted in prod"),
        ({"rule": "rds-ssl-enforced"}, "cannot be exempted in prod"),
        ({"rule": "db-app-cannot-delete"}, "cannot be exempted in prod"),
        ({"rule": "iam-no-wildcard-actions"}, "list what it covers"),
        ({"covers": "all"}, "has covers"),
        ({"covers": ["s3:GetObject", 5]}, "has covers"),
        ({"because": "x"}, "unknown field because"),
        ({"resource": f"{INSTANCE}::some-other"}, "is not used"),
        ({"rule": "rds-storage-encrypted"}, "is not used"),
    ],
)
def test_wrong_exemptions_are_violations_and_exempt_nothing(
    changes: dict[str, Any], words: str
) -> None:
    found = judged(entry(**changes))
    about = [v for v in found if v.rule.id == "policy-exemptions-valid"]
    assert len(about) == 1
    assert words in about[0].message
    assert about[0].blocks
    assert [v.rule.id for v in found if v is not about[0] and v.blocks] == ["rds-pitr-retention"]


@pytest.mark.parametrize("entries", ["all", 5, {"rule": "x"}, ["x"], [None]])
def test_exemptions_of_a_wrong_shape_are_violations(entries: object) -> None:
    found = evaluate(stack(), context(today=TODAY), entries)
    assert [v.rule.id for v in found] == ["policy-exemptions-valid"]


def test_the_last_day_counts() -> None:
    assert [v.kind for v in judged(entry(expires="2026-03-01"))] == [Kind.EXEMPTED]
    assert [v.kind for v in judged(entry(expires="2026-08-28"))] == [Kind.EXEMPTED]
    go_time = "2026-06-01 00:00:00 +0000 UTC"
    assert [v.kind for v in judged(entry(expires=go_time))] == [Kind.EXEMPTED]


def test_what_cannot_be_exempted_in_prod_can_be_in_dev() -> None:
    public = stack(resource("db", publiclyAccessible=True))
    written = entry(rule="rds-not-public")
    found = evaluate(public, context(Environment.DEV, today=TODAY), [written])
    assert [verdict.kind for verdict in found] == [Kind.EXEMPTED]


def test_an_exemption_covers_only_the_subjects_that_it_lists() -> None:
    policy = document(
        {"Effect": "Allow", "Action": ["sqs:GetQueueAttributes", "iam:PassRole"], "Resource": "*"}
    )
    written = entry(
        rule="iam-no-wildcard-resources",
        resource="aws:iam/rolePolicy:RolePolicy::permissions",
        covers=["sqs:GetQueueAttributes"],
    )
    spoilt = stack(resource("permissions", policy=policy))
    found = evaluate(spoilt, context(today=TODAY), [written], rules=permissions.RULES)
    assert [(v.kind, "iam:PassRole" in v.message) for v in found] == [
        (Kind.EXEMPTED, False),
        (Kind.VIOLATION, True),
    ]


def test_an_exemption_for_what_is_unknown_yet_is_not_called_unused() -> None:
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    written = entry(
        rule="iam-no-wildcard-resources",
        resource="aws:iam/rolePolicy:RolePolicy::permissions",
        covers=["sqs:GetQueueAttributes"],
    )
    found = evaluate(
        stack(resource("permissions", policy=unknown)), context(today=TODAY), [written]
    )
    assert {verdict.kind for verdict in found} == {Kind.NOT_VERIFIED}


def test_an_exemption_counts_as_used_where_only_the_stack_was_judged() -> None:
    spoilt = stack(resource("db", backupRetentionPeriod=3))
    judge = Judge(context(today=TODAY), [entry()])
    assert judge.stack(spoilt) == []


def test_a_note_on_the_inputs_does_not_silence_a_violation_of_the_stack() -> None:
    judge = Judge(context(), rules=buckets.RULES)
    noted = judge.resource(resource("tls", policy="04da6b54-80e4-46f7-96ec-b56ff0331ba9"))
    found = judge.stack(stack(resource("tls", policy=document())))
    assert [verdict.kind for verdict in [*noted, *found]] == [Kind.NOT_VERIFIED, Kind.VIOLATION]
    # What both say is said once.
    judge = Judge(context(), rules=buckets.RULES)
    spoilt = resource("tls", policy=document())
    assert len(judge.resource(spoilt)) == 1
    assert judge.stack(stack(spoilt)) == []


def test_repeated_outcomes_are_told_once() -> None:
    wide = {"Effect": "Allow", "Action": ["s3:Ge*", "s3:Ge*"], "Resource": "arn:aws:s3:::backups/*"}
    assert len(verdicts(resource("permissions", policy=document(wide)))) == 1


def test_unknown_at_apply_is_refused() -> None:
    unknown = resource("db", publiclyAccessible="04da6b54-80e4-46f7-96ec-b56ff0331ba9")
    (verdict,) = verdicts(unknown, phase=Phase.APPLY)
    assert verdict.blocks
    assert "still unknown at apply" in verdict.message
