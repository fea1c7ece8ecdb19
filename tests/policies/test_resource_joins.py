"""How resources are joined: by values, ARNs and recorded dependencies, known and unknown."""

from __future__ import annotations

from typing import Any

import pytest

from policies.inventory import Resource, Stack, canonical_type
from policies.joins import beside
from policies.links import sources, targets
from policies.requirements import given, on_resource
from policies.rules import Context, Unverified, Violation
from policies.values import UNKNOWN as NOT_KNOWN
from tests.policies.one_rule import UNKNOWN, made

BUCKET = "aws:s3/bucket:Bucket"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
IDENTITIES = ("bucket", "id")


def refers(value: Any, *depends_on: Resource) -> Resource:
    return Resource.of(
        type=POLICY,
        name="policy",
        properties={"bucket": value},
        property_dependencies={"bucket": [one.urn for one in depends_on]},
    )


def referenced(value: Any, *depends_on: Resource, beside: tuple[Resource, ...] = ()) -> Any:
    source = refers(value, *depends_on)
    stack = Stack([*depends_on, *beside, source])
    return stack.referenced(source, "bucket", [BUCKET], IDENTITIES)


def test_a_resource_is_what_it_was_made_of() -> None:
    one = Resource.of(type="aws:alb/listener:Listener", name="a", properties={"b": None, "c": 1.0})
    assert one.type == "aws:lb/listener:Listener"
    assert one.urn == "urn:pulumi:stack::project::aws:alb/listener:Listener::a"
    assert one.label == 'aws:alb/listener:Listener "a"'
    assert one.properties == {"c": 1}
    assert one.outputs == one.property_dependencies == {}
    given = Resource.of(type="t", name="a", properties={}, urn="urn:x", outputs={"id": "i"})
    assert (given.urn, given.outputs) == ("urn:x", {"id": "i"})
    odd: Any = {"4dabf18193072939515e22adb298388d": "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
    unknown = Resource.of(type="t", name="a", properties=odd, outputs=odd)
    assert (unknown.properties, unknown.outputs) == ({}, {})
    bare = Resource(urn="u", type="t", name="a", properties={})
    assert bare.label == 't "a"'


def test_a_resource_is_known_by_what_aws_made_or_by_what_was_asked_for() -> None:
    one = Resource.of(
        type="t",
        name="n",
        properties={"a": "asked", "b": "asked", "c": "asked"},
        outputs={"a": "made", "b": "", "d": "made"},
    )
    assert [one.identity(key) for key in "abcde"] == ["made", "asked", "asked", "made", None]


@pytest.mark.parametrize(
    ("older", "name"),
    [
        ("aws:elasticloadbalancingv2/listener:Listener", "aws:lb/listener:Listener"),
        ("aws:elasticloadbalancing/loadBalancer:LoadBalancer", "aws:elb/loadBalancer:LoadBalancer"),
        ("aws:s3/bucketLoggingV2:BucketLoggingV2", "aws:s3/bucketLogging:BucketLogging"),
        ("aws:s3/bucketV2:BucketV2", "aws:s3/bucketV2:BucketV2"),
        ("aws:s3:Bucket", "aws:s3/bucket:Bucket"),
    ],
)
def test_older_names_of_types(older: str, name: str) -> None:
    assert canonical_type(older) == name


def test_values_name_resources() -> None:
    data, logs = made(BUCKET, "data", bucket="data"), made(BUCKET, "logs", bucket="logs")
    both = (data, logs)
    assert referenced("data", beside=both) == [data]
    assert referenced("other", beside=both) == []
    for nothing in (None, "", 5, ["data"]):
        assert referenced(nothing, beside=both) == []
    arn = made(BUCKET, "arn", arn="arn:aws:s3:::x")
    assert referenced("arn:aws:s3:::x", beside=(arn,)) == [arn]
    # A list is no name, of the other side either.
    assert referenced("data", beside=(made(BUCKET, "odd", bucket=["data"]),)) == []


def test_dependencies_decide_what_is_unknown() -> None:
    data, key = made(BUCKET, "data", bucket="data"), made("aws:kms/key:Key", "key")
    assert referenced(UNKNOWN) is NOT_KNOWN
    assert referenced(UNKNOWN, data) == [data]
    assert referenced(UNKNOWN, key) is NOT_KNOWN
    assert referenced(UNKNOWN, beside=(data,)) is NOT_KNOWN
    gone = Resource.of(
        type=POLICY,
        name="policy",
        properties={"bucket": UNKNOWN},
        property_dependencies={"bucket": ["urn:of:nothing"]},
    )
    assert Stack([gone]).referenced(gone, "bucket", [BUCKET], IDENTITIES) is NOT_KNOWN


def test_dependencies_choose_between_equal_names() -> None:
    here, there = made(BUCKET, "here", bucket="data"), made(BUCKET, "there", bucket="data")
    assert referenced("data", here, beside=(there,)) == [here]
    assert referenced("data", beside=(here, there)) == [here, there]
    # One that has the name at two of its properties is found once.
    assert len(referenced("x", beside=(made(BUCKET, "x", bucket="x", id="x"),))) == 1


@pytest.mark.parametrize(
    ("value", "properties", "same"),
    [
        # Nothing is known of the target: what was made of it may be it.
        ("data-a1b2", {}, True),
        ("data-a1b2", {"bucket": ""}, True),
        ("data-a1b2", {"bucket": 5}, True),
        # Ids are made up by AWS, and are not put together to other texts.
        ("data-a1b2", {"id": "x"}, True),
        ("data-logs", {"bucket": "data"}, False),
        # An ARN is another spelling of the name.
        ("arn:aws:s3:::data", {"bucket": "data"}, True),
        ("arn:aws:s3:::data/keys", {"bucket": "data"}, True),
        ("arn:aws:x:r:1:bucket:data", {"bucket": "data"}, True),
        ("arn:aws:s3:::data-logs", {"bucket": "data"}, False),
        ("arn:aws:s3:::data-logs", {}, True),
    ],
)
def test_texts_that_were_made_of_a_target(value: str, properties: Any, same: bool) -> None:
    target = made(BUCKET, "target", **properties)
    assert referenced(value, target) == ([target] if same else [])


def test_targets_know_who_refers_to_them() -> None:
    data, other = made(BUCKET, "data", bucket="data"), made(BUCKET, "other", bucket="other")
    policy = refers("data")
    unknown = Resource.of(type=POLICY, name="later", properties={"bucket": UNKNOWN})

    def referring(target: Resource, *resources: Resource) -> Any:
        stack = Stack([data, other, *resources])
        found = stack.referring(target, [POLICY], "bucket", IDENTITIES)
        assert stack.referring(target, [POLICY], "bucket", IDENTITIES) == found
        return found

    assert referring(data, policy) == [policy]
    assert referring(other, policy) == []
    assert referring(data, policy, unknown) == [policy]
    assert referring(other, policy, unknown) is NOT_KNOWN


def test_a_stack_remembers_what_was_made_of_it() -> None:
    stack, calls = Stack([]), list[int]()
    for _ in range(2):
        assert stack.remembered("key", lambda: calls.append(1) or "made") == "made"
    assert calls == [1]
    assert stack.remembered("other", lambda: "other") == "other"


def told(*resources: Resource, inline: bool = False) -> list[str]:
    check = on_resource(given("policy"))
    old = on_resource(given("oldPolicy.text"))
    judge = beside(
        [BUCKET], POLICY, "bucket", check, limit="have one",
        inline=("oldPolicy", old) if inline else None,
    )  # fmt: skip
    return [
        ("" if isinstance(one, Violation) else "?")
        + (one.found if isinstance(one, Violation) else one.needs)
        + (f" ({one.cause.name})" if one.cause else "")
        for one in judge(Stack(resources), Context())
    ]


def test_what_must_stand_beside_a_resource() -> None:
    bucket = made(BUCKET, "data", bucket="data")
    label = f'{POLICY} "beside"'
    assert told(bucket) == ["has no BucketPolicy in this stack"]
    assert told(bucket, made(POLICY, "beside", bucket="data", policy="x")) == []
    (found,) = told(bucket, made(POLICY, "beside", bucket="data"))
    assert found == f"has {label}, which has policy = (not set) (beside)"
    (found,) = told(bucket, made(POLICY, "beside", bucket="data", policy=UNKNOWN))
    assert found == f"?policy of {label} (beside)"
    assert told(bucket, made(POLICY, "beside", bucket=UNKNOWN)) == ["?the bucket of a BucketPolicy"]


def test_the_older_property_counts_where_nothing_stands_beside() -> None:
    def old(value: Any) -> Resource:
        return made(BUCKET, "data", bucket="data", oldPolicy=value)

    beside = made(POLICY, "beside", bucket="data", policy="x")
    missing = ["has no BucketPolicy in this stack"]
    assert told(old({"text": "x"}), inline=True) == []
    assert told(old({}), inline=True) == ["has oldPolicy.text = (not set)"]
    assert told(old(None), inline=True) == missing
    assert told(old(UNKNOWN), inline=True) == missing
    assert told(old({"text": "x"})) == missing
    assert told(old({}), beside, inline=True) == []


def found(value: Any, *depends_on: Resource, beside: tuple[Resource, ...] = ()) -> tuple[Any, bool]:
    source = refers(value, *depends_on)
    links = targets(Stack([*depends_on, *beside, source]), source, "bucket", (BUCKET,))
    return [one.name for one in links.found], links.undecided


def test_links_read_every_text_of_a_property() -> None:
    data = made(BUCKET, "data", bucket="data")
    key = made("aws:kms/key:Key", "key", name="data")
    for value in ("data", ["x", "data"], {"a": {"b": ["data"]}}, "arn:aws:s3:::data/keys/*"):
        assert found(value, beside=(data, key)) == (["data"], False)
    for value in (None, "", 5, "x", "arn:aws:s3:::x/data", "arn:aws:s3:::"):
        assert found(value, beside=(data, made(BUCKET, "empty", bucket=""))) == ([], False)


@pytest.mark.parametrize(
    ("arn", "same"),
    [
        ("arn:aws:rds:eu-west-1:1:db:data", True),
        ("arn:aws:iam::1:role/path/data", True),
        ("arn:aws:sns:eu-west-1:1:data", True),
        ("arn:aws:rds:eu-west-1:1:data:x", False),
        ("arn:aws:iam::1:data/x", False),
    ],
)
def test_arns_have_the_name_behind_the_type(arn: str, same: bool) -> None:
    data = made(BUCKET, "data", bucket="data")
    assert found(arn, beside=(data,)) == (["data"] if same else [], False)


def test_links_of_what_is_not_known_yet() -> None:
    data, key = made(BUCKET, "data", bucket="data"), made("aws:kms/key:Key", "key")
    assert found(UNKNOWN, beside=(data,)) == ([], True)
    assert found(UNKNOWN, data) == (["data"], False)
    assert found(UNKNOWN, key, beside=(data,)) == ([], True)
    assert found(["data", UNKNOWN], beside=(data,)) == (["data"], False)
    assert found([UNKNOWN, "x"], data) == (["data"], False)


def test_links_of_texts_that_were_made_of_a_target() -> None:
    # A known name that no text has was used for something else; a new one has no name yet.
    assert found("data-logs", made(BUCKET, "data", bucket="data")) == ([], False)
    assert found("data-logs", made(BUCKET, "data")) == (["data"], False)
    assert found("data-logs", made(BUCKET, "data", bucket="")) == (["data"], False)
    assert found("data-logs", made(BUCKET, "data", bucket=5)) == (["data"], False)
    assert found("data-logs", made(BUCKET, "data", bucket="${name}")) == (["data"], False)
    assert found("data-logs", made(BUCKET, "data", id="x", arn="arn:x")) == (["data"], False)
    assert found(5, made(BUCKET, "data")) == ([], False)
    gone = Resource.of(
        type=POLICY,
        name="policy",
        properties={"bucket": UNKNOWN},
        property_dependencies={"bucket": ["urn:of:nothing"]},
    )
    assert targets(Stack([gone]), gone, "bucket", (BUCKET,)).undecided


def test_sources_are_the_other_way_round() -> None:
    data, other = made(BUCKET, "data", bucket="data"), made(BUCKET, "other", bucket="other")
    policy = refers("data")
    later = Resource.of(type=POLICY, name="later", properties={"bucket": UNKNOWN})
    for resources, target, expected in (
        ([policy], data, ("policy",)),
        ([policy], other, ()),
        ([policy, later], data, ("policy",)),
    ):
        links = sources(Stack([data, other, *resources]), target, (POLICY,), "bucket")
        assert tuple(one.name for one in links.found) == expected
        assert not links.undecided
    assert sources(Stack([data, other, policy, later]), other, (POLICY,), "bucket").undecided


def test_notes_and_violations_are_told_apart() -> None:
    (note,) = beside([BUCKET], POLICY, "bucket", on_resource(), limit="x")(
        Stack([made(BUCKET), made(POLICY, "p", bucket=UNKNOWN)]), Context()
    )
    assert isinstance(note, Unverified)


def placed(name: str, region: str = "", arn: Any = None, kind: str = "aws:kms/key:Key") -> Resource:
    return Resource.of(
        type=kind,
        name=name,
        properties={"name": "same"},
        outputs={"arn": arn},
        region=region,
    )


def test_places_of_a_resource() -> None:
    arn = "arn:aws:kms:eu-west-1:123:key/a"
    assert placed("a", "eu-north-1", arn).place == ("123", "eu-west-1", "eu-north-1")
    assert placed("a", "eu-north-1", arn, BUCKET).place == ("123", "", "")
    for none in (None, "", 5, ["arn"], "arn:aws:kms", "urn:aws:kms:eu-west-1:123:key/a"):
        assert placed("a", "eu-north-1", none).place == ("", "", "eu-north-1")


def test_resources_of_other_regions_are_elsewhere() -> None:
    here, there, nowhere = placed("a", "eu-west-1"), placed("b", "us-east-1"), placed("c")
    assert here.elsewhere(there)
    assert not here.elsewhere(placed("d", "eu-west-1"))
    assert not here.elsewhere(nowhere)
    assert not nowhere.elsewhere(here)
    mine, theirs = (placed("a", arn=f"arn:aws:kms::{account}:key/a") for account in (1, 2))
    assert mine.elsewhere(theirs)


def test_a_name_is_one_in_a_region_only() -> None:
    kind = "aws:kms/key:Key"
    here, there = placed("here", "eu-west-1"), placed("there", "us-east-1")

    def source(value: str, *depends_on: Resource, arn: Any = None) -> Resource:
        return Resource.of(
            type="aws:x/y:Y",
            name="source",
            properties={"key": value},
            property_dependencies={"key": [one.urn for one in depends_on]},
            outputs={"arn": arn},
            region="eu-west-1",
        )

    for value, depends_on, expected in (
        ("same", (), [here]),
        ("same", (there,), [there]),
        ("other", (), []),
    ):
        one = source(value, *depends_on)
        stack = Stack([here, there, one])
        assert stack.referenced(one, "key", [kind], ["name"]) == expected
        assert list(targets(stack, one, "key", (kind,)).found) == expected
    # An ARN is one everywhere.
    arn = "arn:aws:kms:us-east-1:1:key/a"
    far, one = placed("far", "us-east-1", arn), source(arn)
    stack = Stack([here, far, one])
    assert stack.referenced(one, "key", [kind], ["name"]) == [far]
    assert list(targets(stack, one, "key", (kind,)).found) == [far]
    one = source(arn, far)
    assert list(targets(Stack([far, one]), one, "key", (kind,)).found) == [far]
