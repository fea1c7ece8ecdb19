"""Random IAM documents: what a reference evaluator allows, the rules refuse, and nothing else."""

from __future__ import annotations

import json
import re
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from policies.action_levels import Level, level
from policies.catalogue import RULES
from policies.effective import includes, overlap
from policies.evaluation import Judge, Kind, evaluate
from policies.existing import evaluate_existing
from policies.inventory import Resource, Stack
from policies.permissions import ROLE
from policies.privileges import _DELETION, _ESCALATION, _EXFILTRATION, _EXPOSURE, _PERMISSIONS
from policies.rules import Context, Phase

LISTS = {
    "iam-no-escalation": _ESCALATION,
    "iam-no-credential-exposure": _EXPOSURE,
    "iam-no-exfiltration": _EXFILTRATION,
    "iam-no-permission-changes": _PERMISSIONS,
}
DANGEROUS = sorted({*_DELETION, *_ESCALATION, *_EXPOSURE, *_EXFILTRATION, *_PERMISSIONS})
# A name that no generated pattern spells: only a wildcard covers it.
STRANGER = {
    "s3": "arn:aws:s3:::9q9q/9q",
    "rds": "arn:aws:rds:eu-west-9:999999999999:db:9q9q",
    "kms": "arn:aws:kms:eu-west-9:999999999999:key/9q9q",
    "iam": "arn:aws:iam::999999999999:role/9q9q",
    "secretsmanager": "arn:aws:secretsmanager:eu-west-9:999999999999:secret:9q9q",
    "lambda": "arn:aws:lambda:eu-west-9:999999999999:function:9q9q",
}


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


def refused(document: dict[str, Any]) -> set[str]:
    policy = Resource.of(
        type="aws:iam/policy:Policy", name="p", properties={"policy": json.dumps(document)}
    )
    verdicts = evaluate(Stack([policy]), Context())
    return {v.rule.id for v in verdicts if v.kind is Kind.VIOLATION and v.blocks}


BOUNDED = profile(max_examples=400, derandomize=True, database=None, deadline=None)


@BOUNDED
@given(documents())
def test_what_reaches_strangers_is_refused(document: dict[str, Any]) -> None:
    """Soundness: who may act on a resource that no statement names holds a refused policy."""
    found = refused(document)
    for action in DANGEROUS:
        service = action.partition(":")[0]
        if service in STRANGER and allowed(document, action, STRANGER[service]):
            assert found, (action, document)
            assert found & {"iam-no-wildcard-resources", "iam-no-wildcard-actions"}


@BOUNDED
@given(documents())
def test_lists_of_actions_are_refused_exactly_where_they_are_allowed(
    document: dict[str, Any],
) -> None:
    found = refused(document)
    plain = [one for one in document["Statement"] if one["Effect"] == "Allow" and "Action" in one]

    def acts(statement: dict[str, Any], actions: tuple[str, ...]) -> bool:
        return any(
            covers(pattern, action, any_case=True) and not taken_away(document, action, statement)
            for pattern in listed(statement["Action"])
            for action in actions
        )

    def changes_permissions(statement: dict[str, Any]) -> bool:
        """What AWS calls permissions management counts beyond the list."""
        return any(
            level(pattern) is Level.PERMISSIONS and not taken_away(document, pattern, statement)
            for pattern in listed(statement["Action"])
        )

    def everywhere(statement: dict[str, Any]) -> bool:
        """NotResource leaves nearly everything; a pattern for a stranger is for all."""
        return "NotResource" in statement or any(
            covers(pattern, stranger)
            for pattern in listed(statement["Resource"])
            for stranger in STRANGER.values()
        )

    assert ("iam-no-deletion" in found) == any(acts(one, _DELETION) for one in plain)
    for rule, actions in LISTS.items():
        expected = any(
            (acts(one, actions) or (actions is _PERMISSIONS and changes_permissions(one)))
            and everywhere(one)
            and not one.get("Condition")
            for one in plain
        )
        assert (rule in found) == expected, rule


@BOUNDED
@given(documents())
def test_whole_services_and_hidden_verbs_are_refused(document: dict[str, Any]) -> None:
    found = refused(document)
    expected = any(
        one["Effect"] == "Allow"
        and (
            "NotAction" in one
            # A wildcard anywhere but behind three letters of the verb.
            or any(
                ("*" in action or "?" in action)
                and not taken_away(document, action, one)
                and not re.fullmatch(r"[A-Za-z0-9-]+:[A-Za-z]{3}[A-Za-z]*[*]", action)
                for action in listed(one.get("Action", []))
            )
        )
        for one in document["Statement"]
    )
    assert ("iam-no-wildcard-actions" in found) == expected


