"""JUnit XML: a suite for each stack, a case for each rule; what CI systems show as test results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from pgkeep.check.judging import FRAME_RULES, Finding, Judged
from policies.catalogue import RULES
from policies.evaluation import Kind

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML: Final = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def document(judged: Sequence[Judged]) -> str:
    """The whole document: a mandatory violation fails its case, an advisory one is its output."""
    root = ElementTree.Element("testsuites", name="pgkeep check")
    failures = 0
    for one in judged:
        suite = ElementTree.SubElement(root, "testsuite", name=_clean(one.source))
        failed = 0
        for rule in (*RULES, *FRAME_RULES):
            found = [finding for finding in one.findings if finding.rule_id == rule.id]
            failed += _case(suite, one.source, rule.id, found)
        failures += failed
        cases = len(RULES) + len(FRAME_RULES)
        suite.attrib |= {"tests": str(cases), "failures": str(failed), "errors": "0"}
        lines = [f"{item.urn}: {item.reason}" for item in one.not_covered]
        if lines:
            out = ElementTree.SubElement(suite, "system-out")
            out.text = _clean("Not covered:\n" + "\n".join(lines))
    root.attrib |= {
        "tests": str(len(judged) * (len(RULES) + len(FRAME_RULES))),
        "failures": str(failures),
    }
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, source: str, rule_id: str, found: list[Finding]) -> int:
    case = ElementTree.SubElement(suite, "testcase", name=rule_id, classname=_clean(source))
    blocking = [finding for finding in found if finding.blocks]
    if blocking:
        failure = ElementTree.SubElement(
            case, "failure", type=blocking[0].severity, message=_clean(blocking[0].message)
        )
        lines = [f"{one.urn}: {one.message}" for one in blocking]
        failure.text = _clean("\n".join([*lines, f"What to do: {blocking[0].rule.remediation}"]))
    others = [finding for finding in found if not finding.blocks]
    if others:
        out = ElementTree.SubElement(case, "system-out")
        out.text = _clean("\n".join(f"{_word(one)}: {one.message}" for one in others))
    return bool(blocking)


def _word(finding: Finding) -> str:
    return "advisory" if finding.kind is Kind.VIOLATION else finding.kind.value


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
