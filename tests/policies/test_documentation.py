"""docs/controls.md is what the metadata says, and the metadata is what the catalogue says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from policies.catalogue import RULES
from policies.documentation import DOCUMENT, MISSING, controls, document

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_page_is_current() -> None:
    assert DOCUMENT.read_text() == document(), "run: python -m policies.documentation"


def test_the_module_writes_the_page(tmp_path: Path) -> None:
    file = tmp_path / "controls.md"
    command = [sys.executable, "-m", "policies.documentation", str(file)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    assert file.read_text() == document()


def test_every_control_of_the_catalogue_is_listed_once() -> None:
    ids = [control.id for control in controls()]
    assert len(ids) == len(set(ids)) == 106
    assert all(f"| {name} |" in document() for name in ids)


def test_what_is_not_covered_is_said() -> None:
    for control in controls():
        (line,) = [row for row in document().splitlines() if row.startswith(f"| {control.id} |")]
        assert ("**not yet covered**" in line) == (not control.rules)
        assert ("not yet: " in line) == (bool(control.rules) and control.id in MISSING)


def test_rules_name_controls_of_the_catalogue_and_their_outside_ids() -> None:
    outside = {control.id: set(control.outside_ids) for control in controls()}
    for rule in RULES:
        assert set(rule.catalogue) <= outside.keys(), rule.id
        allowed = set().union(*(outside[name] for name in rule.catalogue))
        assert set(rule.controls) <= allowed, (rule.id, set(rule.controls) - allowed)
