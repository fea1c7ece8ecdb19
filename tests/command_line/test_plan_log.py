"""The engine's log becomes a plan: operations, changed properties, policies, failures."""

import pytest

from pgkeep.failures import CommandError
from pgkeep.plan.engine_log import read_log
from pgkeep.plan.model import NoteKind, Operation, PropertyChange
from pgkeep.plan.values import SIGNATURE, UNKNOWN
from tests.command_line.plans import logged, made, step

SECRET = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}
QUEUE = "aws:sqs/queue:Queue"


def test_a_real_preview_that_replaces_a_database() -> None:
    plan = logged("replaced_database").plan
    database = next(change for change in plan.changes if change.name == "database-instance")
    assert database.operation is Operation.REPLACE
    assert database.group == "Database"
    assert database.short_type == "rds:Instance"
    assert database.properties == (
        PropertyChange("allocatedStorage", "20", "50"),
        PropertyChange("dbName", "node_pass", "other", replaces=True),
        PropertyChange("instanceClass", "db.m7i.large", "db.t4g.small"),
        PropertyChange("publiclyAccessible", "false", "true"),
    )
    parameters = next(change for change in plan.changes if change.name == "database-parameters")
    assert parameters.operation is Operation.UPDATE
    assert parameters.properties == (PropertyChange("parameters[rds.force_ssl].value", "1", "0"),)
    assert {note.rule for note in plan.violations} == {
        "rds-not-public",
        "rds-ssl-enforced",
        "s3-tls-only",
    }
    public = next(note for note in plan.violations if note.rule == "rds-not-public")
    assert public.resource == "rds:Instance database-instance"
    assert public.severity == "critical"
    assert public.message.startswith('aws:rds/instance:Instance "database-instance" has publicly')
    assert public.remedy.startswith("set publicly_accessible = False;")
    assert plan.region == "eu-west-1"
    assert plan.failed


def test_a_real_preview_without_changes() -> None:
    plan = logged("unchanged").plan
    assert plan.of(Operation.SAME)
    assert plan.of(*(set(Operation) - {Operation.SAME})) == []
    assert not plan.failed
    assert plan.violations == []


def test_notes_about_unknown_values_are_told_apart() -> None:
    report = logged("offline", "prod", offline=True)
    kinds = {note.kind for note in report.plan.notes}
    assert kinds == {NoteKind.UNVERIFIED}
    assert report.plan.judged == 20


def test_exemptions_and_advice_are_told_apart() -> None:
    def note(message: str, level: str = "advisory", rule: str = "r") -> dict:
        return {
            "policyEvent": {
                "resourceUrn": "urn:pulumi:prod::pgkeep::aws:sqs/queue:Queue::failed",
                "message": message,
                "policyName": rule,
                "enforcementLevel": level,
                "severity": "high",
            }
        }

    plan = made(
        note("r: a is b; exempted until 2026-12-01 by team@example.com: because"),
        note("r: a is b; it must be c. Why. What to do: d."),
        note("r: a is b; it must be c. Why. What to do: d."),
        note("r: a is b; it must be c. Why. What to do: d.", "mandatory"),
        note("a opens access, and no rule judges its type.", rule="policy-coverage-complete"),
    )
    assert [(item.kind, item.resource, item.remedy) for item in plan.notes] == [
        (NoteKind.VIOLATION, "sqs:Queue failed", "d."),
        (NoteKind.ADVICE, "sqs:Queue failed", "d."),
        (NoteKind.NOT_COVERED, "sqs:Queue failed", ""),
        (NoteKind.EXEMPTED, "sqs:Queue failed", ""),
    ]
    assert plan.notes[0].message == "a is b; it must be c. Why."


def test_three_steps_of_a_replacement_are_one_change() -> None:
    old, new = {"name": "a", "size": 1}, {"name": "b", "size": 2}
    keys = {"keys": ["name"], "diffs": ["name", "size"]}
    plan = made(
        step("create-replacement", QUEUE, "q", old, new, **keys),
        step("replace", QUEUE, "q", old, new, **keys),
        step("delete-replaced", QUEUE, "q", old, **keys),
    )
    [change] = plan.changes
    assert change.operation is Operation.REPLACE
    assert change.properties == (
        PropertyChange("name", "a", "b", replaces=True),
        PropertyChange("size", "1", "2"),
    )


def test_only_what_the_provider_names_counts() -> None:
    plan = made(step("update", QUEUE, "q", {"a": 1, "b": 1}, {"a": 2, "b": 2}, diffs=["a"]))
    assert [item.path for item in plan.changes[0].properties] == ["a"]


