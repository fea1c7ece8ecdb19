"""A mock engine that records every resource and answers as AWS would."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml

from pgkeep.program import ProgramRun, execute
from stacks.settings import Settings, load

ACCOUNT = "123456789012"
REGION = "eu-west-1"
REPOSITORY = Path(__file__).parents[2]
ENVIRONMENTS = ("local", "dev", "staging", "prod")

# Outputs that AWS makes up; everything else is an input given back.
_MADE_UP: dict[str, Callable[[str], dict[str, Any]]] = {
    "aws:kms/key:Key": lambda name: {
        "arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}",
        "keyId": f"0123abcd-{name}",
    },
    "aws:kms/replicaKey:ReplicaKey": lambda name: {"keyId": f"mrk-{name}"},
    "aws:rds/instance:Instance": lambda name: {
        "address": f"{name}.example.{REGION}.rds.amazonaws.com",
        "port": 5432,
        "resourceId": f"db-{name}",
        "masterUserSecrets": [
            {"secretArn": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!db-0123-abcdef"}
        ],
    },
    "aws:lb/loadBalancer:LoadBalancer": lambda name: {
        "arn": f"arn:lb/{name}",
        "arnSuffix": f"net/{name}",
        "dnsName": f"{name}.elb.{REGION}.amazonaws.com",
    },
    "aws:lb/targetGroup:TargetGroup": lambda name: {
        "arn": f"arn:targets/{name}",
        "arnSuffix": f"targets/{name}",
    },
    "aws:ec2/vpcEndpoint:VpcEndpoint": lambda name: {"prefixListId": f"pl-{name}"},
    "aws:ec2/launchTemplate:LaunchTemplate": lambda name: {"latestVersion": 1},
    "aws:lambda/invocation:Invocation": lambda name: {
        "result": '{"ca_certificate": "PEM", "not_after": "2027-01-01"}'
    },
}


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """What was asked for: resources by Pulumi name, and invokes by token."""

    resources: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    components: list[tuple[str, str]] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)
    subnets: dict[str, dict[str, Any]] = field(default_factory=dict)
    instance: dict[str, Any] = field(default_factory=dict[str, Any])
    """The one that is there already, as `getInstance` shows it; with `vpcId`, its subnet group's."""
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Service → what `getVpcEndpoint` shows of its endpoint in the existing VPC."""
    zones: tuple[str, ...] = ("eu-west-1a", "eu-west-1b", "eu-west-1c")
    region: str = REGION
    partition: str = "aws"
    dns_suffix: str = "amazonaws.com"
    protected: set[str] = field(default_factory=set)
    retained: set[str] = field(default_factory=set)
    """On delete. Both are Pulumi names."""
    imports: dict[str, str] = field(default_factory=dict)
    """Pulumi name → id of what is imported."""
    ignored: dict[str, set[str]] = field(default_factory=dict)
    """Pulumi name → properties whose changes are ignored."""
    replaced_with: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Pulumi name → names of those whose replacement replaces the resource, deleting it first."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Record, and answer with the inputs and what AWS adds."""
        if not args.typ.startswith("aws:"):
            self.components.append((args.typ, args.name))
            return f"{args.name}-id", args.inputs
        assert args.name not in self.resources, f"two resources are named {args.name}"
        self.resources[args.name] = (args.typ, dict(args.inputs))
        outputs = {"arn": f"arn:{args.typ}/{args.name}", **args.inputs}
        made_up = _MADE_UP.get(args.typ)
        if made_up is not None:
            outputs |= made_up(args.name)
        outputs = {name: self._located(value) for name, value in outputs.items()}
        return f"{args.name}-id", outputs

    def _located(self, value: Any) -> Any:
        """What AWS makes up is named after the partition and the region."""
        if not isinstance(value, str):
            return value
        for text, local in (
            ("arn:aws:", f"arn:{self.partition}:"),
            (f"{REGION}.amazonaws.com", f"{REGION}.{self.dns_suffix}"),
            (REGION, self.region),
        ):
            value = value.replace(text, local)
        return value

    def call(
        self, args: pulumi.runtime.MockCallArgs
    ) -> dict[str, Any] | tuple[dict[str, Any], list[tuple[str, str]]]:
        """Answer the program's questions."""
        answers: dict[str, dict[str, Any]] = {
            "aws:index/getRegion:getRegion": {"region": self.region},
            "aws:index/getPartition:getPartition": {
                "partition": self.partition,
                "dnsSuffix": self.dns_suffix,
            },
            "aws:index/getCallerIdentity:getCallerIdentity": {"accountId": ACCOUNT},
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "names": list(self.zones),
                "zoneIds": [f"euw1-az{number}" for number, _ in enumerate(self.zones, start=1)],
            },
            "aws:ec2/getAmi:getAmi": {"id": "ami-0123456789abcdef0"},
            "aws:ec2/getVpc:getVpc": {"id": args.args.get("id")},
            "aws:ec2/getVpcEndpointService:getVpcEndpointService": {
                "serviceName": f"com.amazonaws.{self.region}.{args.args.get('service')}"
            },
        }
        if args.token == "aws:rds/getInstance:getInstance":
            assert args.args["dbInstanceIdentifier"] == self.instance["dbInstanceIdentifier"]
            return {name: value for name, value in self.instance.items() if name != "vpcId"}
        if args.token == "aws:rds/getSubnetGroup:getSubnetGroup":
            assert args.args["name"] == self.instance["dbSubnetGroup"]
            return {"vpcId": self.instance["vpcId"]}
        if args.token == "aws:ec2/getVpcEndpoint:getVpcEndpoint":
            service = args.args["serviceName"].rpartition(".")[2]
            if service not in self.endpoints:
                return {}, [("vpcId", "no matching EC2 VPC Endpoint found")]
            return {"id": f"vpce-{service}", **self.endpoints[service]}
        if args.token == "aws:ec2/getSubnet:getSubnet":
            return self.subnets[args.args["id"]]
        return answers[args.token]

    def inputs(self, name: str) -> dict[str, Any]:
        """Inputs of one resource."""
        return self.resources[name][1]

    def document(self, name: str, property_: str = "policy") -> dict[str, Any]:
        """A policy document of one resource, parsed."""
        return json.loads(self.inputs(name)[property_])

    def of_type(self, type_: str) -> dict[str, dict[str, Any]]:
        """Inputs of all resources of one type, by name."""
        return {name: inputs for name, (typ, inputs) in self.resources.items() if typ == type_}


