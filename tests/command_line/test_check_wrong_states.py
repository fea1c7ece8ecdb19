"""`pgkeep check --state`: what is no state at all, and what is strange in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command_line.checking import judged_state, refused, rules, stacks
from tests.command_line.states import entry, state, written
from tests.policies.good_stack import ALL, INSTANCE

GOOD = ALL["db"][1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("   \n", "ends in the middle"),
        ("{", "ends in the middle"),
        ('{"version": 3, "deployment": {"resources": [{"urn": "a', "ends in the middle"),
        ('{"version": 3, "deployment": {"resources": [{"urn": 1', "ends in the middle"),
        ("nonsense", "is no state"),
        ("[]", "is no state"),
        ("null", "is no state"),
        ("{}", "no deployment"),
        ('{"a": 1}', "no deployment"),
        ('{"version": 3, "deployment": null}', "deployment is not an object"),
        ('{"version": 3, "deployment": {"resources": {}}}', "resources is not a list"),
        ('{"version": 3, "deployment": {"resources": "x"}}', "resources is not a list"),
        ('{"version": 3, "deployment": {"resources": [1]}}', "resource 1 that is not an object"),
        ('{"version": 3, "deployment": {"resources": [{}]}}', "resource 1 without urn"),
        ('{"version": 3, "deployment": {"resources": [{"urn": "u::a::b::c"}]}}', "without type"),
        (
            '{"version": 3, "deployment": {"resources": [{"urn": "u", "type": "t"}]}}',
            "whose URN is none",
        ),
        ('{"version": 1, "deployment": {}}', "version '1'"),
        ('{"version": "x", "deployment": {}}', "version 'x'"),
        ('{"version": 3, "checkpoint": {}}', "is a checkpoint"),
        ('{"version": 3, "deployment": {}} {}', "something follows"),
        ('{"version": 3, "deployment": {},}', "is not valid JSON"),
        ("{'version': 3}", "is not valid JSON"),
        ('{"version": 3, "version": 3}', "stands twice"),
        ('{"version": 3, "deployment": {"a": {"b": 1, "b": 2}}}', "stands twice"),
        ('{"version": 3, "deployment": {"a": NaN}}', "NaN is no JSON number"),
        ('{"version": 3, "deployment": {"a": -Infinity}}', "-Infinity is no JSON number"),
        ('{"version": 3, "deployment": ' + "[" * 100_000, "deployment is not an object"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"a": ' + '{"a":' * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 10_000 + "}", "is not valid JSON"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_no_state_ends_with_one_line(content: str, words: str, tmp_path: Path) -> None:
    file = written(tmp_path, "state.json", content)
    line = refused(states=[file])
    assert words in line
    assert file in line


@pytest.mark.parametrize("key", ["inputs", "outputs", "propertyDependencies"])
@pytest.mark.parametrize("value", [5, "x", [], True], ids=repr)
def test_parts_of_a_wrong_type_end_with_one_line(key: str, value: Any, tmp_path: Path) -> None:
    file = written(tmp_path, "state.json", state([entry(INSTANCE, "db", GOOD) | {key: value}]))
    assert f"{key} is not an object" in refused(states=[file])


def test_an_empty_stack_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for deployment in ({}, {"resources": None}, {"resources": []}):
        file = written(tmp_path, "state.json", {"version": 3, "deployment": deployment})
        (one,) = stacks(capsys, states=[file])
        assert one["violations"] == []


def test_files_that_cannot_be_read_end_with_one_line(tmp_path: Path) -> None:
    assert "No such file" in refused(states=[str(tmp_path / "none.json")])
    assert "is a folder" in refused(states=[str(tmp_path)])
    assert "is no file name" in refused(states=["a\0b"])
    sixteen = tmp_path / "sixteen.json"
    sixteen.write_text(json.dumps(state([])), encoding="utf-16")
    assert "is not UTF-8" in refused(states=[str(sixteen)])
    latin = tmp_path / "latin.json"
    latin.write_bytes(b'{"version": 3, "deployment": {"a": "\xe4"}}')
    assert "is not UTF-8" in refused(states=[str(latin)])


def test_a_byte_order_mark_is_no_part_of_a_state(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "state.json"
    file.write_text(json.dumps(state([])), encoding="utf-8-sig")
    assert len(stacks(capsys, states=[str(file)])) == 1


def test_chunks_of_a_large_state_are_put_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgkeep.check import json_stream

    text = json.dumps(
        state([entry(INSTANCE, "dbä", {**GOOD, "publiclyAccessible": True})]), indent=1
    )
    for size in (1, 2, 3, 7, 50):
        monkeypatch.setattr(json_stream, "_CHUNK_CHARACTERS", size)
        (one,) = stacks(capsys, states=[written(tmp_path, "state.json", text)])
        assert "rds-not-public" in rules(one)


@pytest.mark.parametrize(
    "policy",
    ["[" * 50_000, '{"Statement": ' + "[" * 50_000, "x" * 10_000_000, "\ud800\x00"],
    ids=["nested", "nested statement", "ten megabytes", "surrogate"],
)
def test_strange_documents_in_a_state_are_refused(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = entry("aws:s3/bucketPolicy:BucketPolicy", "p", {"bucket": "b", "policy": policy})
    assert "s3-tls-only" in rules(judged_state(tmp_path, capsys, one))


def test_deeply_nested_properties_are_unusable_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nested: Any = True
    for _ in range(300):
        nested = [nested]
    one = judged_state(
        tmp_path, capsys, entry(INSTANCE, "db", {**GOOD, "storageEncrypted": nested})
    )
    assert "rds-storage-encrypted" in rules(one)
