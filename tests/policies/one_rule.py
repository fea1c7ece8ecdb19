"""What one rule alone says about a few resources, for specs of its conditions."""

from __future__ import annotations

from typing import Any

from policies.catalogue import RULES
from policies.evaluation import Kind, evaluate
from policies.inventory import Resource, Stack
from policies.rules import Context, Violation

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_RULES = {rule.id: rule for rule in RULES}

REFUSED = [Kind.VIOLATION]
NOTED = [Kind.NOT_VERIFIED]


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


def told(rule: str, *resources: Resource, **of_context: Any) -> list[str]:
    """What is found (in prod), as messages have it without the rule's id and remedy."""
    context = Context(**of_context)
    return [one.finding for one in evaluate(Stack(resources), context, rules=[_RULES[rule]])]


def kinds(rule: str, *resources: Resource, **of_context: Any) -> list[Kind]:
    """Whether each finding is a violation or a note."""
    context = Context(**of_context)
    return [one.kind for one in evaluate(Stack(resources), context, rules=[_RULES[rule]])]


def broken(rule: str, control: str, *resources: Resource) -> list[str]:
    """The resources that break a source's demand."""
    found = _RULES[rule]
    if control in found.exact:
        outcomes = [
            one
            for resource in resources
            if resource.type in found.types
            for one in found.exact[control](resource, Context())
        ]
    else:
        outcomes = list(found.exact_joins[control](Stack(resources), Context()))
    return list(dict.fromkeys(one.resource.name for one in outcomes if isinstance(one, Violation)))


def is_broken(rule: str, control: str, *resources: Resource) -> bool:
    """Whether any of them breaks it."""
    return bool(broken(rule, control, *resources))
