"""What a person, a pull request and a script read of a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from facts.prices import shipped_table
from pgkeep.app import app
from pgkeep.plan import command
from pgkeep.plan.document import document
from pgkeep.plan.losses import LOST, losses
from pgkeep.plan.markdown import LONGEST, markdown, marker
from pgkeep.plan.report import make_report
from tests.command_line.plans import logged, made, step, text_of

DATABASE = "aws:rds/instance:Instance"
QUEUE = "aws:sqs/queue:Queue"


def test_losses_come_first_with_cause_and_what_remains() -> None:
    text = text_of(logged("replaced_database"))
    assert text.index("DATA WOULD BE LOST") < text.index("Changes") < text.index("Cost a month")
    box = " ".join(text[: text.index("Changes")].replace("┃", " ").split())
    for words in (
        "± replace rds:Instance database-instance",
        "database pgkeep-local (20 GiB allocated) with every row in it; a new, empty one takes",
        "because dbName: node_pass → other",
        "no final snapshot is taken (skipFinalSnapshot)",
        "its automated backups (1 day) are deleted with it",
        "± replace s3:Bucket backups-bucket",
        "forceDestroy is on: its objects are deleted with it",
    ):
        assert words in box
    assert "✗ rds-not-public  critical  rds:Instance database-instance" in text
    assert text.rstrip().endswith("Refused: 3 policy violations.")


def test_nothing_to_do_says_so() -> None:
    text = text_of(logged("unchanged"))
    assert "nothing changes   14 unchanged" in text
    assert "DATA WOULD BE LOST" not in text
    assert text.rstrip().endswith("Nothing to do.")


def test_unverified_notes_are_counted_and_listed_when_asked() -> None:
    report = logged("offline", "prod", offline=True)
    assert "? 10 notes of 8 rules: verified at apply" in text_of(report)
    assert "? rds-customer-key" not in text_of(report)
    verbose = text_of(report, verbose=True)
    assert "? rds-customer-key  medium  rds:Instance database-instance" in verbose
    assert "Paid by use" in verbose


@pytest.mark.parametrize("width", [80, 100, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for name in ("replaced_database", "unchanged", "offline"):
        for verbose in (False, True):
            lines = text_of(logged(name), verbose=verbose, width=width).splitlines()
            assert max(map(len, lines)) <= width


def test_a_change_of_many_resources_is_told_once() -> None:
    events = [
        step("update", QUEUE, f"q{n}", {"tags": {}}, {"tags": {"owner": "platform"}})
        for n in range(9)
    ]
    events.append(
        step("update", QUEUE, "last", {"tags": {}, "n": 1}, {"tags": {"owner": "platform"}, "n": 2})
    )
    report = make_report(made(*events), shipped_table())
    text = text_of(report)
    assert "~ 10 x tags.owner  (none) → platform" in text
    assert "q3" not in text
    assert text.count("tags.owner") == 1
    assert "~ sqs:Queue last" in text
    assert text_of(report, verbose=True).count("tags.owner") == 10
    assert markdown(report).count("tags.owner") == 1


def test_every_type_that_holds_data_says_what_is_lost() -> None:
    deleted = [step("delete", type_, "gone", {"name": "n"}, protect=True) for type_ in LOST]
    found = losses(made(*deleted).changes)
    assert [loss.change.type for loss in found] == list(LOST)
    for loss in found:
        assert loss.lost
        assert loss.instead == "nothing takes its place"
        assert loss.cause == "the program does not have it any more"
        assert loss.guards[-1].text.startswith("protect: Pulumi refuses")


@pytest.mark.parametrize("kind", ["aws:s3/bucket:Bucket", "aws:backup/vault:Vault"])
def test_what_is_emptied_before_it_goes_is_alarming(kind: str) -> None:
    for emptied in (False, True):
        inputs = {"name": "n", "forceDestroy": emptied}
        [loss] = losses(made(step("delete", kind, "gone", inputs)).changes)
        assert [guard.alarming for guard in loss.guards] == [emptied]
        assert loss.guards[0].text.startswith("forceDestroy is on" if emptied else "AWS refuses")


@pytest.mark.parametrize(
    ("inputs", "notes", "alarming"),
    [
        (
            {
                "deletionProtection": True,
                "backupRetentionPeriod": 30,
                "deleteAutomatedBackups": False,
            },
            [
                "deletion protection: AWS",
                "a final snapshot",
                "its automated backups (30 days) are re",
            ],
            0,
        ),
        (
            {"skipFinalSnapshot": True, "backupRetentionPeriod": 0},
            ["no final snapshot", "there are no automated backups"],
            2,
        ),
        ({"replicateSourceDb": "db"}, [], 0),
    ],
)
def test_what_remains_of_a_database(
    inputs: dict[str, Any], notes: list[str], alarming: int
) -> None:
    [loss] = losses(made(step("delete", DATABASE, "db", inputs)).changes)
    assert len(loss.guards) == len(notes)
    assert all(g.text.startswith(n) for g, n in zip(loss.guards, notes, strict=True))
    assert sum(guard.alarming for guard in loss.guards) == alarming


def test_a_key_that_stays_loses_nothing_and_one_that_signs_hides_nothing() -> None:
    key, signing = "aws:kms/key:Key", {"keyUsage": "GENERATE_VERIFY_MAC", "multiRegion": False}
    changed = {**signing, "multiRegion": True}
    replaced = [step(op, key, "k", signing, changed) for op in ("create", "delete")]
    [loss] = losses(made(*replaced).changes)
    assert loss.lost.endswith(
        "nobody can verify any more what it has signed (the manifests of backups)"
    )
    kept = [
        step(op, key, "k", signing, changed, retainOnDelete=True) for op in ("create", "delete")
    ]
    database = [step(op, DATABASE, "d", {}, {}, retainOnDelete=True) for op in ("create", "delete")]
    [loss] = losses(made(*kept, *database).changes)
    assert loss.change.type == DATABASE
    assert loss.guards[-1].text == "the one before stays in AWS (retain on delete)"


def test_markdown_is_stable_marked_and_short() -> None:
    text = markdown(logged("replaced_database"))
    assert text.splitlines()[0] == marker("local") == "<!-- pgkeep plan: local -->"
    assert text.splitlines()[1] == "### ❌ Plan of `local`: refused, 3 policy violations"
    assert text == markdown(logged("replaced_database"))
    assert "> [!CAUTION]" in text
    assert "**no final snapshot is taken (skipFinalSnapshot)**" in text
    assert "| `rds-not-public`<br>critical | rds:Instance database-instance |" in text
    assert "($-" not in text
    assert "**$139.08** a month (-208.46 to now)" in text
    assert text.count("<details>") == text.count("</details>") > 0


def test_markdown_names_what_has_no_price() -> None:
    database = {"instanceClass": "db.m99.large", "allocatedStorage": 100, "storageType": "gp3"}
    text = markdown(
        make_report(made(step("create", DATABASE, "db", None, database)), shipped_table())
    )
    assert "**$12.70 + ?** a month, not all prices are known" in text
    assert "- no price known: rds:Instance db: db.m99.large Single-AZ" in text


def test_markdown_says_the_difference_where_all_prices_are_known() -> None:
    queue = step("create", QUEUE, "queue", None, {})
    deleted = step("delete", "aws:kms/key:Key", "old", {})
    kept = step("create", "aws:ec2/natGateway:NatGateway", "nat", None, {})
    text = markdown(make_report(made(queue, deleted, kept), shipped_table()))
    assert "**$35.04** a month (+34.04 to now)" in text


def test_markdown_leaves_out_properties_before_it_is_too_long() -> None:
    events = [
        step("update", QUEUE, f"queue-{n}", {"a": f"{n}" * 60}, {"a": f"{n + 1}" * 70})
        for n in range(10, 700)
    ]
    text = markdown(make_report(made(*events), shipped_table()))
    assert len(text) <= LONGEST
    assert "The changed properties are left out" in text
    assert text.count("<details>") == text.count("</details>")


def test_markdown_cannot_be_broken_by_names_and_values() -> None:
    report = make_report(
        made(
            step("update", QUEUE, "a`b", {"x": "1|`2`"}, {"x": "</details> @everyone"}),
            {
                "policyEvent": {
                    "policyName": "rule",
                    "message": "has | and <b> and @team\nWhat to do: `x`",
                    "enforcementLevel": "mandatory",
                    "severity": "high",
                    "resourceUrn": "",
                }
            },
        ),
        shipped_table(),
    )
    text = markdown(report)
    assert "- update `sqs:Queue` `` a`b ``" in text
    assert "`` 1|`2` `` → `</details> @everyone`" in text
    assert "has \\| and &lt;b&gt; and @\u200bteam" in text


def test_the_document_has_everything_and_is_json() -> None:
    content = json.loads(json.dumps(document(logged("replaced_database"))))
    assert content["version"] == 1
    assert content["result"] == "refused"
    assert content["counts"]["replace"] == 6
    assert content["cost"]["after"] == "139.084"
    assert content["losses"][0]["because"] == "dbName: node_pass → other"
    kinds = [note["kind"] for note in content["policies"]["notes"]]
    assert kinds.count("violation") == 3
    resource = content["cost"]["resources"][0]
    assert {"resource", "urn", "component", "before", "after"} == set(resource)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pgkeep plan` reads recorded previews: `prod` is new, `local` would be replaced."""
    names = {"prod": "offline", "local": "replaced_database", "dev": "unchanged"}
    monkeypatch.setattr(
        command, "preview", lambda stack, offline: logged(names[stack], stack, offline=offline).plan
    )


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize(("stack", "code"), [("prod", 0), ("local", 1), ("dev", 0)])
def test_exit_codes(stack: str, code: int) -> None:
    result = CliRunner().invoke(app, ["plan", stack, "--offline"])
    assert result.exit_code == code
    assert f"Plan of {stack}" in result.stdout


@pytest.mark.usefixtures("recorded")
def test_forms_of_output(tmp_path: Path) -> None:
    file = tmp_path / "plan.md"
    both = CliRunner().invoke(app, ["plan", "prod", "--offline", "--json", "--markdown", str(file)])
    assert both.exit_code == 0
    assert json.loads(both.stdout)["stack"] == "prod"
    assert file.read_text().startswith("<!-- pgkeep plan: prod -->")
    printed = CliRunner().invoke(app, ["plan", "prod", "--offline", "--markdown", "-"])
    assert printed.stdout == file.read_text()
    refused = CliRunner().invoke(app, ["plan", "prod", "--json", "--markdown", "-"])
    assert "both write to standard output" in str(refused.exception)
    nowhere = CliRunner().invoke(app, ["plan", "prod", "--offline", "--markdown", "/none/x.md"])
    assert "/none/x.md cannot be written: No such file" in str(nowhere.exception)


def test_wrong_prices_are_refused() -> None:
    result = CliRunner().invoke(app, ["plan", "prod", "--prices", "guess"])
    assert str(result.exception) == "--prices guess refused: choose auto, aws, table."
