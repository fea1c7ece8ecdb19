"""Every rule's metadata is complete, and its ids are those of the control catalogue."""

from __future__ import annotations

import re

import pytest

from policies.catalogue import RULES
from policies.rules import Environment, Rule, Severity

# As the outside sources write their ids.
CONTROL = re.compile(
    r"CKV2?_AWS_\d+"  # checkov
    r"|(AutoScaling|Backup|EC2|ELB|IAM|KMS|Lambda|RDS|S3|SNS|SQS|SSM|SecretsManager)\.\d+"  # Security Hub FSBP
    r"|\d+(\.\d+){1,2}"  # CIS AWS, CIS PostgreSQL
    r"|[a-z0-9]+(-[a-z0-9]+)+"  # AWSGuard, AWS Config
    r"|[a-z]+([A-Z][a-z]+)+"  # compliance-policies
    r"|squawk/[a-z-]+|splinter/\d{4}|pgspot/PS\d{3}"
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_metadata_is_complete(rule: Rule) -> None:
    assert re.fullmatch(
        r"(rds|asg|pg|net|ec2|lb|s3|lambda|iam|kms|secrets|sns|sqs|logs|backup|db)(-[a-z0-9]+)+",
        rule.id,
    )
    for text in (rule.title, rule.what, rule.why, rule.remediation):
        assert len(text) > 20
    assert rule.what.endswith(".")
    assert rule.why.endswith(".")
    assert rule.remediation.endswith(".")
    assert rule.severity in Severity
    assert set(rule.enforcement) == set(Environment)
    assert rule.catalogue
    assert all(re.fullmatch(r"[A-Z0-9]{2,3}-\d\d", item) for item in rule.catalogue)
    assert all(CONTROL.fullmatch(item) for item in rule.controls), rule.controls
    assert rule.check_resource or rule.check_stack
    assert bool(rule.types) == bool(rule.check_resource)
    assert all(
        re.fullmatch(
            r"(aws:[a-z0-9]+|(postgresql|cloudinit):index)/[a-zA-Z0-9]+:[A-Za-z0-9]+|pulumi:providers:[a-z]+",
            item,
        )
        for item in rule.types
    )


def test_ids_are_unique() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)


def test_what_loses_data_or_opens_it_cannot_be_exempted_in_prod() -> None:
    never = {rule.id for rule in RULES if Environment.PROD in rule.never_exempt_in}
    assert never == {
        "rds-ssl-enforced",
        "rds-not-public",
        "rds-snapshots-not-shared",
        "net-database-from-groups-only",
        "db-app-cannot-delete",
        "db-verify-full",
        "db-provider-verify-full",
    }
