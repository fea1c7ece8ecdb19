"""What one rule alone says about a few resources, for specs of its conditions."""

from __future__ import annotations

from typing import Any

from policies.catalogue import RULES
from policies.evaluation import Kind, Verdict, evaluate
from policies.inventory import Resource, Stack
from policies.rules import Context, Violation

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_RULES = {rule.id: rule for rule in RULES}

REFUSAL, NOTE = Kind.VIOLATION, Kind.NOT_VERIFIED
REFUSED, NOTED = [REFUSAL], [NOTE]


def made(kind: str, name: str = "x", /, **properties: Any) -> Resource:
    """A resource; a property given as a tuple of resources is unknown and refers to them."""
    references = {key: value for key, value in properties.items() if isinstance(value, tuple)}
    return Resource.of(
        type=kind,
        name=name,
        properties={
            key: UNKNOWN if key in references else value for key, value in properties.items()
        },
        property_dependencies={
            key: [one.urn for one in value] for key, value in references.items()
        },
    )


def verdicts(rule: str, *resources: Resource, **of_context: Any) -> list[Verdict]:
    """What is said of a stack of these resources, in prod at a preview unless told else."""
    found = evaluate(Stack(resources), Context(**of_context), rules=[_RULES[rule]])
    # A crash refuses too, but not for the reason that a spec is about.
    assert not [one.message for one in found if "the rule itself failed" in one.message]
    return found


def told(rule: str, *resources: Resource, **of_context: Any) -> list[str]:
    """What is found (in prod), as messages have it without the rule's id and remedy."""
    return [one.finding for one in verdicts(rule, *resources, **of_context)]


def kinds(rule: str, *resources: Resource, **of_context: Any) -> list[Kind]:
    """Whether each finding is a violation or a note."""
    return [one.kind for one in verdicts(rule, *resources, **of_context)]


def found(rule: str, *resources: Resource, **of_context: Any) -> list[tuple[Kind, str]]:
    """Each finding's kind, and the name of what it is about."""
    said = verdicts(rule, *resources, **of_context)
    return [(one.kind, one.urn.rpartition("::")[2]) for one in said]


def broken(rule: str, control: str, *resources: Resource) -> list[str]:
    """The resources that break a source's demand."""
    whole = _RULES[rule]
    if control in whole.exact:
        outcomes = [
            one
            for resource in resources
            if resource.type in whole.types
            for one in whole.exact[control](resource, Context())
        ]
    else:
        outcomes = list(whole.exact_joins[control](Stack(resources), Context()))
    return list(dict.fromkeys(one.resource.name for one in outcomes if isinstance(one, Violation)))


def is_broken(rule: str, control: str, *resources: Resource) -> bool:
    """Whether any of them breaks it."""
    return bool(broken(rule, control, *resources))
