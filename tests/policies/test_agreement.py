"""Agreement of the rules with labelled cases of the checks that they claim (cases/README.md).

Every disagreement is listed here with its reason; a new one, or one that has gone, fails the test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from policies.catalogue import RULES
from policies.evaluation import Judge, Kind
from policies.inventory import Resource, Stack
from policies.rules import Context, Phase

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "cases" / "cases.jsonl").read_text().splitlines()
]

ANY_BUCKET = (
    "the check asks only buckets that look public; S3.5 and CIS 3.1.1 ask every bucket to deny "
    "requests without TLS"
)
LOST_RULES = "the case lost its rules in conversion: without any the default group is closed"
# (check, address) -> why the label is not followed.
DISAGREEMENTS = {
    ("CKV_AWS_382", "pass"): (
        "protocol -1 with ports 20 to 200: AWS does not read the ports and opens all of them"
    ),
    ("CKV2_AWS_12", "aws_vpc.not_ok_vpc_3"): LOST_RULES,
    ("CKV2_AWS_12", "aws_vpc.not_ok_vpc_4"): LOST_RULES,
    ("CKV2_AWS_12", "aws_vpc.not_ok_vpc_5"): LOST_RULES,
    ("CKV_AWS_145", "aws_s3_bucket.bucket_good_6"): (
        "the case lost its rules in conversion: nothing in it names a key"
    ),
    ("CKV2_AWS_69", "aws_db_instance.pass_no_param"): (
        "the group is not in the stack: it cannot be verified, so the rule refuses"
    ),
    ("CKV2_AWS_6", "aws_s3_bucket.bucket_good_1"): (
        "the check asks for two flags; S3.8 and CIS 3.1.4 ask for all four"
    ),
    ("CKV2_AWS_40", "aws_iam_policy.policy_pass"): (
        "s3:* on *: the check is only about iam:*, IAM.21 about any service"
    ),
    ("CKV2_AWS_40", "aws_iam_role_policy.pass1"): (
        "s3:* and ec2:* on *: the check is only about iam:*, IAM.21 about any service"
    ),
    ("CKV_AWS_379", "aws_s3_bucket_acl.pass_private"): ANY_BUCKET,
    ("CKV_AWS_379", "aws_s3_bucket_acl.pass_restricted"): ANY_BUCKET,
    ("CKV_AWS_379", "aws_s3_bucket_acl.pass_grant_blocked"): ANY_BUCKET,
    ("CKV_AWS_379", "aws_s3_bucket_acl.pass_website"): ANY_BUCKET,
    ("CKV_AWS_379", "aws_s3_bucket_acl.pass_policy1"): (
        "allows one account over TLS, but denies nobody who has another permission"
    ),
    ("CKV_AWS_379", "aws_s3_bucket_acl.pass_policy2"): (
        "denies on the bucket, not on its objects, which plain requests can still read"
    ),
    ("CKV_AWS_379", "aws_s3_bucket_acl.pass_policy3"): (
        "allows everyone over TLS instead of denying everyone else"
    ),
}


def judged() -> Iterator[tuple[str, str, str, bool]]:
    """(check, address, label, whether a rule that claims the check refuses the resource)."""
    for case in CASES:
        refused = refused_addresses(case)
        for label, addresses in case["expected"].items():
            for address in addresses:
                yield case["check_id"], address, label, address in refused


def refused_addresses(case: dict) -> set[str]:
    rules = [rule for rule in RULES if case["check_id"] in rule.controls]
    # The checks' own threshold; ours by environment are stricter.
    thresholds = {"rds-pitr-retention": {"minimumDays": 1}}
    context = Context(phase=Phase.APPLY, thresholds=thresholds)
    resources = [
        Resource.of(
            urn=item["address"].removeprefix("data."),
            type=item["type"],
            name=item["address"],
            properties=item["props"],
            property_dependencies=item["propertyDependencies"],
        )
        for item in case["resources"]
    ]
    acls = {r.get("bucket"): r.urn for r in resources if r.type == "aws:s3/bucketAcl:BucketAcl"}
    # CKV_AWS_379 labels the ACL of buckets that the case leaves out: put them in under its address.
    resources += [
        Resource.of(type="aws:s3/bucket:Bucket", name=urn, urn=urn, properties={"bucket": bucket})
        for bucket, urn in acls.items()
    ]
    verdicts = Judge(context, rules=rules).stack(Stack(resources))
    judge = Judge(context, rules=rules)
    verdicts += [verdict for resource in resources for verdict in judge.resource(resource)]
    return {verdict.urn for verdict in verdicts if verdict.kind is Kind.VIOLATION}


def test_disagreements_are_exactly_those_listed() -> None:
    found = {
        (check, address)
        for check, address, label, refused in judged()
        if refused != (label == "fail")
    }
    assert found == set(DISAGREEMENTS)


def test_agreement_is_reported(record_property: pytest.RecordProperty) -> None:
    table: dict[str, list[int]] = {}
    for check, _address, label, refused in judged():
        row = table.setdefault(check, [0, 0])
        row[0] += refused == (label == "fail")
        row[1] += 1
    for check, (agreed, total) in sorted(table.items()):
        record_property(check, f"{agreed}/{total}")
        print(f"{check}: {agreed} of {total}")
    # All labels of the cases are judged, and no check is only ever disagreed with.
    labels = sum(len(addresses) for case in CASES for addresses in case["expected"].values())
    assert sum(total for _, total in table.values()) == labels > 90
    assert all(agreed for agreed, _ in table.values())
