"""Inputs are checked against pulumi-aws's own types, before anything is made."""

import pytest

from localcloud.provider import introspect, sdk_types
from localcloud.provider.registry import RESOURCES
from localcloud.provider.wire import UNKNOWN, Archive, Asset, Unknown
from tests.localcloud.provider_engine import CheckFailed, Engine, provider

VPC = "aws:ec2/vpc:Vpc"
INSTANCE = "aws:rds/instance:Instance"
DATABASE = {
    "identifier": "orders",
    "engine": "postgres",
    "instanceClass": "db.t4g.micro",
    "allocatedStorage": 20,
    "username": "pgadmin",
    "passwordWo": "throwaway",
    "passwordWoVersion": 1,
    "skipFinalSnapshot": True,
}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("PGKEEP_LOCALCLOUD_ENDPOINT", raising=False)
    monkeypatch.setenv("PGKEEP_OFFLINE_PREVIEW", "1")
    with provider() as found:
        yield found


def test_the_types_file_is_what_the_installed_sdk_declares():
    assert introspect.TYPES_FILE.read_text() == introspect.rendered(), (
        "run python -m localcloud.provider.introspect"
    )


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({"publicly_accesible": True}, "publicly_accesible: Instance main: .* no such property"),
        ({"publiclyAccesible": True}, "did you mean publiclyAccessible?"),
        ({"instanceClass": None}, "instanceClass: Instance main: instanceClass: is required"),
        ({"port": "5432"}, "port: must be an integer, not string '5432'"),
        ({"multiAz": "yes"}, "multiAz: must be a boolean, not string 'yes'"),
        ({"allocatedStorage": True}, "allocatedStorage: must be an integer"),
        ({"vpcSecurityGroupIds": "sg-1"}, "vpcSecurityGroupIds: must be a list"),
        ({"vpcSecurityGroupIds": ["sg-1", 5]}, r"vpcSecurityGroupIds\[1\]: must be a string"),
        ({"tags": {"Name": 5}}, "tags.Name: must be a string"),
        ({"tags": ["Name"]}, "tags: must be a map"),
        ({"passwordWo": None}, "password: one of password, passwordWo"),
        ({"identifier": "Orders"}, "identifier: 'Orders' must be in lower case"),
        ({"monitoringInterval": 7}, "monitoringInterval: 7 is not one of"),
    ],
)
def test_a_wrong_input_is_named(engine: Engine, changes: dict[str, object], failure: str):
    inputs = {k: v for k, v in {**DATABASE, **changes}.items() if v is not None}
    with pytest.raises(CheckFailed, match=failure):
        engine.check(INSTANCE, "main", inputs)


def test_a_nested_misspelling_is_named_by_its_path(engine: Engine):
    inputs = {"metadataOptions": {"httpToken": "required"}}
    with pytest.raises(
        CheckFailed, match=r"metadataOptions\.httpToken: .* did you mean httpTokens"
    ):
        engine.check("aws:ec2/launchTemplate:LaunchTemplate", "pooler", inputs)


def test_what_the_local_cloud_cannot_do_is_refused_by_name(engine: Engine):
    with pytest.raises(CheckFailed, match=r"grants: .* no equivalent in AWS"):
        inputs = {"bucket": "backups", "grants": [{"permissions": ["READ"], "type": "Group"}]}
        engine.check("aws:s3/bucket:Bucket", "backups", inputs)


def test_an_unsupported_type_is_named(engine: Engine):
    with pytest.raises(Exception, match="aws:ecs/cluster:Cluster is not supported"):
        engine.check("aws:ecs/cluster:Cluster", "x", {})


