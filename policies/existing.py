"""Judges what exists: resources of an exported state, with what AWS made of them.

A state has two descriptions of a resource: what the program asked for (inputs) and what AWS made of
it (outputs, as of the last refresh). Rules were written for inputs, where a missing value is a
decision that nobody took; outputs show what a default or a change by hand has really made. Both
must hold: the inputs are judged as at a preview, then the outputs laid over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from .evaluation import Judge, Kind, Verdict
from .holders import restrained
from .inventory import Resource, Stack
from .values import contains_unknown


def evaluate_existing(resources: Sequence[Resource], judge: Judge) -> list[Verdict]:
    """All verdicts on the resources of a state; what both descriptions violate is told once."""
    asked = restrained(resources)
    stack = Stack(asked)
    verdicts = [one for resource in asked for one in judge.resource(resource, stack)]
    verdicts += judge.joins(stack)
    made = restrained([as_made(resource) for resource in asked])
    changed = [found for resource, found in zip(asked, made, strict=True) if found != resource]
    if changed:
        told: dict[tuple[str, str], set[str]] = {}
        for one in verdicts:
            if one.kind is Kind.VIOLATION:
                told.setdefault((one.rule.id, one.urn), set()).update(one.controls)
        excused = {one.message for one in verdicts if one.kind is Kind.EXEMPTED}
        whole = Stack(made)
        again = [one for resource in changed for one in judge.resource(resource, whole)]
        again += judge.joins(whole)
        verdicts += [
            one
            for one in again
            if one.kind is not Kind.NOT_VERIFIED
            and not _is_told(one, told)
            and one.message not in excused
        ]
    return verdicts + judge.exemption_problems(stack)


def _is_told(verdict: Verdict, told: Mapping[tuple[str, str], set[str]]) -> bool:
    """Whether the inputs have broken the same rule, and all of the controls that this breaks."""
    controls = told.get((verdict.rule.id, verdict.urn))
    return controls is not None and controls.issuperset(verdict.controls)


def as_made(resource: Resource) -> Resource:
    """The resource with its outputs in place of its inputs; itself if they tell nothing else."""
    properties: dict[str, object] = dict(resource.properties)
    for key, value in resource.outputs.items():
        filled = _without_blanks(value)
        if filled is None:
            # What was asked for and is blank is gone: the key of a topic, taken away by hand.
            properties.pop(key, None)
        elif filled != properties.get(key) and not contains_unknown(filled):
            properties[key] = filled
    if properties.keys() - resource.properties.keys() <= {"id", "arn"} and all(
        properties.get(key) == value for key, value in resource.properties.items()
    ):
        return resource
    return replace(resource, properties=properties)


def _without_blanks(value: object) -> object:
    """`value` without empty texts, which outputs have for what is not set."""
    if value == "":
        return None
    if isinstance(value, dict):
        mapping = cast("Mapping[str, object]", value)
        filled = {key: _without_blanks(item) for key, item in mapping.items()}
        return {key: item for key, item in filled.items() if item is not None}
    if isinstance(value, list):
        return [_without_blanks(item) for item in cast("list[object]", value)]
    return value
