"""Random IAM documents, and what they allow by the user guide's words alone."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import strategies as st

from policies.dangerous_actions import DELETION, ESCALATION, EXFILTRATION, EXPOSURE, PERMISSIONS

DANGEROUS = sorted({*DELETION, *ESCALATION, *EXPOSURE, *EXFILTRATION, *PERMISSIONS})


def _spoilt_case(draw: st.DrawFn, text: str) -> str:
    return "".join(draw(st.sampled_from([char.lower(), char.upper(), char])) for char in text)


@st.composite
def action_patterns(draw: st.DrawFn) -> str:
    action = draw(st.sampled_from([*DANGEROUS, "s3:ListBucket", "ec2:DescribeInstances"]))
    shape = draw(st.sampled_from(["whole", "case", "prefix", "middle", "mark", "service", "all"]))
    if shape == "case":
        return _spoilt_case(draw, action)
    service, _, verb = action.partition(":")
    cut = draw(st.integers(0, len(verb)))
    if shape == "prefix":
        return f"{service}:{verb[:cut]}*"
    if shape == "middle":
        return f"{service}:*{verb[cut:]}"
    if shape == "mark":
        return f"{service}:{verb[:cut]}{'?' * (len(verb) - cut)}"
    return {"service": f"{service}:*", "all": "*"}.get(shape, action)


ARNS = st.sampled_from(
    [
        *("*", "arn:aws:s3:::*", "arn:aws:s3:::backups/*", "arn:aws:s3:::backups", "arn:aws:*"),
        *("arn:aws:rds:*:*:db:*", "arn:aws:rds:eu-west-1:1:db:a", "arn:*:*:*:*:*", "arn:aws:s3:*"),
        *("arn:aws:kms:*:*:key/*", "arn:aws:kms:eu-west-1:1:key/a", "arn:aws:iam::*:role/*"),
        *("arn:aws:iam::1:role/a*", "arn:aws:secretsmanager:*:*:*", "arn:aws:lambda:*:*:?*", "?*"),
        *("arn:aws:lambda:*:*:function:*", "arn:aws:secretsmanager:*:*:secret:a-*", "**"),
    ]
)


def one_or_list(items: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.one_of(items, st.lists(items, min_size=1, max_size=3))


CONDITIONS = st.sampled_from(
    [None, None, None, {}, {"StringEquals": {"aws:PrincipalTag/team": "data"}}]
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    statements: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 3))):
        statement = {
            "Effect": draw(st.sampled_from(["Allow", "Allow", "Allow", "Deny"])),
            draw(st.sampled_from(["Action"] * 5 + ["NotAction"])): draw(
                one_or_list(action_patterns())
            ),
            draw(st.sampled_from(["Resource"] * 5 + ["NotResource"])): draw(one_or_list(ARNS)),
        }
        condition = draw(CONDITIONS)
        if condition is not None:
            statement["Condition"] = condition
        statements.append(statement)
    return {"Version": "2012-10-17", "Statement": statements}


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def covers(pattern: str, text: str, *, any_case: bool = False) -> bool:
    """IAM's wildcards, written down from the user guide once more."""
    regex = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(regex, text, re.IGNORECASE if any_case else 0) is not None


def applies(statement: dict[str, Any], action: str, resource: str) -> bool:
    """Whether a statement is about a request, its condition left out of account."""
    if "NotAction" in statement:
        acts = not any(covers(one, action, any_case=True) for one in listed(statement["NotAction"]))
    else:
        acts = any(covers(one, action, any_case=True) for one in listed(statement["Action"]))
    if "NotResource" in statement:
        return acts and not any(covers(one, resource) for one in listed(statement["NotResource"]))
    return acts and any(covers(one, resource) for one in listed(statement["Resource"]))


def allowed(document: dict[str, Any], action: str, resource: str) -> bool:
    """Whether a request is allowed for certain: an Allow without condition, and no Deny at all."""
    statements = document["Statement"]
    denied = any(one["Effect"] == "Deny" and applies(one, action, resource) for one in statements)
    return not denied and any(
        one["Effect"] == "Allow" and not one.get("Condition") and applies(one, action, resource)
        for one in statements
    )


def spelled_out(pattern: str, fragments: set[str]) -> set[str]:
    """Texts that a pattern matches: its wildcards replaced by pieces of other patterns."""
    return {
        pattern.replace("*", many).replace("?", one)
        for many in fragments
        for one in ("x", *(piece for piece in fragments if len(piece) == 1))
    }


def taken_away(document: dict[str, Any], action: str, statement: dict[str, Any]) -> bool:
    """Whether every request that an Allow's action stands for is denied without a condition."""
    denials = [
        one for one in document["Statement"] if one["Effect"] == "Deny" and not one.get("Condition")
    ]
    texts = [
        text
        for one in denials
        for key in ("Action", "NotAction", "Resource", "NotResource")
        for text in listed(one.get(key, []))
    ]
    targets = ["*"] if "NotResource" in statement else listed(statement["Resource"])
    return all(
        any(
            all(
                applies(one, act, resource)
                for act in examples(action, texts)
                for resource in examples(target, texts)
            )
            for one in denials
        )
        for target in targets
    )


def examples(pattern: str, others: list[str]) -> set[str]:
    """Texts that a pattern matches, and among them some that the other patterns match too."""
    pieces = {"", "9q", *(piece for text in others for piece in re.split("[*?]", text))}
    filled = {text for other in others for text in spelled_out(other, {*re.split("[*?]", pattern)})}
    return spelled_out(pattern, pieces) | {text for text in filled if covers(pattern, text)}
