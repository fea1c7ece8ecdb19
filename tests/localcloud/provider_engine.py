"""Plays the Pulumi engine's part towards the provider over real gRPC, against an in-process moto."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from localcloud.provider.__main__ import serve
from localcloud.provider.wire import decode, encode


@dataclass
class Made:
    """A resource as the engine keeps it."""

    token: str
    name: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]

    @property
    def urn(self) -> str:
        return f"urn:pulumi:test::pgkeep::{self.token}::{self.name}"

    def __getitem__(self, key: str) -> Any:
        return self.outputs[key]


@dataclass
class Diff:
    """A diff response in plain words."""

    changed: bool
    diffs: list[str]
    replaces: list[str]
    detailed: dict[str, int]
    delete_before_replace: bool


class CheckFailed(Exception):
    """The failures of a check, `property: reason` a line."""


@dataclass
class Engine:
    """One configured provider."""

    stub: Any
    region: str = "eu-west-1"
    made: list[Made] = field(default_factory=list)

    def configure(self, **config: Any) -> Any:
        args = encode({"region": self.region, **config})
        return self.stub.Configure(provider_pb2.ConfigureRequest(args=args, acceptSecrets=True))

    @staticmethod
    def urn(token: str, name: str) -> str:
        return f"urn:pulumi:test::pgkeep::{token}::{name}"

    def check(
        self,
        token: str,
        name: str,
        inputs: Mapping[str, Any],
        olds: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        response = self.stub.Check(
            provider_pb2.CheckRequest(
                urn=self.urn(token, name),
                news=encode(inputs),
                olds=encode(olds or {}),
                randomSeed=b"seed" + name.encode(),
            )
        )
        if response.failures:
            raise CheckFailed("\n".join(f"{f.property}: {f.reason}" for f in response.failures))
        return decode(response.inputs).values

    def create(self, token: str, name: str, preview: bool = False, /, **inputs: Any) -> Made:
        checked = self.check(token, name, inputs)
        response = self.stub.Create(
            provider_pb2.CreateRequest(
                urn=self.urn(token, name), properties=encode(checked), preview=preview
            )
        )
        outputs = decode(response.properties).values
        made = Made(token, name, response.id, checked, outputs)
        if not preview:
            self.made.append(made)
        return made

    def diff(self, made: Made, /, **inputs: Any) -> Diff:
        checked = self.check(made.token, made.name, inputs, made.inputs)
        response = self.stub.Diff(
            provider_pb2.DiffRequest(
                id=made.id,
                urn=made.urn,
                olds=encode(made.outputs),
                news=encode(checked),
                old_inputs=encode(made.inputs),
            )
        )
        return Diff(
            response.changes == provider_pb2.DiffResponse.DIFF_SOME,
            list(response.diffs),
            list(response.replaces),
            {path: item.kind for path, item in response.detailedDiff.items()},
            response.deleteBeforeReplace,
        )

    def update(self, made: Made, preview: bool = False, /, **inputs: Any) -> Made:
        checked = self.check(made.token, made.name, inputs, made.inputs)
        response = self.stub.Update(
            provider_pb2.UpdateRequest(
                id=made.id,
                urn=made.urn,
                olds=encode(made.outputs),
                news=encode(checked),
                old_inputs=encode(made.inputs),
                preview=preview,
            )
        )
        outputs = decode(response.properties).values
        if preview:
            return Made(made.token, made.name, made.id, checked, outputs)
        made.inputs, made.outputs = checked, outputs
        return made

    def read(self, made: Made) -> Made | None:
        response = self.stub.Read(
            provider_pb2.ReadRequest(
                id=made.id,
                urn=made.urn,
                properties=encode(made.outputs),
                inputs=encode(made.inputs),
            )
        )
        if not response.id:
            return None
        return Made(
            made.token,
            made.name,
            response.id,
            decode(response.inputs).values,
            decode(response.properties).values,
        )

    def delete(self, made: Made) -> None:
        self.stub.Delete(
            provider_pb2.DeleteRequest(
                id=made.id,
                urn=made.urn,
                properties=encode(made.outputs),
                old_inputs=encode(made.inputs),
            )
        )
        if made in self.made:
            self.made.remove(made)

    def invoke(self, token: str, /, **args: Any) -> dict[str, Any]:
        response = self.stub.Invoke(provider_pb2.InvokeRequest(tok=token, args=encode(args)))
        if response.failures:
            raise CheckFailed("\n".join(f"{f.property}: {f.reason}" for f in response.failures))
        return decode(getattr(response, "return")).values


@contextmanager
def provider() -> Iterator[Engine]:
    """A provider on a port of its own; the environment says where it works."""
    server, port = serve()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    try:
        engine = Engine(provider_pb2_grpc.ResourceProviderStub(channel))
        engine.configure()
        yield engine
    finally:
        channel.close()
        server.stop(grace=None).wait()


def client(service: str, endpoint: str) -> Any:
    """A boto3 client to see what the provider really did."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
