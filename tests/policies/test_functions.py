"""Functions: what they run on, what stands in their variables, who may call them."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from policies.evaluation import Kind
from tests.policies.one_rule import NOTE, REFUSAL, UNKNOWN, found, kinds, made

FUNCTION, URL = "aws:lambda/function:Function", "aws:lambda/functionUrl:FunctionUrl"
PERMISSION = "aws:lambda/permission:Permission"


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"runtime": "python3.13"}, []),
        ({"runtime": "python3.8"}, [REFUSAL]),
        ({"runtime": 5}, [REFUSAL]),
        ({"runtime": UNKNOWN}, [NOTE]),
        ({}, []),
        ({"packageType": "Image", "runtime": 5}, []),
        ({"packageType": "Zip", "runtime": "python3.8"}, [REFUSAL]),
    ],
    ids=str,
)
def test_the_runtime_is_supported(properties: dict[str, Any], expected: list[Kind]) -> None:
    assert kinds("lambda-runtime", made(FUNCTION, "f", **properties)) == expected


def test_support_ends_after_its_last_day() -> None:
    function, last = made(FUNCTION, "f", runtime="nodejs20.x"), datetime.date(2026, 4, 30)
    assert kinds("lambda-runtime", function, today=last) == []
    later = last + datetime.timedelta(days=1)
    assert kinds("lambda-runtime", function, today=later) == [REFUSAL]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [({}, [REFUSAL]), ({"codeSigningConfigArn": "arn"}, []), ({"packageType": "Image"}, [])],
    ids=str,
)
def test_archives_are_signed(properties: dict[str, Any], expected: list[Kind]) -> None:
    assert kinds("lambda-code-signed", made(FUNCTION, "f", **properties)) == expected


@pytest.mark.parametrize(
    ("network", "expected"),
    [(None, []), ({"subnetIds": ["a", "b"]}, []), ({"subnetIds": ["a"]}, [REFUSAL])],
    ids=str,
)
def test_what_is_in_a_vpc_spans_two_zones(network: Any, expected: list[Kind]) -> None:
    assert kinds("lambda-several-zones", made(FUNCTION, "f", vpcConfig=network)) == expected


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (None, []),
        ({}, []),
        ({"variables": {}}, []),
        ({"variables": {"MODE": "fast"}}, []),
        ({"variables": {"DB_PASSWORD": "hunter2"}}, [REFUSAL]),
        ({"variables": {"DB_PASSWORD": UNKNOWN}}, [NOTE]),
        ({"variables": {"MODE": "fast", "DB_PASSWORD": "hunter2"}}, [REFUSAL]),
        ({"variables": UNKNOWN}, [NOTE]),
        (UNKNOWN, [NOTE]),
        ("x", [REFUSAL]),
        ({"variables": "x"}, [REFUSAL]),
        ({"DB_PASSWORD": "hunter2"}, [REFUSAL]),
    ],
    ids=str,
)
def test_variables_hold_no_secret(environment: Any, expected: list[Kind]) -> None:
    function = made(FUNCTION, "f", environment=environment)
    assert kinds("lambda-no-secret-variables", function) == expected


@pytest.mark.parametrize(
    ("cors", "expected"),
    [
        (None, []),
        ("x", []),
        ({"allowOrigins": ["https://a.example"]}, []),
        ({"allowOrigins": "*"}, [REFUSAL]),
        ({"allowOrigins": [UNKNOWN, "*"]}, [REFUSAL]),
        ({"allowOrigins": [UNKNOWN]}, [NOTE]),
        (UNKNOWN, [NOTE]),
    ],
    ids=str,
)
def test_urls_answer_named_origins(cors: Any, expected: list[Kind]) -> None:
    assert kinds("lambda-url-origins", made(URL, "u", cors=cors)) == expected


def test_the_function_of_a_url_is_named() -> None:
    function = made(FUNCTION, "f", name="jobs")
    url = made(URL, "u", cors={"allowOrigins": ["*"]}, functionName=(function,))
    assert found("lambda-url-origins", function, url) == [(REFUSAL, "f")]
    alone = made(URL, "u", cors={"allowOrigins": ["*"]}, functionName="elsewhere")
    assert found("lambda-url-origins", function, alone) == [(REFUSAL, "u")]


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"principal": "123456789012"}, []),
        ({"principal": "*"}, [REFUSAL]),
        ({"principal": " ?* "}, [REFUSAL]),
        ({"principal": 5}, [REFUSAL]),
        ({}, [REFUSAL]),
        ({"principal": "*", "principalOrgId": ""}, [REFUSAL]),
        ({"principal": "*", "principalOrgId": "o-1"}, []),
        ({"principal": UNKNOWN}, [NOTE]),
        ({"principal": "*", "principalOrgId": UNKNOWN}, [NOTE]),
        # A bucket's ARN has no account.
        ({"principal": "s3.amazonaws.com"}, [REFUSAL]),
        ({"principal": "S3.AmazonAWS.com.cn"}, [REFUSAL]),
        ({"principal": "s3.amazonaws.com", "sourceAccount": " *"}, [REFUSAL]),
        ({"principal": "s3.amazonaws.com", "sourceAccount": 5}, [REFUSAL]),
        ({"principal": "s3.amazonaws.com", "sourceAccount": "1"}, []),
        ({"principal": "s3.amazonaws.com", "sourceAccount": UNKNOWN}, [NOTE]),
        ({"principal": "s3.amazonaws.com", "principalOrgId": "o-1"}, []),
        ({"principal": "sns.amazonaws.com"}, []),
    ],
    ids=str,
)
def test_callers_are_known(properties: dict[str, Any], expected: list[Kind]) -> None:
    assert kinds("lambda-not-public", made(PERMISSION, "p", **properties)) == expected


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, [REFUSAL]),
        ({"principal": "S3.AmazonAWS.com"}, [REFUSAL]),
        ({"principal": "123456789012"}, []),
        ({"principal": 5}, []),
        ({"principal": UNKNOWN}, [NOTE]),
        ({"sourceArn": "*"}, [REFUSAL]),
        ({"sourceArn": 5}, [REFUSAL]),
        ({"sourceArn": "arn:aws:s3:::a"}, []),
        ({"sourceAccount": "1"}, []),
        ({"principalOrgId": "o-1"}, []),
        ({"sourceArn": UNKNOWN}, [NOTE]),
        ({"sourceArn": UNKNOWN, "sourceAccount": "1"}, []),
    ],
    ids=str,
)
def test_services_are_bound(properties: dict[str, Any], expected: list[Kind]) -> None:
    whole = {"principal": "s3.amazonaws.com", **properties}
    assert kinds("lambda-services-bound", made(PERMISSION, "p", **whole)) == expected
