"""The provider against a moto of its own, an offline one, and what both are asked."""

import logging
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from moto.rds.models import RDSBackend, rds_backends
from moto.rds.responses import RDSResponse
from moto.server import ThreadedMotoServer

from localcloud.provider.aws import Aws
from tests.localcloud.provider_engine import Engine, provider

VPC = "aws:ec2/vpc:Vpc"
INSTANCE = "aws:rds/instance:Instance"
FUNCTION = "aws:lambda/function:Function"
INVOCATION = "aws:lambda/invocation:Invocation"
GROUP = "aws:autoscaling/group:Group"
DATABASE: dict[str, Any] = {
    "identifier": "orders",
    "engine": "postgres",
    "engineVersion": "17",
    "instanceClass": "db.t4g.micro",
    "allocatedStorage": 20,
    "username": "pgadmin",
    "passwordWo": "throwaway-password",
    "passwordWoVersion": 1,
    "skipFinalSnapshot": True,
}

# Read while files are collected, before one of them runs.
_ACTIONS = dict(vars(RDSResponse))


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # moto's own instances: another file's databases may have replaced them in this process.
    monkeypatch.setattr(rds_backends, "backend", RDSBackend)
    for name in set(vars(RDSResponse)) - set(_ACTIONS):
        monkeypatch.delattr(RDSResponse, name)
    for name, action in _ACTIONS.items():
        if vars(RDSResponse)[name] is not action:
            monkeypatch.setattr(RDSResponse, name, action)
    rds_backends.clear()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("PGKEEP_LOCALCLOUD_ENDPOINT", f"http://{host}:{port}")
    monkeypatch.delenv("PGKEEP_OFFLINE_PREVIEW", raising=False)
    yield f"http://{host}:{port}"
    from moto.moto_api._internal import moto_api_backend

    moto_api_backend.reset()
    rds_backends.clear()
    server.stop()


@pytest.fixture
def engine(endpoint: str) -> Iterator[Engine]:
    with provider() as found:
        yield found


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.delenv("PGKEEP_LOCALCLOUD_ENDPOINT", raising=False)
    monkeypatch.setenv("PGKEEP_OFFLINE_PREVIEW", "1")
    with provider() as found:
        yield found


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    seen: list[tuple[str, dict[str, Any]]] = []
    real = Aws.call

    def record(self: Aws, service: str, operation: str, parameters: Any, **more: Any) -> Any:
        seen.append((operation, dict(parameters)))
        return real(self, service, operation, parameters, **more)

    monkeypatch.setattr(Aws, "call", record)
    return seen


def details(error: pytest.ExceptionInfo[grpc.RpcError]) -> str:
    return str(error.value.details())  # pyright: ignore
