"""What no rule judges is listed, unless it is known to hold nothing and to open nothing."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from policies.catalogue import RULES
from policies.coverage import _ACCESS as ACCESS
from policies.coverage import _DATA as DATA
from policies.coverage import concern, covered_types, harmless, not_covered
from policies.inventory import canonical_type
from tests.policies.one_rule import made


def sdk_types() -> list[tuple[str, str]]:
    """Service and name of every type of the AWS provider that no rule judges."""
    spec = find_spec("pulumi_aws")
    assert spec is not None
    assert spec.origin is not None
    kinds = re.findall(r"aws:\w+/\w+:\w+", Path(spec.origin).read_text())
    judged = covered_types(RULES)
    return [
        (service, name)
        for kind in sorted({canonical_type(kind) for kind in kinds} - judged)
        for service, _, name in [kind.removeprefix("aws:").partition(":")[0].partition("/")]
    ]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("aws:dynamodb/table:Table", "holds data"),
        ("aws:dynamodb/tables:Tables", "may hold data or open access"),
        ("aws:sqs/queuePolicy:QueuePolicy", "opens access"),
        ("aws:mwaa/environment:Environment", "may hold data or open access"),
        ("aws:servicequotas/serviceQuota:ServiceQuota", ""),
        ("aws:cloudwatch/dashboard:Dashboard", ""),
        ("aws:nothing/thing:Thing", "may hold data or open access"),
        ("aws:nothing", "may hold data or open access"),
        ("aws-native:dynamodb:Table", "holds data"),
        ("aws-native:sqs:QueuePolicy", "opens access"),
        ("aws-native:events:Rule", "may hold data or open access"),
        ("aws-native:logs:LogStream", ""),
        ("aws-native:nothing", "may hold data or open access"),
        ("pulumi:providers:kubernetes", ""),
        ("random:index/randomId:RandomId", ""),
        ("random:index/randomPassword:RandomPassword", "makes a secret"),
        ("random:index:RandomBytes", "makes a secret"),
        ("tls:index/privateKey:PrivateKey", "makes a secret"),
        ("tls:index/certRequest:CertRequest", ""),
        ("command:remote:Command", "runs a command"),
        ("kubernetes:core/v1:Secret", "is of the provider kubernetes"),
        ("docker:index/volume:Volume", "is of the provider docker"),
        ("cloudflare:index/record:Record", "is of the provider cloudflare"),
    ],
)
def test_what_no_rule_judges_and_matters(kind: str, words: str) -> None:
    assert words in concern(kind)
    assert bool(concern(kind)) == bool(words)
    one = made(kind, "one")
    assert [found.reason for found in not_covered([one], rules=[])] == (
        [concern(kind)] * bool(words)
    )


def test_what_a_rule_judges_is_covered() -> None:
    assert not_covered([made("aws:s3/bucketPolicy:BucketPolicy", "p")]) == []
    # Without its rules it would be listed.
    assert not_covered([made("aws:s3/bucketPolicy:BucketPolicy", "p")], rules=[])


def test_what_is_harmless_is_nothing_else_and_exists() -> None:
    """A row of the table that names no type, or one that another table has, is a mistake."""
    unmatched = {
        (service, part)
        for service, rows in harmless().items()
        for row in rows
        for part in row.split("|")
    }
    for service, name in sdk_types():
        rows = [part for row in harmless().get(service, ()) for part in row.split("|")]
        hits = [part for part in rows if re.fullmatch(part, name)]
        unmatched -= {(service, part) for part in hits}
        others = (DATA.get(service, ""), ACCESS.get(service, ""))
        assert not (hits and any(re.fullmatch(one, name) for one in others)), (service, name)
        assert len(hits) <= 1, (service, name)
    assert unmatched == set()