ATOMS = st.text(alphabet="ab*?", max_size=5)
WORDS = ["".join(letters) for size in range(5) for letters in product("ab", repeat=size)]


@profile(max_examples=1500, derandomize=True, database=None, deadline=None)
@given(ATOMS, ATOMS)
def test_patterns_are_compared_as_the_texts_that_they_match(one: str, other: str) -> None:
    ours = {word for word in WORDS if covers(one, word)}
    theirs = {word for word in WORDS if covers(other, word)}
    if includes(one, other):
        assert theirs <= ours
    assert overlap(one, other) == overlap(other, one)
    if ours & theirs:
        assert overlap(one, other)
    # Two patterns of five signs that have a text in common have one of at most ten letters.
    elif not overlap(one, other):
        assert not any(covers(one, word) and covers(other, word) for word in LONGER)
    if "*" not in one + other and "?" not in one:
        assert includes(one, other) == (one == other)


LONGER = ["".join(letters) for letters in product("ab", repeat=6)]


def test_a_denial_needs_all_of_the_action_and_the_resource() -> None:
    allow = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::backups/*"}

    def deletes(**deny: Any) -> bool:
        statements = [allow, {"Effect": "Deny", **deny}]
        return "iam-no-deletion" in refused({"Version": "2012-10-17", "Statement": statements})

    assert not deletes(Action="s3:Delete*", Resource="*")
    assert not deletes(Action="S3:deleteobject", Resource="arn:aws:s3:::backups/*")
    assert not deletes(NotAction="s3:Get*", NotResource="arn:aws:s3:::logs/*")
    assert deletes(Action="s3:Delete*", Resource="arn:aws:s3:::backups/daily/*")
    assert deletes(Action="s3:DeleteBucket", Resource="*")
    assert deletes(NotAction="s3:Delete*", Resource="*")
    assert deletes(Action="s3:*", NotResource="arn:aws:s3:::backups/daily/*")
    # A condition that is not known to hold takes nothing away.
    condition = {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    assert deletes(Action="s3:*", Resource="*", Condition=condition)


POLICY_TYPE = "aws:iam/policy:Policy"
ROLE_ARN = "arn:aws:iam::1:policy/"


def role_state(documents_: list[dict[str, Any]], places: list[str]) -> list[Resource]:
    """A role with each document inline, attached, in its own list, or as its boundary."""
    role: dict[str, Any] = {"name": "app", "assumeRolePolicy": "{}", "inlinePolicies": []}
    found: list[Resource] = []
    for number, (place, one) in enumerate(zip(places, documents_, strict=True)):
        text = json.dumps(one)
        if place == "own":
            role["inlinePolicies"].append({"name": f"p{number}", "policy": text})
            continue
        if place == "inline":
            kind, properties = "aws:iam/rolePolicy:RolePolicy", {"role": "app", "policy": text}
        else:
            kind, properties = POLICY_TYPE, {"policy": text}
        arn = f"{ROLE_ARN}p{number}"
        found.append(
            Resource.of(
                type=kind,
                name=f"p{number}",
                properties=properties,
                outputs={"arn": arn, "id": arn} if kind == POLICY_TYPE else {},
            )
        )
        if place == "attached":
            attachment = {"role": "app", "policyArn": arn}
            found.append(
                Resource.of(
                    type="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
                    name=f"a{number}",
                    properties=attachment,
                )
            )
        elif place == "boundary":
            role["permissionsBoundary"] = arn
    found.append(Resource.of(type=ROLE, name="app", properties=role))
    return found


def refused_documents(resources: list[Resource], rule: str) -> bool:
    """Whether a document that the role has (its boundary is none of them) breaks `rule`."""
    role = resources[-1].properties
    judge = Judge(Context(phase=Phase.STATE), rules=[one for one in RULES if one.id == rule])
    return any(
        one.rule.id == rule and one.kind is Kind.VIOLATION and not bounds(one.urn, resources, role)
        for one in evaluate_existing(resources, judge)
    )


def bounds(urn: str, resources: list[Resource], role: Any) -> bool:
    arn = next(one for one in resources if one.urn == urn).outputs.get("arn")
    return arn is not None and arn == role.get("permissionsBoundary")


@st.composite
def held_by_a_role(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[str]]:
    every = draw(st.lists(documents(), min_size=2, max_size=3))
    places = [draw(st.sampled_from(["own", "inline", "attached"])) for _ in every]
    if draw(st.booleans()):
        every.append(draw(documents()))
        places.append("boundary")
    return every, places


@profile(max_examples=250, derandomize=True, database=None, deadline=None)
@given(held_by_a_role())
def test_all_policies_of_a_role_and_its_boundary_count_in_a_state(
    held: tuple[list[dict[str, Any]], list[str]],
) -> None:
    """What a role can do after all is refused, and what everything takes away is not."""
    every, places = held
    resources = role_state(every, places)
    own = [one for one, place in zip(every, places, strict=True) if place != "boundary"]
    boundary = [one for one, place in zip(every, places, strict=True) if place == "boundary"]
    whole = {"Statement": [one for document in own for one in document["Statement"]]}
    # Wildcards hide verbs and NotAction everything: other rules refuse them where they stand.
    allows = [
        (one, action)
        for one in whole["Statement"]
        if one["Effect"] == "Allow" and "Action" in one
        for action in _DELETION
        if any(covers(pattern, action, any_case=True) for pattern in listed(one["Action"]))
    ]
    found = refused_documents(resources, "iam-no-deletion")
    expected = [
        (one, action)
        for one, action in allows
        if not taken_away(whole, action, one)
        and not any(out_of_bounds(bound, action, one) for bound in boundary)
    ]
    assert found == bool(expected)


def out_of_bounds(boundary: dict[str, Any], action: str, statement: dict[str, Any]) -> bool:
    """Whether a boundary allows no request that `statement` and `action` stand for."""
    if taken_away(boundary, action, statement):
        return True
    texts = [
        text
        for one in boundary["Statement"]
        for key in ("Resource", "NotResource")
        for text in listed(one.get(key, []))
    ]
    targets = ["*"] if "NotResource" in statement else listed(statement["Resource"])
    reached = {text for target in targets for text in examples(target, texts)}
    return not any(
        one["Effect"] == "Allow" and applies(one, action, resource)
        for one in boundary["Statement"]
        for resource in reached
    )


def test_a_deny_or_a_boundary_beside_a_document_counts_only_where_it_is_certain() -> None:
    delete = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::b/*"}
    allow, deny = {"Statement": delete}, {"Statement": {**delete, "Effect": "Deny"}}
    read = {"Statement": {**delete, "Action": "s3:GetObject"}}

    def deletes(*placed: tuple[str, dict[str, Any]]) -> bool:
        places, every = [place for place, _ in placed], [document for _, document in placed]
        return refused_documents(role_state(every, places), "iam-no-deletion")

    for place in ("own", "inline", "attached"):
        assert deletes((place, allow))
        assert deletes((place, allow), ("inline", read))
        for other in ("own", "inline", "attached"):
            assert not deletes((place, allow), (other, deny))
        assert not deletes((place, allow), ("boundary", read))
        assert not deletes((place, allow), ("boundary", deny))
        assert deletes((place, allow), ("boundary", allow))
    tagged = {"StringEquals": {"aws:PrincipalTag/team": "data"}}
    on_condition = {"Statement": {**deny["Statement"], "Condition": tagged}}
    assert deletes(("inline", allow), ("inline", on_condition))
    bound_on_condition = {"Statement": {**delete, "Condition": tagged}}
    assert deletes(("inline", allow), ("boundary", bound_on_condition))
    # A policy that another role or a user has too is not taken away by this role's Deny.
    resources = role_state([allow, deny], ["attached", "inline"])
    assert not refused_documents(resources, "iam-no-deletion")
    for kind, who in (("role", "other"), ("user", "person")):
        attached = Resource.of(
            type=f"aws:iam/{kind}PolicyAttachment:{kind.capitalize()}PolicyAttachment",
            name="second",
            properties={kind: who, "policyArn": f"{ROLE_ARN}p0"},
        )
        holder = Resource.of(
            type=f"aws:iam/{kind}:{kind.capitalize()}", name=who, properties={"name": who}
        )
        assert refused_documents([holder, attached, *resources], "iam-no-deletion")
    # A Deny that was taken away by hand no longer counts.
    gone = [
        Resource.of(
            type=one.type,
            name=one.name,
            properties=one.properties,
            outputs={"policy": json.dumps(read), "role": "app"} if one.name == "p1" else {},
        )
        for one in role_state([allow, deny], ["inline", "inline"])
    ]
    assert refused_documents(gone, "iam-no-deletion")
    # Before that, at a preview, each document is judged by itself.
    preview = evaluate(Stack(role_state([allow, deny], ["inline", "inline"])), Context())
    assert "iam-no-deletion" in {one.rule.id for one in preview}
