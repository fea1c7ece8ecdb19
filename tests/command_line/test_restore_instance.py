"""`pgkeep restore` to new instances: what is refused, with what to do instead."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.errors import OperationError
from operations.restore import Selection, databases, html_page, instances, page
from operations.restore.instances import Target, Window
from operations.restore.objectives import Objectives
from pgkeep import restore_command, restore_output, restore_tables_command
from pgkeep.deployed import DeployedStack
from pgkeep.failures import CommandError
from pgkeep.restore_instance_command import moment, request

HOUR = [datetime(2026, 11, 21, hour, tzinfo=UTC) for hour in range(24)]


def asked(**change: Any) -> Any:
    options: dict[str, Any] = {
        "stack": "local",
        "source": "latest",
        "at": "latest",
        "target": "instance:scratch",
        "through": None,
        "drop_afterwards": False,
        "as_json": False,
        "report_file": None,
    }
    return request(**{**options, **change})


def test_a_moment_or_a_snapshot_and_never_both() -> None:
    assert (asked().at, asked().snapshot, asked().identifier) == ("latest", None, "scratch")
    of_snapshot = asked(at=None, source="snapshot:rds:nightly")
    assert (of_snapshot.at, of_snapshot.snapshot) == (None, "rds:nightly")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"target": "restored"}, "comes back as a whole instance. Give --to instance:NAME; or na"),
        (
            {"selected": True},
            "--table and --schema refused with --to instance:scratch: an instance",
        ),
        ({"no_owner": True}, "--no-owner refused with --to instance:scratch: an instance comes"),
        ({"target": "instance:"}, "up to 63 lower-case letters"),
        ({"target": "instance:Scratch"}, "up to 63 lower-case letters"),
        ({"target": "instance:a--b"}, "up to 63 lower-case letters"),
        ({"target": f"instance:{'a' * 64}"}, "up to 63 lower-case letters"),
        ({"at": None}, "needs either --at TIME or --from snapshot:ID"),
        ({"source": "snapshot:x"}, "needs either --at TIME or --from snapshot:ID"),
        ({"source": "20261121T0200"}, "a dump shows one moment only"),
        ({"through": "127.0.0.1:15432"}, "a tunnel leads to one host"),
    ],
)
def test_options_that_do_not_fit_are_refused(change: dict[str, Any], match: str) -> None:
    with pytest.raises(CommandError, match=match):
        asked(**change)


def tables(**change: Any) -> Any:
    options: dict[str, Any] = {
        "stack": "local",
        "source": "latest",
        "at": "latest",
        "target": "rescued",
        "selection": Selection(tables=("buyers",)),
        "no_owner": False,
        "workers": 2,
        "through": None,
        "drop_afterwards": False,
        "as_json": False,
        "report_file": None,
    }
    return restore_tables_command.request(**{**options, **change})


def test_tables_of_a_moment_or_of_a_snapshot() -> None:
    assert (tables().at, tables().snapshot) == ("latest", None)
    of_snapshot = tables(at=None, source="snapshot:nightly")
    assert (of_snapshot.at, of_snapshot.snapshot) == (None, "nightly")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"source": "snapshot:x"}, "needs either --at TIME or --from snapshot:ID"),
        ({"source": "20261121T0200"}, "a dump shows one moment only"),
        ({"through": "127.0.0.1:15432"}, "a tunnel leads to one host"),
    ],
)
def test_tables_of_what_does_not_fit_are_refused(change: dict[str, Any], match: str) -> None:
    with pytest.raises(CommandError, match=match):
        tables(**change)


def test_a_name_may_have_63_characters() -> None:
    assert asked(target=f"instance:{'a' * 63}").identifier == "a" * 63


@pytest.mark.parametrize("text", ["yesterday", "2026-11-21T14:30:00", "2026-11-21", ""])
def test_a_time_without_its_zone_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="give a time with its zone as ISO 8601"):
        moment(text)


def test_a_part_of_a_second_is_refused() -> None:
    with pytest.raises(CommandError, match="RDS restores to a whole second"):
        moment("2026-11-21T14:30:00.5Z")


def test_names_beside_a_database_fit_and_are_known_again() -> None:
    for database in ("shop", "s" * 63):
        for what in (databases.BEFORE, databases.PROVEN):
            name = databases.name_beside(database, what)
            assert len(name) <= 63
            assert databases.can_replace(database, name)
            assert not databases.can_replace("other", name)
        restored = databases.name_beside(database, databases.RESTORED)
        assert not databases.can_replace(database, restored)


def found(monkeypatch: pytest.MonkeyPatch, stack: DeployedStack) -> None:
    def find(name: str, through: str | None) -> DeployedStack:
        assert (name, through) == (stack.name, None)
        return stack

    monkeypatch.setattr(DeployedStack, "find", find)


@pytest.mark.parametrize(
    "name",
    [
        *("postgres", "node_pass", "node_pass_readonly", "node_pass_before_now"),
        # Not proven, or of another database.
        *("node_pass_restore_20261121t040000", "other_before_20261121t040000"),
    ],
)
def test_only_what_a_restore_put_aside_comes_back(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = DeployedStack("prod", {"database_name": "node_pass"})
    found(monkeypatch, stack)
    with pytest.raises(CommandError, match=f"--back-to {name} refused: a restore over node_pass"):
        restore_command.go_back("prod", name, "RESTORE_PRODUCTION", None, terminate=False)


@pytest.mark.parametrize(
    ("name", "environment", "word"),
    [
        ("prod", "prod", "RESTORE_PRODUCTION"),
        ("payments", "prod", "RESTORE_PRODUCTION"),
        ("staging", "staging", "node_pass"),
    ],
)
def test_production_asks_for_the_long_word_whatever_its_stack_is_called(
    name: str, environment: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = DeployedStack(name, {"database_name": "node_pass", "environment": environment})
    found(monkeypatch, stack)
    aside = "node_pass_before_20261121t040000"
    with pytest.raises(CommandError, match=f"type {word} when asked"):
        restore_command.go_back(name, aside, "yes", None, terminate=False)


def test_a_time_is_taken_in_its_zone() -> None:
    assert moment("latest") is None
    assert moment("2026-11-21T14:30:00+02:00") == datetime(2026, 11, 21, 12, 30, tzinfo=UTC)


def test_the_ends_of_the_window_are_inside_and_the_refusal_shows_it() -> None:
    window = Window(HOUR[3], HOUR[9])
    assert [instances.moment_in(window, end) for end in (HOUR[3], HOUR[9])] == [HOUR[3], HOUR[9]]
    shown = "2026-11-21T03:00:00Z to 2026-11-21T09:00:00Z"
    with pytest.raises(OperationError, match=f"02:00:00Z is before the restore window.*{shown}"):
        instances.moment_in(window, HOUR[2])
    with pytest.raises(OperationError, match=f"10:00:00Z is after the restore window.*{shown}"):
        instances.moment_in(window, HOUR[10])


class Rds:
    """One instance, and snapshots."""

    def __init__(self, instance: dict[str, Any] | None, *snapshots: dict[str, Any]) -> None:
        self.instance = instance
        self.snapshots = list(snapshots)
        self.called: list[str] = []

    def describe_db_instances(self, **_: str) -> dict[str, Any]:
        if self.instance is None:
            raise ClientError({"Error": {"Code": "DBInstanceNotFound"}}, "DescribeDBInstances")
        return {"DBInstances": [self.instance]}

    def describe_db_snapshots(self, **_: str) -> dict[str, Any]:
        return {"DBSnapshots": self.snapshots}

    def delete_db_instance(self, **_: Any) -> None:
        self.called.append("delete")


SOURCE = {"DBInstanceIdentifier": "pgkeep-prod"}
SNAPSHOT = {"DBInstanceIdentifier": "pgkeep-prod", "Status": "available"}


@pytest.mark.parametrize(
    ("rds", "match"),
    [
        (Rds(None), "there is no snapshot nightly"),
        (Rds(None, {**SNAPSHOT, "DBInstanceIdentifier": "other"}), "is of other, not of pgkeep-pr"),
        (Rds(None, {**SNAPSHOT, "Status": "creating"}), "is creating; wait until it is available"),
        (Rds({}, SNAPSHOT), "instance scratch exists; a restore never replaces one"),
    ],
)
def test_a_snapshot_that_cannot_be_used_is_refused(rds: Rds, match: str) -> None:
    with pytest.raises(OperationError, match=match):
        instances.restore_snapshot(rds, SOURCE, Target("scratch", "restore"), "nightly")


def test_a_copy_elsewhere_is_listed_and_has_to_be_brought_back_first() -> None:
    with pytest.raises(OperationError, match=r"copied to another region or account is brought ba"):
        instances.restore_snapshot(
            Rds(None), SOURCE, Target("scratch", "restore"), "awsbackup:copyjob-1"
        )


def test_only_what_was_made_here_is_deleted() -> None:
    present = {"DBInstanceIdentifier": "pgkeep-prod", "DBInstanceStatus": "available"}
    rds = Rds({**present, "TagList": [{"Key": "pgkeep:owner", "Value": "platform"}]})
    with pytest.raises(OperationError, match="it has no tag pgkeep:scratch"):
        instances.delete(rds, "pgkeep-prod")
    assert rds.called == []
    rds.instance = {**present, "TagList": [{"Key": "pgkeep:scratch", "Value": "restore"}]}
    assert instances.delete(rds, "scratch")
    assert rds.called == ["delete"]
    assert instances.delete(Rds(None), "scratch")


REPORT: dict[str, Any] = {
    "kind": "dump",
    "backup_id": "b-1",
    "database": "node_pass",
    "target": "proof",
    "restored_to": "2026-11-21T02:00:00+00:00",
    "started_at": "2026-11-21T06:00:00+00:00",
    "finished_at": "2026-11-21T06:20:00+00:00",
    "proven": False,
    "rto_seconds": 1200.0,
    "rpo_seconds": 14400.0,
    "steps": {"rows": 1100.5, "proof": 99.5},
    "checks": [
        {"name": "rows", "examined": 2, "passed": False, "findings": ["a|b is missing"]},
        {"name": "indexes valid", "examined": 7, "passed": True, "findings": []},
    ],
    "left_out": ["amcheck is not to be had here"],
    "row_counts": {},
    "objectives": Objectives(900, 86_400).compare(1200.0, 14_400.0),
}


def test_the_page_says_what_was_found_and_what_was_asked() -> None:
    text = page.markdown(REPORT)
    for line in (
        "# Restore of node_pass: NOT proven",
        "| RTO (time to get the data back) | 900 | 1200 | **no** |",
        "| RPO (data lost by going this way) | 86400 | 14400 | yes |",
        "| rows | 1100.5 |",
        "| rows | 2 | **1 findings** |",
        "| indexes valid | 7 | holds |",
        "- a\\|b is missing",
        "- amcheck is not to be had here",
    ):
        assert line in text.splitlines()


class Page(HTMLParser):
    """Its elements, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data + " "


