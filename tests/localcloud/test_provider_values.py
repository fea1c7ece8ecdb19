"""What holds for the inputs of all types: unknowns, secrets, write-only values, what exactly is sent."""

import base64
import json
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from localcloud.provider.wire import SECRET, SIGNATURE, UNKNOWN, decode, encode
from tests.localcloud import provider_moto
from tests.localcloud.provider_engine import Engine, client
from tests.localcloud.provider_moto import (
    DATABASE,
    INSTANCE,
    VPC,
    details,
)
from tests.localcloud.provider_sample import TAGS

endpoint = provider_moto.endpoint
engine = provider_moto.engine
offline = provider_moto.offline
calls = provider_moto.calls


# --- unknowns -------------------------------------------------------------------------------------


def test_a_preview_knows_the_inputs_and_nothing_that_aws_computes(offline: Engine):
    made = offline.create(VPC, "main", True, cidrBlock="10.77.0.0/16", tags=TAGS)
    assert made.id == ""
    assert made["cidrBlock"] == "10.77.0.0/16"
    assert made["enableDnsSupport"] is True
    assert made["tagsAll"] == TAGS
    assert made["region"] == "eu-west-1"
    assert made["arn"] is UNKNOWN
    assert made["mainRouteTableId"] is UNKNOWN


def test_unknown_inputs_stay_unknown_and_count_as_changes(engine: Engine):
    made = engine.create("aws:ec2/securityGroup:SecurityGroup", "a", description="one")
    diff = engine.diff(made, description=UNKNOWN)
    assert diff.replaces == ["description"]
    diff = engine.diff(made, description="one", tags={"Name": UNKNOWN})
    assert diff.diffs == ["tags"]
    assert diff.replaces == []


def test_an_update_that_makes_another_version_is_announced(engine: Engine):
    template = engine.create(
        "aws:ec2/launchTemplate:LaunchTemplate", "t", name="t", instanceType="t4g.small"
    )
    preview = engine.update(template, True, name="t", instanceType="t4g.medium")
    assert preview["latestVersion"] is UNKNOWN
    engine.update(template, name="t", instanceType="t4g.medium")
    assert template["latestVersion"] == 2


# --- secrets and write-only values ----------------------------------------------------------------


def test_a_secret_input_is_a_secret_output(engine: Engine):
    urn = Engine.urn("aws:ssm/parameter:Parameter", "p")
    news = encode({"name": "/p", "type": "SecureString", "value": "hush"}, {"value"})
    checked = engine.stub.Check(provider_pb2.CheckRequest(urn=urn, news=news)).inputs
    assert checked.fields["value"].struct_value.fields[SIGNATURE].string_value == SECRET
    made = engine.stub.Create(provider_pb2.CreateRequest(urn=urn, properties=checked)).properties
    assert made.fields["value"].struct_value.fields[SIGNATURE].string_value == SECRET
    assert decode(made).secret_keys == {"value"}
    assert made.fields["name"].string_value == "/p"
    read = engine.stub.Read(
        provider_pb2.ReadRequest(id="/p", urn=urn, properties=made, inputs=checked)
    )
    assert decode(read.properties).secret_keys == {"value"}


def test_a_secret_deep_inside_makes_its_property_secret():
    inner = encode({"value": "hush"}, {"value"}).fields["value"]
    struct = encode({"environment": {"variables": {}}})
    variables = struct.fields["environment"].struct_value.fields["variables"]
    variables.struct_value.fields["PASSWORD"].CopyFrom(inner)
    found = decode(struct)
    assert found.secret_keys == {"environment"}
    assert found.values == {"environment": {"variables": {"PASSWORD": "hush"}}}


def test_a_write_only_password_is_sent_and_never_kept(
    engine: Engine, calls: list[tuple[str, dict[str, Any]]]
):
    made = engine.create(INSTANCE, "main", **DATABASE)
    sent = dict(calls)["CreateDBInstance"]
    assert sent["MasterUserPassword"] == "throwaway-password"
    assert "throwaway" not in json.dumps(made.outputs)
    # Another password alone changes nothing; its version does.
    other = {**DATABASE, "passwordWo": "another-password"}
    assert engine.diff(made, **other).changed is False
    other["passwordWoVersion"] = 2
    assert engine.diff(made, **other).diffs == ["passwordWoVersion"]
    engine.update(made, **other)
    assert dict(calls)["ModifyDBInstance"]["MasterUserPassword"] == "another-password"
    assert "another-password" not in json.dumps(made.outputs)


# --- exact parameters -----------------------------------------------------------------------------


