"""Runs the program under mocks: every resource that it would declare, as the engine would see it.

No engine, no provider and no AWS account take part. At a preview nothing exists, so that every
output which AWS would make up is unknown, and the inputs made of it are too: in the engine's own
wire format, with the engine's URNs and property dependencies. Several stacks can be run one after
the other in one process.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
from google.protobuf import json_format
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2

from facts import regions
from pgkeep.immediate import immediate
from stacks.settings import Settings

PROJECT: Final = "pgkeep"
ACCOUNT: Final = "123456789012"
_STACK_TYPE: Final = "pulumi:pulumi:Stack"
_ENDPOINT_SERVICE: Final = "aws:ec2/getVpcEndpointService:getVpcEndpointService"


@dataclass(frozen=True)
class Declared:
    """One resource that the program declares, as the engine hands it to a policy pack."""

    urn: str
    type: str
    name: str
    custom: bool
    """Whether a provider manages it; a component only groups others."""
    inputs: Mapping[str, object]
    """In the wire format: camelCase, secrets and unknowns as the engine marks them."""
    property_dependencies: Mapping[str, tuple[str, ...]]
    parent: str
    protect: bool
    retain_on_delete: bool
    external: bool = False
    """Read (`.get`), not managed by the stack."""


@dataclass
class ProgramRun:
    """What the program declared, in the order of its registrations."""

    resources: list[Declared] = field(default_factory=list[Declared])
    exports: dict[str, Any] = field(default_factory=dict[str, Any])
    """Stack outputs that are known at a preview; the others are missing."""
    log: list[str] = field(default_factory=list[str])
    """What the program warned of."""


class UnansweredError(Exception):
    """The program asks AWS something that has no answer here."""


Answers = Callable[[str, Mapping[str, Any]], dict[str, Any]]
"""The result of a function (token, arguments) of the provider."""


class PreviewMonitor(mocks.MockMonitor):
    """The resource monitor of a preview in which nothing exists yet."""

    def __init__(self, stack: str, run: ProgramRun, answers: Answers) -> None:
        """Record into `run` what the program declares for `stack`."""
        super().__init__(_Unused())
        self._stack = stack
        self._run = run
        self._answers = answers
        self._lock = threading.Lock()

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """As the engine: all parents' types, without the stack's own."""
        qualified = parent.split("::")[2] if parent else _STACK_TYPE
        prefix = "" if qualified == _STACK_TYPE else f"{qualified}$"
        return f"urn:pulumi:{self._stack}::{PROJECT}::{prefix}{type_}::{name}"

    def Invoke(self, request: Any) -> Any:  # noqa: N802 (gRPC's signature)
        """Answers a function of the provider."""
        arguments = json_format.MessageToDict(request.args)
        response = resource_pb2.ResourceInvokeResponse()
        getattr(response, "return").update(self._answers(request.tok, arguments))
        return response

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        """Records the resource; its outputs are its inputs, and the rest is unknown."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type != _STACK_TYPE:
            dependencies = request.propertyDependencies
            self._keep(
                Declared(
                    urn=urn,
                    type=request.type,
                    name=request.name,
                    custom=request.custom,
                    inputs=json_format.MessageToDict(request.object),
                    property_dependencies={
                        key: tuple(dependencies[key].urns) for key in dependencies
                    },
                    parent=request.parent,
                    protect=request.protect,
                    retain_on_delete=request.retainOnDelete,
                )
            )
        return resource_pb2.RegisterResourceResponse(urn=urn, object=request.object)

    def ReadResource(self, request: Any) -> Any:  # noqa: N802
        """Records a resource that the program only reads (`.get`)."""
        urn = self.make_urn(request.parent, request.type, request.name)
        self._keep(
            Declared(
                urn=urn,
                type=request.type,
                name=request.name,
                custom=True,
                inputs=json_format.MessageToDict(request.properties),
                property_dependencies={},
                parent=request.parent,
                protect=False,
                retain_on_delete=False,
                external=True,
            )
        )
        return resource_pb2.ReadResourceResponse(urn=urn, properties=request.properties)

    def _keep(self, declared: Declared) -> None:
        with self._lock:
            self._run.resources.append(declared)


class _Unused(mocks.Mocks):
    """`PreviewMonitor` answers by itself."""

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise NotImplementedError

    def new_resource(self, args: mocks.MockResourceArgs) -> Any:
        raise NotImplementedError


def run(settings: Settings, region: str, answers: Answers | None = None) -> ProgramRun:
    """All resources of the stack that `settings` describe, at a preview of an empty stack.

    `region` is the AWS region of the stack's configuration; `answers` takes the place of the fixed
    answers of `aws_answers`.

    Raises:
        pulumi.RunError: the program refuses the settings.
        UnansweredError: the program uses a function of the provider that has no answer.
    """
    recorded = ProgramRun()
    chosen = answers or aws_answers(settings, region)
    execute(settings, PreviewMonitor(settings.environment, recorded, chosen), recorded)
    return recorded


