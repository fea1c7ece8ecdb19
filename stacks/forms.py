"""Forms of text in settings: the pattern that judges, and the words that tell people.

A message, the page of settings and editors show the words; nobody has to read a pattern.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """A form of text.

    Attributes:
        pattern: regular expression of the whole text.
        words: completes "must be ...": the form in words, with an example.
        longest: characters, where the pattern does not count them.
    """

    pattern: str
    words: str
    longest: int | None = None


_REGION = r"[a-z]{2,4}(-[a-z]+)+-[0-9]"
_ACCOUNT = r"[0-9]{12}"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_DAY = r"(mon|tue|wed|thu|fri|sat|sun)"

# AWS as a whole
REGION = Form(rf"^{_REGION}$", "a region's name, such as eu-central-1")
ZONE = Form(rf"^{_REGION}[a-z]$", "a zone's name, such as eu-west-1a")
ACCOUNT = Form(rf"^{_ACCOUNT}$", "an account's number of 12 digits")
# An alias is none: it would let a key be exchanged unseen. AWS KMS developer guide: key ARN.
KEY_ARN = Form(
    rf"^arn:aws[a-z-]*:kms:{_REGION}:{_ACCOUNT}:key/[0-9a-zA-Z-]+$",
    "the ARN of a key and not of an alias: arn:aws:kms:REGION:ACCOUNT:key/ID",
)
ROLE_ARN = Form(
    rf"^arn:aws[a-z-]*:iam::{_ACCOUNT}:role/[A-Za-z0-9+=,.@_/-]+$",
    "the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME",
)
BUCKET_ARN = Form(
    r"^arn:aws[a-z-]*:s3:::[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
    "the ARN of a bucket: arn:aws:s3:::NAME",
)
VAULT_ARN = Form(
    rf"^arn:aws[a-z-]*:backup:{_REGION}:{_ACCOUNT}:backup-vault:[A-Za-z0-9_-]{{2,50}}$",
    "the ARN of a vault: arn:aws:backup:REGION:ACCOUNT:backup-vault:NAME",
)
BOUNDARY = Form(
    rf"^(arn:aws[a-z-]*:iam::({_ACCOUNT}|aws):policy/)?[A-Za-z0-9_+=,.@/-]{{1,200}}$",
    "a policy's name, or its ARN: arn:aws:iam::ACCOUNT:policy/NAME",
)
VPC = Form(r"^vpc-[0-9a-f]{8,17}$", "the id of a VPC, such as vpc-0123456789abcdef0")
SUBNET = Form(r"^subnet-[0-9a-f]{8,17}$", "ids of subnets, such as subnet-0123456789abcdef0")
SECURITY_GROUP = Form(
    r"^sg-[0-9a-f]{8,17}$", "the id of a security group, such as sg-0123456789abcdef0"
)
SECURITY_GROUP_ANYWHERE = Form(
    rf"^({_ACCOUNT}/)?sg-[0-9a-f]{{8,17}}$",
    "the id of a security group, such as sg-0123456789abcdef0, or ACCOUNT/ID",
)
PREFIX_LIST = Form(r"^pl-[0-9a-f]{8,17}$", "the id of a prefix list, such as pl-0123456789abcdef0")
IMAGE = Form(r"^ami-[0-9a-f]{8,17}$", "the id of an image, such as ami-0123456789abcdef0")
INSTANCE_TYPE = Form(r"^[a-z0-9-]+\.[a-z0-9]+$", "FAMILY.SIZE, such as t4g.small")
# AWS General Reference: tag naming limits and requirements.
TAG_VALUE = Form(
    r"^[A-Za-z0-9 _.:/=+@-]{1,256}$", "1 to 256 letters, digits, spaces and _ . : / = + - @"
)

# RDS
INSTANCE_CLASS = Form(
    r"^db\.[a-z0-9-]+\.(micro|small|medium|large|[0-9]*xlarge)$",
    "db.FAMILY.SIZE, such as db.r7g.large",
)
INSTANCE_NAME = Form(
    r"^[a-z](?:-?[a-z0-9]){0,62}$",
    "1 to 63 lower-case letters, digits and single hyphens, with a letter first",
    longest=63,
)
SNAPSHOT = Form(
    rf"^(arn:aws[a-z-]*:rds:{_REGION}:{_ACCOUNT}:snapshot:)?(rds:|awsbackup:)?"
    r"[A-Za-z][A-Za-z0-9-]*$",
    "a snapshot's name, such as shop-before-move or rds:shop-2026-11-20-01-05, or its ARN",
)
RESOURCE_ID = Form(r"^db-[A-Z0-9]+$", "a resource id, such as db-ABCDEFGHIJKLMNOPQRSTUVWXYZ")
AUTOMATED_BACKUPS_ARN = Form(
    rf"^arn:aws[a-z-]*:rds:{_REGION}:{_ACCOUNT}:auto-backup:ab-[a-z0-9-]+$",
    "the ARN of automated backups: arn:aws:rds:REGION:ACCOUNT:auto-backup:ab-ID",
)
MAJOR_VERSION = Form(r"^1[0-9]$", "a major version in quotes, such as '17'")
DAILY_WINDOW = Form(rf"^{_TIME}-{_TIME}$", "HH:MM-HH:MM in UTC, such as 01:00-01:30")
WEEKLY_WINDOW = Form(
    rf"^{_DAY}:{_TIME}-{_DAY}:{_TIME}$",
    "ddd:HH:MM-ddd:HH:MM in UTC, such as sun:03:30-sun:04:30",
)
UTC_TIME = Form(
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$",
    "YYYY-MM-DDTHH:MM:SSZ in quotes, such as '2026-11-20T08:30:00Z'",
)
PARAMETER_NAME = Form(
    r"^[A-Za-z_][A-Za-z0-9_.]*$", "a parameter's name, such as work_mem or rds.force_ssl"
)

# PostgreSQL. Its documentation: identifiers and key words.
IDENTIFIER = Form(
    r"^[a-z][a-z0-9_]{0,62}$",
    "1 to 63 lower-case letters, digits and underscores, with a letter first",
)
ROLE_NAME = Form(
    r"^[a-z][a-z0-9_]{0,60}$",
    "1 to 61 lower-case letters, digits and underscores, with a letter first",
)

# Schedules. AWS EventBridge Scheduler user guide: schedule types.
CRON = Form(r"^cron\([0-9A-Za-z*?,/#\- ]+\)$", "cron(six fields), such as cron(0 2 * * ? *)")
SCHEDULE = Form(
    r"^(cron\([^()]+\)|rate\([1-9][0-9]* (minutes?|hours?|days?)\))$",
    "cron(six fields) or rate(N UNIT), such as cron(0 2 * * ? *) or rate(12 hours)",
)

# pgkeep's own
# How long it may be follows from the names that are made of it: stacks/rules/names.py.
STACK_NAME = Form(
    r"^[a-z](?:-?[a-z0-9]){1,31}$",
    "2 to 32 lower-case letters, digits and single hyphens, with a letter first",
    longest=32,
)
WORKLOAD = Form(
    r"^[a-z][a-z0-9_]{0,40}$",
    "1 to 41 lower-case letters, digits and underscores, with a letter first",
)
SETTING = Form(r"^[a-z_]+(\.[a-z_]+)+$", "a setting's name, such as replicas.count")
EMAIL = Form(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", "an address, such as database@example.com")
# What EC2 takes as the description of a security group's rule.
ACCESS_REASON = Form(
    r"^[A-Za-z0-9. _:/()#,@+=&;{}!$*\[\]-]{5,200}$",
    "5 to 200 letters, digits, spaces and . _-:/()#,@[]+=&;{}!$*",
)