@pytest.mark.parametrize(
    ("kind", "inputs", "failure"),
    [
        ("aws:lambda/invocation:Invocation", {"functionName": "f", "input": "{"}, "not JSON"),
        (
            "aws:ec2/route:Route",
            {"routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0"},
            "exactly one target is needed, but 0",
        ),
        (
            "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
            {
                "securityGroupId": "sg-1",
                "ipProtocol": "tcp",
                "fromPort": 1,
                "toPort": 1,
                "cidrIpv4": "10.0.0.0/8",
                "prefixListId": "pl-1",
            },
            "exactly one of .* but 2 are given",
        ),
        ("aws:kms/alias:Alias", {"name": "x", "targetKeyId": "k"}, "must begin with alias/"),
        ("aws:cloudwatch/logGroup:LogGroup", {"retentionInDays": 31}, "31 is not one of"),
        (
            "aws:autoscaling/group:Group",
            {"minSize": 3, "maxSize": 2, "launchTemplate": {"id": "lt-1"}},
            "minSize: 3 is more than maxSize 2",
        ),
        (
            "aws:iam/rolePolicy:RolePolicy",
            {"role": "r", "policy": "nonsense"},
            "policy: is not JSON",
        ),
        ("aws:s3/bucket:Bucket", {"bucket": "Backups"}, "lower-case"),
        (
            "aws:lambda/function:Function",
            {
                "role": "r",
                "handler": "h.h",
                "runtime": "python3.13",
                "timeout": 901,
                "code": Archive(members={"h.py": Asset(text="x")}),
            },
            "timeout: 901 is not between 1 and 900 seconds",
        ),
    ],
)
def test_rules_between_properties(
    engine: Engine, kind: str, inputs: dict[str, object], failure: str
):
    with pytest.raises(CheckFailed, match=failure):
        engine.check(kind, "x", inputs)


def test_defaults_are_those_of_pulumi_aws(engine: Engine):
    inputs = engine.check(INSTANCE, "main", DATABASE)
    assert inputs["autoMinorVersionUpgrade"] is True
    assert inputs["publiclyAccessible"] is False
    assert inputs["monitoringInterval"] == 0
    assert engine.check(VPC, "main", {})["enableDnsSupport"] is True
    assert "enableDnsSupport" in engine.check(VPC, "main", {})["__defaults"]


def test_an_automatic_name_is_kept(engine: Engine):
    first = engine.check("aws:sqs/queue:Queue", "dead-letters", {})
    assert first["name"].startswith("dead-letters-")
    assert engine.check("aws:sqs/queue:Queue", "dead-letters", {}, first)["name"] == first["name"]


def test_default_tags_of_the_provider_reach_every_taggable_resource(engine: Engine):
    engine.configure(defaultTags='{"tags": {"stack": "prod", "owner": "a"}}')
    inputs = engine.check(VPC, "main", {"tags": {"owner": "b"}})
    assert inputs["tags"] == {"stack": "prod", "owner": "b"}
    assert "tags" not in engine.check(
        "aws:s3/bucketPolicy:BucketPolicy", "p", {"bucket": "b", "policy": "{}"}
    )


def _sample(notation: str, depth: int = 0) -> object:
    notation = notation.rstrip("!").split("|")[0]
    if notation.startswith("[]"):
        return [_sample(notation[2:], depth)]
    if notation.startswith("{}"):
        return {"key": _sample(notation[2:], depth)}
    simple: dict[str, object] = {
        "string": "text",
        "boolean": True,
        "integer": 1,
        "number": 1,
        "any": "text",
        "archive": Archive(members={"a": Asset(text="x")}),
        "asset": Asset(text="x"),
    }
    if notation in simple:
        return simple[notation]
    if depth > 3:
        return UNKNOWN
    return {
        name: _sample(kind, depth + 1)
        for name, kind in sdk_types.object_type(notation).items()
        if kind.endswith("!")
    }


@pytest.mark.parametrize("kind", sorted(RESOURCES))
def test_every_input_may_be_unknown_and_may_be_anything_of_its_type(engine: Engine, kind: str):
    """Nothing crashes: an input is accepted, or refused by the name of a property."""
    types = sdk_types.input_types(kind)
    required = {n: UNKNOWN for n, notation in types.items() if notation.endswith("!")}
    for name, notation in types.items():
        for value in (UNKNOWN, _sample(notation)):
            try:
                made = engine.create(kind, "x", True, **{**required, name: value})
            except CheckFailed:
                continue
            if isinstance(value, Unknown) and name not in RESOURCES[kind].write_only:
                assert made.outputs[name] is UNKNOWN


@pytest.mark.parametrize("kind", sorted(RESOURCES))
def test_the_table_carries_out_or_replaces_every_property_it_supports(kind: str):
    """A property that could be created but never changed would be ignored by an update."""
    resource = RESOURCES[kind]
    known = set(sdk_types.input_types(kind))
    named = resource.replaces | resource.local | resource.special | resource.later
    named |= set(resource.defaults) | resource.unordered | resource.json_properties
    assert named <= known | set(sdk_types.output_types(kind)), named - known
