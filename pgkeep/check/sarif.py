"""SARIF 2.1.0 for GitHub code scanning.

Sources: OASIS, "Static Analysis Results Interchange Format Version 2.1.0"; GitHub, "SARIF support
for code scanning" (properties that are shown, and at most 25,000 results a run).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pgkeep.check.judging import FRAME_RULES, Finding, Judged
from pgkeep.check.report import printable
from pgkeep.check.setting_lines import line_for, lines
from policies.catalogue import RULES
from policies.evaluation import Kind
from policies.rules import Rule

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_MOST_RESULTS: Final = 25_000
# GitHub's own bounds: critical above 9.0, high from 7.0, medium from 4.0.
_SECURITY_SEVERITY: Final = {"critical": "9.5", "high": "8.0", "medium": "5.0"}
# What a statement of SQL has for a URN.
_STATEMENT: Final = re.compile(r"(?!urn:)(?P<file>.+):(?P<line>\d+)")
_LEVEL: Final = {"critical": "error", "high": "error", "medium": "warning"}


def document(judged: Sequence[Judged]) -> str:
    """The whole document: one run with a result for each violation of every stack."""
    rules = (*RULES, *FRAME_RULES)
    index = {rule.id: number for number, rule in enumerate(rules)}
    results = [
        _result(one, finding, index[finding.rule_id], known)
        for one in judged
        for known in [lines(one.stack_file.path) if one.stack_file else {"": 1}]
        for finding in one.of_kind(Kind.VIOLATION)
    ]
    run = {
        "tool": {
            "driver": {
                "name": "pgkeep",
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": results[:_MOST_RESULTS],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(rule: Rule) -> dict[str, Any]:
    text = f"{rule.what} {rule.why} What to do: {rule.remediation}"
    markdown = (
        f"{rule.what} {rule.why}\n\n**What to do:** {rule.remediation}\n\n"
        f"Controls: {', '.join((*rule.catalogue, *rule.controls)) or 'none'}"
    )
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.id.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": f"{rule.what} {rule.why}"},
        "help": {"text": text, "markdown": markdown},
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
        "properties": {
            "tags": ["security", *rule.catalogue, *rule.controls][:20],
            "precision": "high",
            "security-severity": _SECURITY_SEVERITY[rule.severity],
        },
    }


def _result(one: Judged, finding: Finding, number: int, known: dict[str, int]) -> dict[str, Any]:
    file = one.stack_file.label if one.stack_file else one.source
    line = line_for(finding.rule.remediation, known)
    subject = finding.urn
    if statement := _STATEMENT.fullmatch(finding.urn):
        file, line = statement["file"], int(statement["line"])
        # Lines move; what was found does not.
        subject = f"{file}\0{finding.message.replace(finding.urn, file)}"
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(file)},
            "region": {"startLine": line},
        }
    }
    if finding.urn and not statement:
        logical = {"fullyQualifiedName": printable(finding.urn), "kind": "resource"}
        location["logicalLocations"] = [logical]
    # The same finding in the next run: neither line nor message, which may change.
    identity = "\0".join((one.environment, finding.rule_id, subject))
    return {
        "ruleId": finding.rule_id,
        "ruleIndex": number,
        "level": _LEVEL[finding.severity] if finding.blocks else "note",
        "message": {"text": printable(f"{finding.message} What to do: {finding.rule.remediation}")},
        "locations": [location],
        "partialFingerprints": {
            "pgkeepFinding/v1": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()
        },
    }


def _uri(file: str) -> str:
    """A path as a relative URI reference, or as a file URI outside the working folder."""
    path = Path(file)
    if path.is_absolute():
        if path.is_relative_to(Path.cwd()):
            path = path.relative_to(Path.cwd())
        else:
            return path.as_uri()
    from urllib.parse import quote

    return quote(path.as_posix())