def test_database_parameters(engine: Engine, calls: list[tuple[str, dict[str, Any]]]):
    made = engine.create(
        INSTANCE,
        "main",
        **DATABASE,
        multiAz=False,
        backupRetentionPeriod=7,
        backupWindow="01:00-02:00",
        enabledCloudwatchLogsExports=["postgresql"],
        iamDatabaseAuthenticationEnabled=True,
        performanceInsightsEnabled=True,
        tags=TAGS,
    )
    assert dict(calls)["CreateDBInstance"] == {
        "DBInstanceIdentifier": "orders",
        "Engine": "postgres",
        "EngineVersion": "17",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20,
        "MasterUsername": "pgadmin",
        "MasterUserPassword": "throwaway-password",
        "MultiAZ": False,
        "BackupRetentionPeriod": 7,
        "PreferredBackupWindow": "01:00-02:00",
        "EnableCloudwatchLogsExports": ["postgresql"],
        "EnableIAMDatabaseAuthentication": True,
        "EnablePerformanceInsights": True,
        "AutoMinorVersionUpgrade": True,
        "CopyTagsToSnapshot": False,
        "DedicatedLogVolume": False,
        "MonitoringInterval": 0,
        "PubliclyAccessible": False,
        "Tags": [
            {"Key": "Name", "Value": "pgkeep"},
            {"Key": "environment", "Value": "test"},
        ],
    }
    assert made.id == made["resourceId"]
    assert made["endpoint"] == f"{made['address']}:{made['port']}"
    assert made["arn"] == "arn:aws:rds:eu-west-1:123456789012:db:orders"


@pytest.mark.parametrize(
    "change",
    [
        {"identifier": "other"},
        {"dbName": "other"},
        {"engine": "aurora-postgresql"},
        {"storageEncrypted": True},
        {"kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/x"},
        {"username": "other"},
        {"availabilityZone": "eu-west-1c"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_replaces_a_database(engine: Engine, change: dict[str, Any]):
    made = engine.create(INSTANCE, "main", **DATABASE)
    diff = engine.diff(made, **{**DATABASE, **change})
    assert diff.replaces == list(change)
    # A second instance cannot have the name that the program keeps.
    assert diff.delete_before_replace is ("identifier" not in change)


def test_parameter_group_differences(engine: Engine, calls: list[tuple[str, dict[str, Any]]]):
    kind = "aws:rds/parameterGroup:ParameterGroup"
    many = [{"name": f"parameter_{i:02}", "value": str(i)} for i in range(25)]
    made = engine.create(kind, "p", name="p", family="postgres17", parameters=many)
    sizes = [len(p["Parameters"]) for name, p in calls if name == "ModifyDBParameterGroup"]
    assert sizes == [20, 5]
    calls.clear()
    fewer = [*many[:23], {"name": "parameter_23", "value": "other"}]
    diff = engine.diff(made, name="p", family="postgres17", parameters=fewer)
    assert diff.diffs == ["parameters"]
    assert engine.diff(made, name="p", family="postgres17", parameters=many[::-1]).changed is False
    with pytest.raises(grpc.RpcError) as error:  # moto has no ResetDBParameterGroup
        engine.update(made, name="p", family="postgres17", parameters=fewer)
    assert "ResetDBParameterGroup of ParameterGroup p" in details(error)
    assert dict(calls)["ModifyDBParameterGroup"]["Parameters"] == [
        {"ParameterName": "parameter_23", "ParameterValue": "other", "ApplyMethod": "immediate"}
    ]
    assert dict(calls)["ResetDBParameterGroup"]["Parameters"] == [
        {"ParameterName": "parameter_24", "ApplyMethod": "immediate"}
    ]


def test_user_data_reaches_the_template_byte_for_byte(engine: Engine, endpoint: str):
    text = "#cloud-config\nwrite_files: [{path: /etc/x, content: 'é'}]\n".encode()
    engine.create(
        "aws:ec2/launchTemplate:LaunchTemplate",
        "t",
        name="pooler",
        userData=base64.b64encode(text).decode(),
    )
    found = client("ec2", endpoint).describe_launch_template_versions(LaunchTemplateName="pooler")
    data = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert base64.b64decode(data["UserData"]) == text


def test_a_security_group_starts_without_any_rule(engine: Engine, endpoint: str):
    made = engine.create("aws:ec2/securityGroup:SecurityGroup", "g")
    group = client("ec2", endpoint).describe_security_groups(GroupIds=[made.id])
    assert group["SecurityGroups"][0]["IpPermissionsEgress"] == []
    assert made["description"] == "Managed by Pulumi"