def test_the_page_for_a_browser_says_the_same_and_needs_nothing_else() -> None:
    found = Page(html_page.html(REPORT))
    assert found.open == []
    words = " ".join(found.words.split())
    for text in (
        "Restore of node_pass NOT proven",
        "Going this way loses 14400 s of changes",
        "RTO (time to get the data back) 900 1200 no",
        "RPO (data lost by going this way) 86400 14400 yes",
        "rows 1100.5",
        "rows 2 1 findings",
        "indexes valid 7 holds",
        "Findings a|b is missing",
        "Not checked amcheck is not to be had here",
    ):
        assert text in words
    assert not {"script", "link", "img", "iframe", "base"} & set(found.tags)
    assert not {"src", "href", "srcset", "style"} & {name for name, _ in found.attributes}
    assert ("content", html_page.POLICY) in found.attributes
    proven = Page(html_page.html({**REPORT, "proven": True, "left_out": [], "checks": []}))
    assert "Restore of node_pass proven" in " ".join(proven.words.split())


NASTY = "<script>alert('x')</script>\"'&amp;<img src=x onerror=y>"


def test_names_in_a_report_are_words_and_nothing_else() -> None:
    nasty: dict[str, Any] = {
        **REPORT,
        **dict.fromkeys(("backup_id", "database", "target", "restored_to"), NASTY),
        "steps": {NASTY: 1.0},
        "checks": [{"name": NASTY, "examined": 1, "passed": False, "findings": [NASTY]}],
        "left_out": [NASTY],
        "row_counts": {NASTY: 1},
    }
    found = Page(html_page.html(nasty))
    assert not {"script", "img"} & set(found.tags)
    assert found.words.count(NASTY) == 10
    assert found.open == []


@pytest.mark.parametrize("name", ["missing/restore.html", "."])
def test_a_report_that_cannot_be_written_is_refused_before_the_restore(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(CommandError, match="must name a file in a folder that is there"):
        restore_output.refuse_unusable(tmp_path / name)
    restore_output.refuse_unusable(tmp_path / "restore.html")
