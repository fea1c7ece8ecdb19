"""Recorded resources as a CloudFormation template, so that cfn-lint can judge them.

Names correspond by their letters (`dbSubnetGroupName`, `DBSubnetGroupName`); the exceptions stand
in cloudformation_names.py. Values are put into the shape that CloudFormation's own schema asks for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pulumi

from facts.package_data import json_file
from tests.unit.cloudformation_names import (
    BUCKET_PARTS,
    RENAMES,
    TYPES,
    WITHOUT_PROPERTY,
    WITHOUT_TYPE,
    reshaped,
)
from tests.unit.recorder import ACCOUNT, REGION, Recorder

_SCHEMAS = "data/schemas"
# How the engine's wire format marks a secret.
_SECRET_MARK = "4dabf18193072939515e22adb298388d"


@dataclass
class Rendered:
    """A template, and what could not be put into it."""

    resources: dict[str, Any] = field(default_factory=dict)
    unknown_types: set[str] = field(default_factory=set)
    unknown_properties: set[tuple[str, str]] = field(default_factory=set)

    @property
    def template(self) -> str:
        return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": self.resources})


def render(recorder: Recorder) -> Rendered:
    """All recorded resources that CloudFormation has too."""
    rendered = Rendered()
    for name, (type_, inputs) in recorder.resources.items():
        if type_ in WITHOUT_TYPE or type_ in BUCKET_PARTS:
            continue
        if type_ not in TYPES:
            rendered.unknown_types.add(type_)
            continue
        cfn = TYPES[type_]
        plain = _plain(inputs, type_)
        if type_ == "aws:kms/alias:Alias" and "region" in inputs:
            # One name in two regions; a stack of CloudFormation is in one.
            plain["name"] += f"-{inputs['region']}"
        properties = _Conversion(rendered, type_, cfn).members(
            reshaped(type_, plain), _schema(cfn), ""
        )
        rendered.resources[_logical(name)] = {"Type": cfn, "Properties": properties}
    for type_, inputs in recorder.resources.values():
        if type_ in BUCKET_PARTS:
            _put_into_bucket(rendered, recorder, type_, inputs)
    return rendered


def _put_into_bucket(
    rendered: Rendered, recorder: Recorder, type_: str, inputs: dict[str, Any]
) -> None:
    buckets = recorder.of_type("aws:s3/bucket:Bucket")
    owner = next(
        name
        for name, bucket in buckets.items()
        if inputs["bucket"] in (bucket["bucket"], f"{name}-id")
    )
    part = BUCKET_PARTS[type_]
    schema = _schema("AWS::S3::Bucket")
    node = _resolved(schema["properties"][part], schema)
    plain = reshaped(type_, _plain(inputs, type_))
    del plain["bucket"]
    # The provider wraps some parts once more: { versioningConfiguration: { status } }.
    if len(plain) == 1 and next(iter(plain)).casefold() == part.casefold():
        (plain,) = plain.values()
    converted = _Conversion(rendered, type_, "AWS::S3::Bucket").value(plain, node, part)
    rendered.resources[_logical(owner)]["Properties"][part] = converted


def _plain(inputs: dict[str, Any], type_: str) -> dict[str, Any]:
    """Without what CloudFormation has no property for, and with secrets as their values."""
    # A stack of CloudFormation is in one region; the provider has an argument for it.
    left_out = {"region", *WITHOUT_PROPERTY.get(type_, {})}
    return {key: _open(value) for key, value in inputs.items() if key not in left_out}


def _open(value: Any) -> Any:
    if isinstance(value, dict):
        if _SECRET_MARK in value:
            return _open(value["value"])
        return {key: _open(each) for key, each in value.items()}
    return [_open(each) for each in value] if isinstance(value, list) else value


class _Conversion:
    """Puts one resource's inputs into the shape of CloudFormation's schema."""

    def __init__(self, rendered: Rendered, type_: str, cfn: str) -> None:
        self._rendered = rendered
        self._type = type_
        self._schema = _schema(cfn)
        self._renames = RENAMES.get(cfn, {})
        self._segment = cfn.rsplit("::", 1)[1]

    def members(self, inputs: dict[str, Any], node: dict[str, Any], path: str) -> dict[str, Any]:
        known = {name.casefold(): name for name in node["properties"]}
        found: dict[str, Any] = {}
        for key, value in inputs.items():
            dotted = f"{path}.{key}" if path else key
            name = self._name(key, dotted, known)
            if value is None or value == []:
                continue
            if name is None:
                self._rendered.unknown_properties.add((self._type, dotted))
                continue
            inner = _resolved(node["properties"][name], self._schema)
            found[name] = self.value(value, inner, dotted)
        return found

    def _name(self, key: str, dotted: str, known: dict[str, str]) -> str | None:
        candidates = [self._renames.get(dotted, ""), key]
        if key == "name":
            candidates.append(f"{self._segment}Name")
        if key.endswith("s"):
            candidates.append(key[:-1])
        candidates.append(f"{key}s")
        return next(
            (known[name.casefold()] for name in candidates if name.casefold() in known), None
        )

    def value(self, value: Any, node: dict[str, Any], path: str) -> Any:
        types = node.get("type", [])
        types = [types] if isinstance(types, str) else types
        if "array" in types:
            return self._array(value, _resolved(node.get("items", {}), self._schema), path)
        if isinstance(value, list) and len(value) == 1:
            return self.value(value[0], node, path)
        if isinstance(value, dict):
            return self.members(value, node, path) if "properties" in node else value
        return _scalar(value, types)

    def _array(self, value: Any, items: dict[str, Any], path: str) -> list[Any]:
        if isinstance(value, dict) and {"Key", "Value"} <= set(items.get("properties", {})):
            return [{"Key": key, "Value": each} for key, each in value.items()]
        if isinstance(value, dict) and {"Name", "Value"} <= set(items.get("properties", {})):
            return [{"Name": key, "Value": each} for key, each in value.items()]
        values = value if isinstance(value, list) else [value]
        return [self.value(each, items, path) for each in values]


def _scalar(value: Any, types: list[str]) -> Any:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.startswith("{") and "object" in types:
        return json.loads(value)
    if isinstance(value, bool) or (types == ["string"] and not isinstance(value, str)):
        return value if "boolean" in types else str(value).lower()
    return value


def _resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        node = schema["definitions"][name]
    return node


@cache
def _schema(cfn: str) -> dict[str, Any]:
    index = json_file("cfnlint", f"{_SCHEMAS}/providers/{REGION}.json")
    return json_file("cfnlint", f"{_SCHEMAS}/resources/{index[cfn]}.json")


def _logical(name: str) -> str:
    return "".join(part.capitalize() for part in name.replace("_", "-").split("-"))


# Ids as AWS makes them, by type: cfn-lint judges their form.
_IDS = {
    "aws:ec2/vpc:Vpc": "vpc",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/securityGroup:SecurityGroup": "sg",
    "aws:ec2/routeTable:RouteTable": "rtb",
    "aws:ec2/internetGateway:InternetGateway": "igw",
    "aws:ec2/natGateway:NatGateway": "nat",
    "aws:ec2/eip:Eip": "eipalloc",
    "aws:ec2/launchTemplate:LaunchTemplate": "lt",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpce",
}
_ARNS = {
    "aws:cloudwatch/logGroup:LogGroup": "logs:{region}:{account}:log-group:{name}",
    "aws:iam/role:Role": "iam::{account}:role/{name}",
    "aws:iam/instanceProfile:InstanceProfile": "iam::{account}:instance-profile/{name}",
    "aws:kms/key:Key": "kms:{region}:{account}:key/{uuid}",
    "aws:kms/replicaKey:ReplicaKey": "kms:{region}:{account}:key/{uuid}",
    "aws:lambda/function:Function": "lambda:{region}:{account}:function:{name}",
    "aws:lambda/layerVersion:LayerVersion": "lambda:{region}:{account}:layer:{name}:1",
    "aws:lb/loadBalancer:LoadBalancer": (
        "elasticloadbalancing:{region}:{account}:loadbalancer/net/{name}/{hex}"
    ),
    "aws:lb/targetGroup:TargetGroup": (
        "elasticloadbalancing:{region}:{account}:targetgroup/{name}/{hex}"
    ),
    "aws:rds/instance:Instance": "rds:{region}:{account}:db:{name}",
    "aws:s3/bucket:Bucket": "s3:::{name}",
    "aws:secretsmanager/secret:Secret": "secretsmanager:{region}:{account}:secret:{name}-abcdef",
    "aws:sns/topic:Topic": "sns:{region}:{account}:{name}",
    "aws:sqs/queue:Queue": "sqs:{region}:{account}:{name}",
}
# Their id is their name.
_NAMED = ("aws:iam/role:Role", "aws:iam/instanceProfile:InstanceProfile", "aws:s3/bucket:Bucket",
          "aws:rds/parameterGroup:ParameterGroup", "aws:rds/subnetGroup:SubnetGroup",
          "aws:rds/instance:Instance", "aws:cloudwatch/logGroup:LogGroup")  # fmt: skip


class AwsRecorder(Recorder):
    """Answers with ids and ARNs of AWS's form instead of names that only tests understand."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        id_, outputs = super().new_resource(args)
        digest = hashlib.sha256(args.name.encode()).hexdigest()
        name = args.inputs.get("name") or args.inputs.get("bucket") or args.inputs.get("identifier")
        if args.typ in _ARNS:
            resource = _ARNS[args.typ].format(
                region=args.inputs.get("region") or REGION,
                account=ACCOUNT,
                name=name or args.name,
                hex=digest[:16],
                uuid=f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}",
            )
            outputs["arn"] = f"arn:aws:{resource}"
        if args.typ in _IDS:
            id_ = f"{_IDS[args.typ]}-{digest[:17]}"
        elif args.typ in _NAMED and name:
            id_ = name
        elif args.typ in ("aws:kms/key:Key", "aws:kms/replicaKey:ReplicaKey"):
            id_ = outputs["keyId"] = outputs["arn"].rsplit("/", 1)[1]
        elif args.typ in ("aws:lb/loadBalancer:LoadBalancer", "aws:lb/targetGroup:TargetGroup",
                          "aws:sns/topic:Topic", "aws:lambda/layerVersion:LayerVersion"):  # fmt: skip
            id_ = outputs["arn"]
        if args.typ == "aws:ec2/vpcEndpoint:VpcEndpoint":
            outputs["prefixListId"] = f"pl-{digest[:8]}"
        return id_, outputs
