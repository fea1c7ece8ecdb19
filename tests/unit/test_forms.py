"""Forms of text: every setting that has one tells it in words, and no message shows a pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from facts import rds, regions
from stacks import forms
from stacks.messages import group_of
from stacks.reference import limits
from stacks.settings import Settings, SettingsError, load
from tests.unit.recorder import ACCOUNT, REGION

FORMS = {name: each for name, each in vars(forms).items() if isinstance(each, forms.Form)}
KEY = "0123abcd-0123-0123-0123-0123456789ab"

# What AWS and PostgreSQL take, and what they refuse.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "REGION": (["us-gov-west-1", "eusc-de-east-1"], ["eu-west", "eu-west-1a", "EU-WEST-1"]),
    "ZONE": (["eu-west-1a", "us-gov-west-1b"], ["eu-west-1", "euw1-az1"]),
    "ACCOUNT": (["012345678901"], ["12345678901", "1234567890123"]),
    "KEY_ARN": (
        [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY}",
         f"arn:aws-us-gov:kms:us-gov-west-1:{ACCOUNT}:key/mrk-0123456789abcdef0123456789abcdef"],
        [f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/mine", KEY],
    ),
    "ROLE_ARN": (
        [f"arn:aws-cn:iam::{ACCOUNT}:role/people/break-glass"], [f"arn:aws:iam::{ACCOUNT}:user/me"]
    ),
    "BUCKET_ARN": (["arn:aws:s3:::copies.example"], ["copies", "arn:aws:s3:::Copies"]),
    "VAULT_ARN": (
        [f"arn:aws:backup:{REGION}:{ACCOUNT}:backup-vault:pgkeep"], ["pgkeep"]
    ),
    "BOUNDARY": (
        ["bounded", "arn:aws:iam::aws:policy/PowerUserAccess"], ["not a name", "a:b"]
    ),
    "VPC": (["vpc-01234567"], ["vpc-1", "subnet-01234567"]),
    "SUBNET": (["subnet-0123456789abcdef0"], ["subnet-a", "subnet-"]),
    "SECURITY_GROUP": (["sg-0123456789abcdef0"], [f"{ACCOUNT}/sg-01234567", "sg-x"]),
    "SECURITY_GROUP_ANYWHERE": (["sg-01234567", f"{ACCOUNT}/sg-01234567"], ["1/sg-01234567"]),
    "PREFIX_LIST": (["pl-01234567"], ["pl-1"]),
    "IMAGE": (["ami-0123456789abcdef0"], ["debian-13"]),
    "INSTANCE_TYPE": (["t4g.small", "u-6tb1.metal"], ["t4g", "db.t4g.small"]),
    "TAG_VALUE": (["platform@example.com", "x" * 256], ["", "x" * 257, "a;b"]),
    "INSTANCE_CLASS": (
        ["db.t4g.micro", "db.r7g.16xlarge"], ["r7g.large", "db.r7g", "db.r7g.huge"]
    ),
    "INSTANCE_NAME": (["a", "shop-2", "x" * 63], ["2shop", "shop-", "a--b", "Shop", "x" * 64, "x-" * 32 + "x"]),
    "SNAPSHOT": (
        ["shop-before-move", "rds:shop-2026-11-20-01-05", "awsbackup:job-0123",
         f"arn:aws:rds:{REGION}:{ACCOUNT}:snapshot:rds:shop-2026-11-20-01-05"],
        ["1shop", "a snapshot"],
    ),
    "RESOURCE_ID": (["db-ABCDEFGHIJKLMNOPQRSTUVWXYZ"], ["db-abc", "shop"]),
    "AUTOMATED_BACKUPS_ARN": (
        [f"arn:aws:rds:{REGION}:{ACCOUNT}:auto-backup:ab-l6yc4nzp"], ["ab-l6yc4nzp"]
    ),
    "MAJOR_VERSION": (["17"], ["17.4", "9"]),
    "DAILY_WINDOW": (["23:45-00:15"], ["24:00-00:30", "1:00-2:00", "sun:01:00-sun:02:00"]),
    "WEEKLY_WINDOW": (["sun:23:45-mon:00:15"], ["Sun:03:30-Sun:04:30", "sunday 3:30"]),
    "UTC_TIME": (["2026-11-20T08:30:00Z"], ["2026-11-20T08:30:00+01:00", "2026-11-20"]),
    "PARAMETER_NAME": (["work_mem", "rds.force_ssl"], ["1st", "work mem"]),
    "IDENTIFIER": (["node_pass", "x" * 63], ["Node", "1a", "a-b", "x" * 64]),
    "ROLE_NAME": (["app", "x" * 61], ["x" * 62]),
    "CRON": (["cron(0 2 * * ? *)", "cron(0 3 ? * SUN#1 *)"], ["rate(1 day)", "0 2 * * *"]),
    "SCHEDULE": (["cron(0 2 * * ? *)", "rate(12 hours)"], ["rate(0 hours)", "0 2 * * *"]),
    "STACK_NAME": (["pgkeep", "a" * 32], ["A", "a", "a-", "a" * 33]),
    "WORKLOAD": (["node_pass"], ["node-pass", "x" * 42]),
    "SETTING": (["replicas.count"], ["replicas"]),
    "EMAIL": (["database@example.com"], ["database", "a b@example.com"]),
    "ACCESS_REASON": (["billing, sg of team 7"], ["bill", 'say "why"', "x" * 201]),
}  # fmt: skip


def test_every_form_is_judged_here() -> None:
    assert set(CASES) == set(FORMS)


@pytest.mark.parametrize("name", CASES)
def test_what_a_form_takes_and_refuses(name: str) -> None:
    taken, refused = CASES[name]
    form = FORMS[name]

    def fits(text: str) -> bool:
        return len(text) <= (form.longest or len(text)) and bool(re.search(form.pattern, text))

    assert [text for text in taken if not fits(text)] == []
    assert [text for text in refused if fits(text)] == []


def test_every_region_and_class_of_aws_has_the_form() -> None:
    names = {region for each in regions.partitions() for region in each.regions}
    assert [name for name in sorted(names) if not re.search(forms.REGION.pattern, name)] == []
    for version in ("16", "17"):
        classes = rds.instance_classes_of_version(version)
        wrong = [name for name in classes if not re.search(forms.INSTANCE_CLASS.pattern, name)]
        assert [name for name in wrong if name != "db.serverless"] == []


def text_settings(
    group: type[BaseModel], path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], FieldInfo]]:
    """Every setting below `group` that holds a text with a pattern, with its place."""
    for name, field in group.model_fields.items():
        inner = group_of(field.annotation)
        several = "[0]" if get_origin(field.annotation) is tuple else ""
        if inner is not None:
            yield from text_settings(inner, (*path, name, *((0,) if several else ())))
        elif any(getattr(rule, "pattern", None) for rule in [*field.metadata, *members(field)]):
            yield (*path, name), field


def members(field: FieldInfo) -> list[Any]:
    """The rules of what a list or mapping holds."""
    found: list[Any] = []
    for each in get_args(field.annotation):
        if get_origin(each) is Annotated:
            found += [rule for extra in get_args(each)[1:] for rule in extra.metadata]
    return found


TEXTS = list(text_settings(Settings))


@pytest.mark.parametrize("field", [each for _, each in TEXTS], ids=[str(at) for at, _ in TEXTS])
def test_a_text_of_another_form_is_refused_in_words(field: FieldInfo) -> None:
    notes = field.json_schema_extra
    assert isinstance(notes, dict)
    words = notes["form"]
    assert words in {each.words for each in FORMS.values()}
    # The page of settings and `pgkeep settings` say it before anybody is refused.
    assert limits(field) == words


def test_there_are_settings_to_judge() -> None:
    assert len(TEXTS) > 50


@pytest.mark.parametrize("place", [at for at, _ in TEXTS], ids=str)
def test_no_message_shows_a_pattern(place: tuple[str | int, ...]) -> None:
    """A wrong text alone in an otherwise empty file: its own line is among the refusals."""
    field = next(each for at, each in TEXTS if at == place)
    kinds: dict[Any, Any] = {dict: {"?": 1}, tuple: ["?", "?"]}
    wrong = kinds.get(get_origin(field.annotation), "?")
    raw: Any = wrong
    for part in reversed(place):
        raw = [raw] if isinstance(part, int) else {part: raw}
    with pytest.raises(SettingsError) as caught:
        load(raw, "prod", REGION)
    (line, *_) = [each for each in caught.value.lines if "'?' refused, must be " in each]
    assert "^" not in line
