"""The host of long backups: what it is made of, what it may do, and a stack without one."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from stacks.settings import SettingsError, load
from tests.unit.alarms import alarm, alarms_of, failed_run
from tests.unit.conftest import Deployed
from tests.unit.function_statements import HERE, KEYS, allow, make_backups
from tests.unit.recorder import Recorder, deploy, raw_settings
from tests.unit.test_network import tags


def name(environment: str) -> str:
    return f"pgkeep-{environment}-backup-worker"


def bucket(environment: str) -> str:
    return f"pgkeep-{environment}-backups-123456789012-eu-west-1"


def group_arn(environment: str) -> str:
    return f"arn:aws:autoscaling:{HERE}:autoScalingGroup:*:autoScalingGroupName/{name(environment)}"


def changed(environment: str, **worker: Any) -> dict[str, Any]:
    raw = raw_settings(environment)
    raw["backups"]["worker"] = worker
    return raw


@functools.cache
def without() -> Recorder:
    return deploy(load(changed("prod", enabled=False), "prod"))


def test_its_role_is_the_function_s_and_its_own_end(deployed: Deployed, environment: str) -> None:
    recorder = deployed(environment)
    log = f"arn:aws:logs:{HERE}:log-group:/pgkeep/pgkeep-{environment}/backup-worker:*"
    assert recorder.document("backup-worker-role-policy")["Statement"] == [
        *make_backups(environment),
        allow(
            "ReadRequestsAndCode",
            ["s3:GetObject"],
            [
                f"arn:aws:s3:::{bucket(environment)}/handover/*/request.json",
                f"arn:aws:s3:::{bucket(environment)}/worker/*",
            ],
        ),
        allow("WriteOwnLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [log]),
        allow(
            "EndItself",
            ["autoscaling:TerminateInstanceInAutoScalingGroup"],
            [group_arn(environment)],
        ),
    ]
    trust = recorder.document("backup-worker-role-role", "assumeRolePolicy")["Statement"]
    assert [one["Principal"] for one in trust] == [{"Service": "ec2.amazonaws.com"}]


def test_the_template(deployed: Deployed, environment: str) -> None:
    inputs = dict(deployed(environment).inputs("backup-worker-template"))
    assert inputs.pop("description")
    assert inputs.pop("userData")
    own = tags(environment, name(environment))
    assert inputs == {
        "name": name(environment),
        "imageId": "ami-0123456789abcdef0",
        "instanceType": "c6i.large" if environment == "local" else "c6g.large",
        "instanceInitiatedShutdownBehavior": "terminate",
        "updateDefaultVersion": True,
        "ebsOptimized": "true",
        "iamInstanceProfile": {
            "arn": "arn:aws:iam/instanceProfile:InstanceProfile/backup-worker-profile"
        },
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
            "instanceMetadataTags": "disabled",
        },
        "monitoring": {"enabled": True},
        "networkInterfaces": [
            {
                "associatePublicIpAddress": "false",
                "deleteOnTermination": "true",
                "securityGroups": ["security-groups-backup-worker-id"],
            }
        ],
        "blockDeviceMappings": [
            {
                "deviceName": "/dev/xvda",
                "ebs": {
                    "volumeType": "gp3",
                    "volumeSize": 8,
                    "deleteOnTermination": "true",
                    "encrypted": "true",
                    "kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/keys-hosts",
                },
            }
        ],
        "tagSpecifications": [
            {"resourceType": kind, "tags": own} for kind in ("instance", "volume")
        ],
        "tags": own,
    }


def test_the_group_is_empty_and_an_update_leaves_its_capacity(
    deployed: Deployed, environment: str
) -> None:
    zones = range(1, 4 if environment == "prod" else 3)
    own = tags(environment, name(environment))
    assert deployed(environment).inputs("backup-worker-group") == {
        "name": name(environment),
        "minSize": 0,
        "maxSize": 1,
        "vpcZoneIdentifiers": [f"network-hosts-{zone}-id" for zone in zones],
        "launchTemplate": {"id": "backup-worker-template-id", "version": "1"},
        "healthCheckType": "EC2",
        "healthCheckGracePeriod": 300,
        "enabledMetrics": ["GroupInServiceInstances"],
        "metricsGranularity": "1Minute",
        "tags": [{"key": key, "value": own[key], "propagateAtLaunch": True} for key in own],
    }


def test_it_runs_what_the_function_runs_by_its_hash(
    deployed: Deployed, environment: str, built: Path
) -> None:
    recorder = deployed(environment)
    architecture = "x86_64" if environment == "local" else "arm64"
    text = gzip.decompress(
        base64.b64decode(recorder.inputs("backup-worker-template")["userData"])
    ).decode()
    files = {one["path"]: one["content"] for one in yaml.safe_load(text)["write_files"]}
    said = dict(line.split("=", 1) for line in files["/etc/pgkeep/worker.env"].splitlines())
    for variable, object_, path in (
        ("CODE_OBJECT", "functions", f"functions-{architecture}"),
        ("SDK_OBJECT", "aws-sdk", "aws-sdk"),
        ("CLIENT_OBJECT", "postgresql-client", f"postgresql-client-17-{architecture}"),
    ):
        digest = hashlib.sha256((built / f"{path}.zip").read_bytes()).hexdigest()
        inputs = dict(recorder.inputs(f"backup-worker-{object_}"))
        inputs.pop("source")
        assert inputs == {
            "bucket": bucket(environment),
            "key": f"worker/{object_}.zip",
            "sourceHash": digest,
            "contentType": "application/zip",
            "serverSideEncryption": "aws:kms",
            "kmsKeyId": f"{KEYS}backups",
        }
        assert said[variable] == f'"worker/{object_}.zip {digest}"'
        # A locked version cannot be deleted with the stack.
        assert f"backup-worker-{object_}" in recorder.retained


def test_the_log_and_the_profile(deployed: Deployed, environment: str) -> None:
    recorder, path = deployed(environment), f"/pgkeep/pgkeep-{environment}/backup-worker"
    assert recorder.inputs("backup-worker-log") == {
        "name": path,
        "kmsKeyId": f"{KEYS}telemetry",
        "retentionInDays": {"local": 7, "dev": 30, "staging": 90, "prod": 365}[environment],
        "deletionProtectionEnabled": environment in ("staging", "prod"),
        "tags": tags(environment, path),
    }
    assert recorder.inputs("backup-worker-profile") == {
        "name": name(environment),
        "role": name(environment),
        "tags": tags(environment, name(environment)),
    }


def test_what_passes_the_endpoint_of_auto_scaling(deployed: Deployed) -> None:
    calls, looks = deployed("prod").document("endpoints-autoscaling")["Statement"]
    pooler = group_arn("prod").replace("backup-worker", "pooler")
    assert calls["Action"] == [
        "autoscaling:CompleteLifecycleAction",
        "autoscaling:SetDesiredCapacity",
        "autoscaling:TerminateInstanceInAutoScalingGroup",
    ]
    assert calls["Resource"] == [pooler, group_arn("prod")]
    assert (looks["Action"], looks["Resource"]) == (
        ["autoscaling:DescribeAutoScalingGroups"],
        ["*"],
    )
    for statement in (calls, looks):
        assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}


def test_a_failed_worker_and_one_that_stays_are_alarms(deployed: Deployed) -> None:
    found = alarms_of(deployed("prod"), "prod")
    assert {label: found[label] for label in found if label.startswith("backup-worker-")} == {
        "backup-worker-failed": failed_run("BackupWorkerSuccess", period=60),
        "backup-worker-stays": alarm(
            "GroupInServiceInstances",
            {"AutoScalingGroupName": "pgkeep-prod-backup-worker"},
            0,
            namespace="AWS/AutoScaling",
            statistic="Minimum",
            period=3600,
            evaluationPeriods=7,
            treatMissingData="notBreaching",
        ),
    }


def test_a_stack_without_one_has_nothing_of_it() -> None:
    recorder = without()
    assert [one for one in recorder.resources if "backup-worker" in one] == []
    assert recorder.exports["backup_worker_group"] is None
    variables = recorder.inputs("backup-function")["environment"]["variables"]
    assert "WORKER_GROUP" not in variables
    calls = recorder.document("endpoints-autoscaling")["Statement"]
    assert [one["Action"] for one in calls] == [["autoscaling:CompleteLifecycleAction"]]
    sids = [one["Sid"] for one in recorder.document("backup-policy")["Statement"]]
    assert {"SeeWorkers", "StartWorker"}.isdisjoint(sids)
    writers = [
        one["Principal"]
        for one in recorder.document("backups-policy")["Statement"]
        if one["Sid"].startswith("DenyWriter")
    ]
    assert writers == [{"AWS": "arn:aws:iam/role:Role/backup-role"}] * 2


def test_where_manifests_are_signed_it_signs_them() -> None:
    raw = raw_settings("dev")
    raw["backups"]["sign_manifests"] = True
    recorder = deploy(load(raw, "dev"))
    signs = [
        one
        for one in recorder.document("backup-worker-role-policy")["Statement"]
        if one["Sid"] == "SignManifests"
    ]
    key = f"{KEYS}manifests"
    assert signs == [allow("SignManifests", ["kms:GenerateMac"], [key])]
    user_data = base64.b64decode(recorder.inputs("backup-worker-template")["userData"])
    assert f"MANIFEST_KEY_ARN={key}\n" in gzip.decompress(user_data).decode()


def test_the_limit_of_hashing_is_the_functions_the_workers_and_peoples() -> None:
    raw = raw_settings("dev")
    raw["backups"]["hash_tables_up_to_gib"] = 100
    recorder = deploy(load(raw, "dev"))
    limit = 100 * 1024**3
    variables = recorder.inputs("backup-function")["environment"]["variables"]
    assert variables["LARGEST_HASHED_TABLE_BYTES"] == str(limit)
    user_data = base64.b64decode(recorder.inputs("backup-worker-template")["userData"])
    assert f"LARGEST_HASHED_TABLE_BYTES={limit}\n" in gzip.decompress(user_data).decode()
    assert recorder.exports["backup_largest_hashed_table_bytes"] == limit
    variables = without().inputs("backup-function")["environment"]["variables"]
    assert "LARGEST_HASHED_TABLE_BYTES" not in variables


def test_it_goes_out_through_nat_where_there_are_no_endpoints() -> None:
    raw = raw_settings("dev")
    raw["network"]["interface_endpoints"] = False
    inputs = deploy(load(raw, "dev")).inputs("security-groups-backup-worker-to-aws")
    assert inputs["securityGroupId"] == "security-groups-backup-worker-id"
    assert (inputs["fromPort"], inputs["toPort"], inputs["cidrIpv4"]) == (443, 443, "0.0.0.0/0")


@pytest.mark.parametrize(
    ("worker", "refused"),
    [
        (
            {"instance_type": "c6i.large"},
            r"backups\.worker\.instance_type: 'c6i\.large' refused, a type of arm64",
        ),
        (
            {"instance_type": "c99g.large"},
            r"backups\.worker\.instance_type: 'c99g\.large' refused, a type that EC2 offers in "
            "eu-west-1",
        ),
        ({"longest_hours": 21}, r"backups\.worker\.longest_hours: 21 hours refused"),
    ],
)
def test_what_is_refused(worker: dict[str, Any], refused: str) -> None:
    with pytest.raises(SettingsError, match=refused):
        load(changed("prod", **worker), "prod", "eu-west-1")


def test_a_machine_and_an_image_of_one_s_own() -> None:
    chosen = {"instance_type": "r7g.xlarge", "image_id": "ami-0fedcba9876543210"}
    inputs = deploy(load(changed("prod", **chosen), "prod")).inputs("backup-worker-template")
    assert (inputs["instanceType"], inputs["imageId"]) == tuple(chosen.values())


def test_the_pooler_s_image_serves_where_the_processor_is_the_same() -> None:
    raw = raw_settings("prod")
    raw["pooler"]["image_id"] = "ami-0fedcba9876543210"
    template = deploy(load(raw, "prod")).inputs("backup-worker-template")
    assert template["imageId"] == "ami-0fedcba9876543210"