def execute(settings: Settings, monitor: mocks.MockMonitor, recorded: ProgramRun) -> None:
    """Run the program of `__main__.py` for `settings` against `monitor` until all is registered."""
    # A context of its own: the root resource of the last stack must not be this one's.
    contextvars.copy_context().run(_execute, settings, monitor, recorded)


def _execute(settings: Settings, monitor: mocks.MockMonitor, recorded: ProgramRun) -> None:
    from components.platform import Platform

    with immediate():
        mocks.set_mocks(
            monitor.mocks,
            project=PROJECT,
            stack=settings.environment,
            preview=True,
            logger=_logger(recorded),
            monitor=monitor,
        )

        @pulumi.runtime.test
        def program() -> pulumi.Output[None]:
            exports = Platform(PROJECT, settings).exports

            def keep(name: str, value: Any) -> None:
                recorded.exports[name] = value

            outputs = [
                pulumi.Output.from_input(value).apply(lambda it, name=name: keep(name, it))
                for name, value in exports.items()
            ]
            return pulumi.Output.all(*outputs).apply(lambda _: None)

        program()


def _logger(recorded: ProgramRun) -> logging.Logger:
    """The engine's log, kept instead of printed."""

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            recorded.log.append(record.getMessage())

    logger = logging.Logger("program", logging.WARNING)
    logger.addHandler(Keep())
    return logger


def aws_answers(settings: Settings, region: str) -> Answers:
    """What an AWS account answers that has only the network and database of the settings."""
    partition = regions.partition_of(region)
    zones = regions.zones(region) or [f"{region}{zone}" for zone in "abc"]
    fixed: dict[str, dict[str, Any]] = {
        "aws:index/getRegion:getRegion": {"region": region, "id": region},
        "aws:index/getPartition:getPartition": {
            "partition": partition.name if partition else "aws",
            "dnsSuffix": partition.dns_suffix if partition else "amazonaws.com",
        },
        "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
        "aws:index/getAvailabilityZones:getAvailabilityZones": {
            "names": list(zones),
            "zoneIds": [f"{region}-az{number}" for number, _ in enumerate(zones, start=1)],
        },
        "aws:ec2/getAmi:getAmi": {"id": "ami-0123456789abcdef0"},
    }
    existing = settings.network.existing
    subnets: dict[str, dict[str, Any]] = {}
    if existing is not None:
        fixed["aws:ec2/getVpc:getVpc"] = {"id": existing.vpc_id}
        if endpoints := existing.endpoints:
            fixed["aws:ec2/getVpcEndpoint:getVpcEndpoint"] = {
                "id": "vpce-0123456789abcdef0",
                "state": "available",
                "privateDnsEnabled": True,
                "securityGroupIds": [endpoints.security_group_id],
                "prefixListId": endpoints.s3_prefix_list_id,
            }
        for tier in ("database", "host", "function"):
            for number, subnet_id in enumerate(getattr(existing, f"{tier}_subnet_ids")):
                subnets.setdefault(
                    subnet_id,
                    {
                        "id": subnet_id,
                        "vpcId": existing.vpc_id,
                        "availabilityZone": zones[number % len(zones)],
                        "mapPublicIpOnLaunch": False,
                    },
                )

    imported = settings.database.origin.existing
    if imported is not None and existing is not None:
        database = settings.database
        fixed["aws:rds/getSubnetGroup:getSubnetGroup"] = {"vpcId": existing.vpc_id}
        fixed["aws:rds/getInstance:getInstance"] = {
            "allocatedStorage": database.allocated_storage_gib,
            "availabilityZone": database.availability_zone or zones[0],
            "dbClusterIdentifier": "",
            "dbName": database.name,
            "dbParameterGroups": [f"{settings.prefix}-postgres{database.engine_version}"],
            "dbSubnetGroup": imported.identifier,
            "engine": "postgres",
            "engineVersion": f"{database.engine_version}.0",
            "kmsKeyId": imported.kms_key_arn,
            "masterUsername": database.master_username,
            "port": 5432,
            "replicateSourceDb": "",
            "storageEncrypted": True,
        }

    def answer(token: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if token == "aws:ec2/getSubnet:getSubnet" and arguments.get("id") in subnets:  # noqa: S105
            return subnets[str(arguments["id"])]
        if token == _ENDPOINT_SERVICE:
            return {"serviceName": f"com.amazonaws.{region}.{arguments.get('service')}"}
        if token not in fixed:
            raise UnansweredError(
                f"the program calls {token}, which has no answer without AWS "
                "(pgkeep/program.py, aws_answers)"
            )
        return fixed[token]

    return answer
