"""Rules for what holds for a whole account: the password policy, the trail of calls."""

from __future__ import annotations

from typing import Final

from .requirements import ADVISORY_BELOW_STAGING, flag, given, number, on_resource
from .rules import Rule, Severity

PASSWORD_POLICY: Final = "aws:iam/accountPasswordPolicy:AccountPasswordPolicy"  # noqa: S105
TRAIL: Final = "aws:cloudtrail/trail:Trail"

# What each part of the password policy must be, by checkov's id for it; CIS AWS agrees.
PASSWORD_PARTS: Final = {
    "CKV_AWS_9": number("maxPasswordAge", default=0, least=1, most=90, unit="days"),
    "CKV_AWS_10": number("minimumPasswordLength", default=6, least=14, most=128),
    "CKV_AWS_11": flag("requireLowercaseCharacters", True, default=False),
    "CKV_AWS_12": flag("requireNumbers", True, default=False),
    "CKV_AWS_13": number("passwordReusePrevention", default=0, least=24, most=24),
    "CKV_AWS_14": flag("requireSymbols", True, default=False),
    "CKV_AWS_15": flag("requireUppercaseCharacters", True, default=False),
}

RULES: Final = (
    Rule(
        id="iam-password-policy",
        title="Passwords of people are long, mixed, new and changed",
        what="The account's password policy asks for 14 characters of four kinds, 90 days at most "
        "and none of the last 24 passwords.",
        why="A short or reused password of one person opens the console, and with it the data.",
        remediation="set them on the aws.iam.AccountPasswordPolicy; better, use IAM Identity "
        "Center and have no IAM users.",
        severity=Severity.MEDIUM,
        catalogue=("IAM-06",),
        controls=tuple(PASSWORD_PARTS),
        types=(PASSWORD_POLICY,),
        check_resource=on_resource(*PASSWORD_PARTS.values()),
    ),
    Rule(
        id="logs-trail-watched",
        title="The trail of calls reaches CloudWatch",
        what="cloudWatchLogsGroupArn is set on every trail.",
        why="A trail in a bucket is read weeks later; in CloudWatch an alarm can ring.",
        remediation="set cloud_watch_logs_group_arn and cloud_watch_logs_role_arn on the "
        "aws.cloudtrail.Trail.",
        severity=Severity.MEDIUM,
        catalogue=("LOG-02",),
        controls=("CKV2_AWS_10",),
        types=(TRAIL,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=on_resource(given("cloudWatchLogsGroupArn")),
    ),
)