class _Monitor(pulumi.runtime.mocks.MockMonitor):
    """The mock engine, which shows the mocks no options of a resource."""

    def RegisterResource(self, request: Any) -> Any:
        recorder = self.mocks
        assert isinstance(recorder, Recorder)
        if request.protect:
            recorder.protected.add(request.name)
        if request.retainOnDelete:
            recorder.retained.add(request.name)
        if request.importId:
            recorder.imports[request.name] = request.importId
        if request.ignoreChanges:
            recorder.ignored[request.name] = set(request.ignoreChanges)
        if request.replace_with:
            assert request.deleteBeforeReplace
            names = [urn.rpartition("::")[2] for urn in request.replace_with]
            recorder.replaced_with[request.name] = names
        return super().RegisterResource(request)


def raw_settings(environment: str) -> dict[str, Any]:
    """The settings of a stack as its file has them, with an empty group where it has none."""
    text = (REPOSITORY / f"stacks/Pulumi.{environment}.yaml").read_text()
    groups = ("network", "database", "replicas", "pooler", "backups", "functions", "secrets")
    return {group: {} for group in groups} | yaml.safe_load(text)["config"]["pgkeep:settings"]


def settings(environment: str) -> Settings:
    """The settings of a stack."""
    return load(raw_settings(environment), environment, REGION)


def deploy(settings: Settings, recorder: Recorder | None = None) -> Recorder:
    """Run the whole program for `settings` and wait for every resource.

    Without a recorder of its own, a test reads what another one recorded of the same settings.
    """
    if recorder is None:
        key = f"{settings.environment} {settings.model_dump_json()}"
        if key not in _RECORDED:
            _RECORDED[key] = deploy(settings, Recorder())
        return _RECORDED[key]
    run = ProgramRun()
    execute(settings, _Monitor(recorder), run)
    recorder.exports = run.exports
    return recorder


_RECORDED: dict[str, Recorder] = {}
