"""The Condition block of a policy statement.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import datetime
import fnmatch
import ipaddress
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# Condition keys, lower case (they are case-insensitive), to the request's values.
Context = Mapping[str, str | Sequence[str]]

Comparison = Callable[[str, str], bool]


def matches_wildcard(pattern: str, value: str) -> bool:
    """Match `*` and `?` as IAM does; every other character stands for itself."""
    return re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), value) is not None


def _numbers(compare: Callable[[float, float], bool]) -> Comparison:
    def compare_text(expected: str, actual: str) -> bool:
        try:
            return compare(float(actual), float(expected))
        except ValueError:
            return False

    return compare_text


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        return moment.timestamp()


def _dates(compare: Callable[[float, float], bool]) -> Comparison:
    def compare_text(expected: str, actual: str) -> bool:
        try:
            return compare(_moment(actual), _moment(expected))
        except ValueError:
            return False

    return compare_text


def _address(expected: str, actual: str) -> bool:
    try:
        return ipaddress.ip_address(actual) in ipaddress.ip_network(expected, strict=False)
    except ValueError:
        return False


def _equal_ignoring_case(expected: str, actual: str) -> bool:
    return expected.lower() == actual.lower()


# The positive operators; a negated one is the opposite of its pair.
_OPERATORS: dict[str, Comparison] = {
    "stringequals": operator.eq,
    "stringequalsignorecase": _equal_ignoring_case,
    "stringlike": matches_wildcard,
    "arnequals": matches_wildcard,
    "arnlike": matches_wildcard,
    "bool": _equal_ignoring_case,
    "binaryequals": operator.eq,
    "ipaddress": _address,
    "numericequals": _numbers(operator.eq),
    "numericlessthan": _numbers(operator.lt),
    "numericlessthanequals": _numbers(operator.le),
    "numericgreaterthan": _numbers(operator.gt),
    "numericgreaterthanequals": _numbers(operator.ge),
    "dateequals": _dates(operator.eq),
    "datelessthan": _dates(operator.lt),
    "datelessthanequals": _dates(operator.le),
    "dategreaterthan": _dates(operator.gt),
    "dategreaterthanequals": _dates(operator.ge),
}
_NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "notipaddress": "ipaddress",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
}


def as_list(value: Any) -> list[str]:
    """Policy elements are one value or a list of them; booleans and numbers may stand bare."""
    values: list[Any] = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]


def holds(condition: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    """Whether every operator and key of the Condition block is fulfilled."""
    return all(
        _key_holds(name, key, as_list(expected), context)
        for name, keys in condition.items()
        for key, expected in keys.items()
    )


def _key_holds(name: str, key: str, expected: list[str], context: Context) -> bool:
    quantifier, _, plain = name.lower().rpartition(":")
    if_exists = plain.endswith("ifexists")
    plain = plain.removesuffix("ifexists")
    found = context.get(key.lower())
    if plain == "null":
        return (found is None) == (expected[0].lower() == "true")
    negated = plain in _NEGATED
    compare = _OPERATORS.get(_NEGATED.get(plain, plain))
    if compare is None:
        # AWS refuses such a policy when it is written; never let it grant or excuse anything.
        raise ValueError(f"unknown condition operator {name!r}")
    if found is None:
        return if_exists or negated or quantifier == "forallvalues"
    actual = [found] if isinstance(found, str) else list(found)

    def fulfilled(value: str) -> bool:
        return any(compare(_substitute(item, context), value) for item in expected) != negated

    if quantifier == "forallvalues":
        return all(fulfilled(value) for value in actual)
    return any(fulfilled(value) for value in actual)


def _substitute(text: str, context: Context) -> str:
    """Replace policy variables such as ${aws:PrincipalArn}."""

    def value(match: re.Match[str]) -> str:
        found = context.get(match.group(1).lower())
        return found if isinstance(found, str) else match.group(0)

    return re.sub(r"\$\{([^}]+)\}", value, text) if "${" in text else text
