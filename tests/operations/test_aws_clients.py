"""Sessions that find a service without listing all of them make the same clients."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError, DataNotFoundError
from botocore.loaders import Loader

from operations import aws_clients


def test_a_quick_session_lists_no_services_and_makes_the_same_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual: Any = boto3.Session("key", "secret", region_name="eu-west-1")
    expected = {name: usual.client(name).meta for name in ("s3", "kms", "rds")}

    def list_all(*_: object) -> None:
        raise AssertionError("all services were listed")

    monkeypatch.setattr(Loader, "list_available_services", list_all)
    quick: Any = boto3.Session(
        "key", "secret", region_name="eu-west-1", botocore_session=aws_clients.quick_session()
    )
    for name, meta in expected.items():
        found = quick.client(name).meta
        assert found.endpoint_url == meta.endpoint_url
        assert found.service_model.api_version == meta.service_model.api_version
        assert set(found.method_to_api_mapping) == set(meta.method_to_api_mapping)
    assert quick.client("s3").can_paginate("list_multipart_uploads")
    with pytest.raises(BotoCoreError):
        quick.client("no-service")


@pytest.mark.parametrize("name", ["endpoints", "s3/2006-03-01/service-2", "_retry"])
def test_a_quick_session_reads_what_botocore_reads(name: str) -> None:
    loader = aws_clients.quick_session().get_component("data_loader")
    found, usual = loader.load_data(name), Loader().load_data(name)
    # In the same order too.
    assert json.dumps(found) == json.dumps(usual)
    # An OrderedDict is one as well, and what takes so long.
    assert type(found) is dict
    with pytest.raises(DataNotFoundError):
        loader.load_data("no-such-data")


def test_the_default_session_is_a_quick_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    aws_clients.make_quickly()
    session = boto3._get_default_session()  # pyright: ignore
    loader = session._session.get_component("data_loader")  # pyright: ignore
    assert type(loader).__name__ == "Named"