def test_secrets_and_unknown_values_are_never_shown() -> None:
    old = {"passwordWo": SECRET, "masterPassword": "hunter2", "arn": "arn:x", "secretString": "s"}
    new = {
        "passwordWo": {**SECRET, "ciphertext": "other"},
        "masterPassword": "hunter3",
        "arn": UNKNOWN,
        "secretString": None,
    }
    [change] = made(step("update", QUEUE, "q", old, new)).changes
    assert change.properties == (
        PropertyChange("arn", "arn:x", "[known after apply]"),
        PropertyChange("masterPassword", "[secret]", "[secret]"),
        PropertyChange("passwordWo", "[secret]", "[secret]"),
        PropertyChange("secretString", "[secret]", None),
    )
    assert "hunter" not in repr(change.properties)


def test_documents_in_texts_are_compared_inside() -> None:
    old = {"policy": '{"Statement": [{"Sid": "A", "Action": ["s3:Get", "s3:Put"]}]}'}
    new = {
        "policy": '{"Statement": [{"Sid": "B", "Action": "x"}, {"Sid": "A", "Action": ["s3:Get"]}]}'
    }
    [change] = made(step("update", QUEUE, "q", old, new)).changes
    assert change.properties == (
        PropertyChange("policy.Statement[A].Action", '["s3:Put"]', None),
        PropertyChange("policy.Statement[B]", None, '{"Action": "x", "Sid": "B"}'),
    )


def test_long_texts_are_told_by_length() -> None:
    [change] = made(step("update", QUEUE, "q", {"userData": "a" * 500}, {"userData": "b"})).changes
    [item] = change.properties
    assert item.old
    assert item.old.startswith("500 characters (sha256 ")
    assert item.new == "b"


def test_an_arn_is_told_in_full() -> None:
    arn = "arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
    [change] = made(step("update", QUEUE, "q", {"kmsKeyId": arn}, {"kmsKeyId": "b"})).changes
    assert [(item.old, item.new) for item in change.properties] == [(arn, "b")]


def test_drift_is_told_from_what_aws_has() -> None:
    event = step("update", QUEUE, "q", {"size": 2}, {"size": 2}, diffs=["size"])
    event["resourcePreEvent"]["metadata"]["old"]["outputs"] = {"size": 5}
    assert made(event).changes[0].properties == (PropertyChange("size", "5", "2"),)


def test_retained_resources_are_forgotten_and_not_deleted() -> None:
    plan = made(
        step("delete", QUEUE, "kept", {}, retainOnDelete=True), step("delete", QUEUE, "gone", {})
    )
    operations = {change.name: change.operation for change in plan.changes}
    assert operations == {"kept": Operation.FORGET, "gone": Operation.DELETE}


def test_errors_of_program_and_engine_are_told_without_traceback() -> None:
    def said(message: str, severity: str) -> dict:
        return {"diagnosticEvent": {"message": message, "severity": severity, "color": "never"}}

    plan = made(
        # One line an event, as the engine sends them.
        said("error: stacks/Pulumi.prod.yaml cannot be deployed:\n\n", "info#err"),
        said("pooler: refused\n\n", "info#err"),
        said("database.name: refused\n\n", "info#err"),
        said("Traceback (most recent call last):\n", "info#err"),
        said('  File "x.py", line 1\n', "info#err"),
        said("<{%fg 1%}>error: no credentials<{%reset%}>\n", "error"),
        said("preview failed\n", "error"),
        result="failed",
    )
    assert plan.failed
    assert plan.errors == (
        "stacks/Pulumi.prod.yaml cannot be deployed:\npooler: refused\ndatabase.name: refused",
        "no credentials",
    )


def test_a_refusal_of_the_engine_to_replace_what_is_protected() -> None:
    urn = "urn:pulumi:prod::pgkeep::pgkeep:components:Database$aws:rds/instance:Instance::database"
    message = (
        f'unable to replace resource "{urn}"\nas it is currently marked for protection. To '
        "unprotect the resource, remove the `protect` flag from the resource in your Pulumi "
        "program and run `pulumi up`"
    )
    event = {"message": message, "severity": "error", "urn": urn}
    assert made({"diagnosticEvent": event}, result="failed").errors == (
        "rds:Instance database: protected, so that Pulumi refuses to replace it. Set back what asks "
        "for it; data is given up in two steps (docs/database.md)",
    )


@pytest.mark.parametrize("text", ["", '{"preludeEvent": {}}'])
def test_a_log_without_an_end_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="ended before the preview was complete"):
        read_log(text, "prod")


@pytest.mark.parametrize("text", ["nonsense", "[1]", '{"summaryEvent": {}}\n{"cut'])
def test_what_is_no_log_is_refused_by_line(text: str) -> None:
    with pytest.raises(CommandError, match=r"line \d of the engine's event log is not a JSON"):
        read_log(text, "prod")
