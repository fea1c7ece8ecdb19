"""The backup bucket's own guards, as the components write them, hold in the local cloud's S3."""

import contextlib
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from components.bucket_statements import (
    permanent,
    records,
    replicas_only,
    secure_transport,
    write_once,
)
from components.deployment import Deployment
from stacks.settings import load
from tests.localcloud.defects_cloud import as_role, with_header
from tests.localcloud.planes import REGION, Planes
from tests.unit.recorder import raw_settings

pytestmark = pytest.mark.root

ACCOUNT = "123456789012"
WRITER = f"arn:aws:iam::{ACCOUNT}:role/backup-writer"
COPIES_REGION = "eu-central-1"


def deployment(*glass: str) -> Deployment:
    raw = raw_settings("staging")
    raw["backups"] = {"break_glass_role_arns": list(glass)}
    return Deployment(load(raw, "staging"), ACCOUNT, "aws", "amazonaws.com", REGION, ())


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory):
    with Planes(tmp_path_factory.mktemp("pk"), "defects", "functions") as started:
        yield started


def make(
    planes: Planes, name: str, *statements: dict[str, Any], lock: bool = True, region: str = REGION
):
    s3 = planes.client("s3", region_name=region)
    s3.create_bucket(
        Bucket=name,
        CreateBucketConfiguration={"LocationConstraint": region},
        ObjectLockEnabledForBucket=lock,
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    if statements:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(document))
    return s3


def upload(client: Any, bucket: str, key: str, **complete: Any) -> str:
    begun = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    part = client.upload_part(Bucket=bucket, Key=key, UploadId=begun, PartNumber=1, Body=b"1")
    answer = client.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=begun,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
        **complete,
    )
    return answer["VersionId"]


@pytest.fixture(scope="module")
def writer(planes: Planes):
    """A client of the writer's role, which its own policy allows everything in S3."""
    client = as_role(planes, "backup-writer", "s3")
    planes.allow("backup-writer", ["s3:*"], "*")
    return client


def test_the_writer_adds_and_neither_replaces_nor_deletes(planes: Planes, writer: Any) -> None:
    arn = "arn:aws:s3:::written-once"
    make(planes, "written-once", *secure_transport(arn), *write_once(arn, [WRITER]))
    writer.put_object(Bucket="written-once", Key="daily/1", Body=b"1", IfNoneMatch="*")
    version = upload(writer, "written-once", "daily/2", IfNoneMatch="*")
    # Without the condition nothing is written at all, with it nothing twice.
    for key in ("daily/1", "daily/3"):
        with pytest.raises(ClientError, match="explicit deny"):
            writer.put_object(Bucket="written-once", Key=key, Body=b"2")
        with pytest.raises(ClientError, match="explicit deny"):
            upload(writer, "written-once", key)
    with pytest.raises(ClientError, match="PreconditionFailed"):
        writer.put_object(Bucket="written-once", Key="daily/1", Body=b"2", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        upload(writer, "written-once", "daily/2", IfNoneMatch="*")
    with pytest.raises(ClientError, match="s3:DeleteObject"):
        writer.delete_object(Bucket="written-once", Key="daily/1")
    with pytest.raises(ClientError, match="s3:DeleteObjectVersion"):
        writer.delete_object(Bucket="written-once", Key="daily/2", VersionId=version)
    with pytest.raises(ClientError, match="s3:PutLifecycleConfiguration"):
        writer.delete_bucket_lifecycle(Bucket="written-once")
    assert writer.get_object(Bucket="written-once", Key="daily/1")["Body"].read() == b"1"
    assert writer.get_object(Bucket="written-once", Key="daily/2")["Body"].read() == b"1"


def test_plain_transport_is_refused_to_everybody(planes: Planes) -> None:
    s3 = make(planes, "no-plain", *secure_transport("arn:aws:s3:::no-plain"))
    s3.put_object(Bucket="no-plain", Key="k", Body=b"1")
    plain = with_header(planes.client("s3"), "X-Forwarded-Proto", "http")
    for call in (
        lambda: plain.get_object(Bucket="no-plain", Key="k"),
        lambda: plain.put_object(Bucket="no-plain", Key="k", Body=b"2"),
        lambda: plain.list_objects_v2(Bucket="no-plain"),
    ):
        with pytest.raises(ClientError, match=r"AccessDenied"):
            call()


def test_only_break_glass_deletes_for_good(planes: Planes) -> None:
    arn, glass = "arn:aws:s3:::for-good", f"arn:aws:iam::{ACCOUNT}:role/break-glass"
    s3 = make(planes, "for-good", *permanent(deployment(glass), arn))
    version = s3.put_object(Bucket="for-good", Key="k", Body=b"1")["VersionId"]
    one = {"Objects": [{"Key": "k", "VersionId": version}]}
    with pytest.raises(ClientError, match="explicit deny"):
        s3.delete_object(Bucket="for-good", Key="k", VersionId=version)
    assert s3.delete_objects(Bucket="for-good", Delete=one)["Errors"][0]["Code"] == "AccessDenied"
    # A marker hides the object; the version stays.
    s3.delete_objects(Bucket="for-good", Delete={"Objects": [{"Key": "k"}]})
    assert [v["VersionId"] for v in s3.list_object_versions(Bucket="for-good")["Versions"]] == [
        version
    ]
    client = as_role(planes, "break-glass", "s3")
    planes.allow("break-glass", ["s3:DeleteObjectVersion"], f"{arn}/*")
    client.delete_object(Bucket="for-good", Key="k", VersionId=version)
    assert "Versions" not in s3.list_object_versions(Bucket="for-good")


def lock(s3: Any, bucket: str, mode: str, days: int = 2) -> None:
    s3.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": mode, "Days": days}},
        },
    )


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_new_versions_are_locked_however_they_came(planes: Planes, mode: str) -> None:
    name = f"locked-{mode.lower()}"
    s3 = make(planes, name)
    before = s3.put_object(Bucket=name, Key="before", Body=b"0")["VersionId"]
    lock(s3, name, mode)
    put = s3.put_object(Bucket=name, Key="put", Body=b"1")["VersionId"]
    multipart = upload(s3, name, "multipart")
    for key, version in (("put", put), ("multipart", multipart)):
        retention = s3.get_object_retention(Bucket=name, Key=key)["Retention"]
        assert retention["Mode"] == mode
        left = retention["RetainUntilDate"] - datetime.now(UTC)
        assert timedelta(days=1) < left <= timedelta(days=2)
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(Bucket=name, Key=key, VersionId=version)
        sooner = {"Mode": mode, "RetainUntilDate": datetime.now(UTC) + timedelta(hours=1)}
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.put_object_retention(Bucket=name, Key=key, VersionId=version, Retention=sooner)
    bypass = {"Bucket": name, "Key": "put", "VersionId": put, "BypassGovernanceRetention": True}
    if mode == "COMPLIANCE":
        with pytest.raises(ClientError, match="AccessDenied"):
            s3.delete_object(**bypass)
    else:
        s3.delete_object(**bypass)
    # What was there before is not locked.
    s3.delete_object(Bucket=name, Key="before", VersionId=before)


def test_a_governance_lock_needs_a_permission_to_end(planes: Planes) -> None:
    s3 = make(planes, "governed")
    lock(s3, "governed", "GOVERNANCE")
    version = s3.put_object(Bucket="governed", Key="k", Body=b"1")["VersionId"]
    client = as_role(planes, "cleaner", "s3")
    planes.allow("cleaner", ["s3:DeleteObjectVersion"], "arn:aws:s3:::governed/*")
    one: dict[str, Any] = {"Bucket": "governed", "Key": "k", "VersionId": version}
    with pytest.raises(ClientError, match="s3:BypassGovernanceRetention"):
        client.delete_object(**one, BypassGovernanceRetention=True)
    planes.allow(
        "cleaner",
        ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"],
        "arn:aws:s3:::governed/*",
    )
    client.delete_object(**one, BypassGovernanceRetention=True)


def test_the_versioning_of_a_locked_bucket_cannot_be_suspended(planes: Planes) -> None:
    s3 = make(planes, "always-versioned")
    with pytest.raises(ClientError, match="InvalidBucketState"):
        s3.put_bucket_versioning(
            Bucket="always-versioned", VersioningConfiguration={"Status": "Suspended"}
        )


def test_an_upload_keeps_the_lock_it_was_begun_with(planes: Planes) -> None:
    s3 = make(planes, "asked")
    until = datetime.now(UTC) + timedelta(days=9)
    begun = s3.create_multipart_upload(
        Bucket="asked", Key="k", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until
    )["UploadId"]
    part = s3.upload_part(Bucket="asked", Key="k", UploadId=begun, PartNumber=1, Body=b"1")
    s3.complete_multipart_upload(
        Bucket="asked",
        Key="k",
        UploadId=begun,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    retention = s3.get_object_retention(Bucket="asked", Key="k")["Retention"]
    assert abs(retention["RetainUntilDate"] - until) < timedelta(seconds=2)


def test_access_logs_need_the_log_bucket_s_policy(planes: Planes) -> None:
    source, logs = "arn:aws:s3:::recorded", "arn:aws:s3:::records"
    s3 = make(planes, "recorded")
    make(planes, "records", *secure_transport(logs), *records(deployment(), logs, source))
    make(planes, "another")
    status = {"LoggingEnabled": {"TargetBucket": "records", "TargetPrefix": "access/"}}
    s3.put_bucket_logging(Bucket="recorded", BucketLoggingStatus=status)
    assert s3.get_bucket_logging(Bucket="recorded")["LoggingEnabled"] == status["LoggingEnabled"]
    with pytest.raises(ClientError, match="does not let"):
        s3.put_bucket_logging(Bucket="another", BucketLoggingStatus=status)


def test_removing_an_inventory_leaves_the_bucket(planes: Planes) -> None:
    s3 = make(planes, "listed")
    destination = {"S3BucketDestination": {"Bucket": "arn:aws:s3:::listed", "Format": "CSV"}}
    s3.put_bucket_inventory_configuration(
        Bucket="listed",
        Id="all",
        InventoryConfiguration={
            "Id": "all",
            "IsEnabled": True,
            "IncludedObjectVersions": "All",
            "Schedule": {"Frequency": "Weekly"},
            "Destination": destination,
        },
    )
    s3.delete_bucket_inventory_configuration(Bucket="listed", Id="all")
    s3.head_bucket(Bucket="listed")
    with pytest.raises(ClientError, match="NoSuchConfiguration"):
        s3.delete_bucket_inventory_configuration(Bucket="listed", Id="all")


def replication(planes: Planes, source: str, copies: str, *actions: str) -> Any:
    s3 = make(planes, source)
    make(planes, copies, *replicas_only(f"arn:aws:s3:::{copies}"), region=COPIES_REGION)
    role = f"copies-of-{source}"
    planes.role(role, "s3.amazonaws.com", [])
    planes.allow(role, list(actions), "*")
    s3.put_bucket_replication(
        Bucket=source,
        ReplicationConfiguration={
            "Role": f"arn:aws:iam::{ACCOUNT}:role/{role}",
            "Rules": [
                {
                    "ID": "copy",
                    "Priority": 1,
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "DeleteMarkerReplication": {"Status": "Disabled"},
                    "Destination": {
                        "Bucket": f"arn:aws:s3:::{copies}",
                        "StorageClass": "STANDARD_IA",
                        "Metrics": {"Status": "Enabled"},
                    },
                }
            ],
        },
    )
    return s3


def status(s3: Any, bucket: str, key: str) -> str:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        found = s3.head_object(Bucket=bucket, Key=key)["ReplicationStatus"]
        if found != "PENDING":
            return found
        time.sleep(0.05)
    raise AssertionError("still pending")


def test_new_versions_are_copied_and_deletions_are_not(planes: Planes) -> None:
    actions = ("s3:GetObjectVersionForReplication", "s3:ReplicateObject")
    s3 = replication(planes, "originals", "copies", *actions)
    version = upload(s3, "originals", "daily/1")
    s3.put_object(Bucket="originals", Key="daily/2", Body=b"2", Metadata={"backup-id": "b"})
    assert status(s3, "originals", "daily/1") == status(s3, "originals", "daily/2") == "COMPLETED"
    copied = s3.get_object(Bucket="copies", Key="daily/1")
    assert (copied["VersionId"], copied["ReplicationStatus"]) == (version, "REPLICA")
    assert (copied["StorageClass"], copied["Body"].read()) == ("STANDARD_IA", b"1")
    assert s3.get_object(Bucket="copies", Key="daily/2")["Metadata"] == {"backup-id": "b"}
    s3.delete_object(Bucket="originals", Key="daily/1")
    assert s3.get_object(Bucket="copies", Key="daily/1")["Body"].read() == b"1"
    # Nobody else writes there.
    with pytest.raises(ClientError, match="explicit deny"):
        s3.put_object(Bucket="copies", Key="daily/1", Body=b"forged")


def test_a_copy_that_the_role_may_not_make_has_failed(planes: Planes) -> None:
    s3 = replication(planes, "stuck", "never", "s3:GetObjectVersionForReplication")
    s3.put_object(Bucket="stuck", Key="daily/1", Body=b"1")
    assert status(s3, "stuck", "daily/1") == "FAILED"
    with contextlib.closing(planes.client("s3")) as client, pytest.raises(ClientError):
        client.head_object(Bucket="never", Key="daily/1")


def test_failed_copies_raise_the_alarm_until_copies_arrive_again(planes: Planes) -> None:
    s3 = replication(planes, "watched", "elsewhere", "s3:GetObjectVersionForReplication")
    cloudwatch = planes.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="copies-failed",
        Namespace="AWS/S3",
        MetricName="OperationsFailedReplication",
        Dimensions=[
            {"Name": "SourceBucket", "Value": "watched"},
            {"Name": "DestinationBucket", "Value": "elsewhere"},
            {"Name": "RuleId", "Value": "copy"},
        ],
        Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
        # Of the alarm in components/monitoring.py it is five minutes.
        Period=10,
        EvaluationPeriods=1,
        TreatMissingData="ignore",
    )
    s3.put_object(Bucket="watched", Key="daily/1", Body=b"1")
    assert status(s3, "watched", "daily/1") == "FAILED"
    alarm_becomes(cloudwatch, "copies-failed", "ALARM")
    planes.allow("copies-of-watched", ["s3:ReplicateObject"], "*")
    time.sleep(10)
    s3.put_object(Bucket="watched", Key="daily/2", Body=b"2")
    assert status(s3, "watched", "daily/2") == "COMPLETED"
    alarm_becomes(cloudwatch, "copies-failed", "OK")


def test_alarms_of_another_region_are_evaluated(planes: Planes) -> None:
    """A replica's alarms are where the replica is."""
    cloudwatch = planes.client("cloudwatch", region_name=COPIES_REGION)
    metric: dict[str, Any] = {"Namespace": "AWS/RDS", "MetricName": "ReplicaLag"}
    cloudwatch.put_metric_alarm(
        AlarmName="replica-lag",
        **metric,
        Statistic="Maximum",
        ComparisonOperator="GreaterThanThreshold",
        Threshold=30,
        Period=60,
        EvaluationPeriods=1,
    )
    cloudwatch.put_metric_data(
        Namespace="AWS/RDS", MetricData=[{"MetricName": "ReplicaLag", "Value": 31}]
    )
    alarm_becomes(cloudwatch, "replica-lag", "ALARM")


def alarm_becomes(cloudwatch: Any, name: str, wanted: str) -> None:
    end = time.monotonic() + 60
    found = ""
    while found != wanted:
        assert time.monotonic() < end, f"{name} is {found}"
        (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        found = alarm["StateValue"]
        time.sleep(0.5)


def test_retention_tags_and_neither_reads_rows_nor_deletes(planes: Planes) -> None:
    """The lifecycle removes only what has the tag; the role that tags cannot remove anything."""
    name = "tagged"
    arn = f"arn:aws:s3:::{name}"
    s3 = make(planes, name, *secure_transport(arn), *permanent(deployment(), arn))
    folder = "daily/node_pass/1"
    for key in ("rows/000001.zst", "manifest.json"):
        s3.put_object(Bucket=name, Key=f"{folder}/{key}", Body=b"1")
    marker = as_role(planes, "retention", "s3")
    planes.allow("retention", ["s3:ListBucket"], arn)
    planes.allow("retention", ["s3:GetObject"], f"{arn}/daily/*/manifest.json")
    planes.allow("retention", ["s3:GetObjectTagging", "s3:PutObjectTagging"], f"{arn}/daily/*")
    keys = [entry["Key"] for entry in marker.list_objects_v2(Bucket=name)["Contents"]]
    tags = [{"Key": "pgkeep:expired", "Value": "true"}]
    for key in keys:
        marker.put_object_tagging(Bucket=name, Key=key, Tagging={"TagSet": tags})
        assert marker.get_object_tagging(Bucket=name, Key=key)["TagSet"] == tags
    assert marker.get_object(Bucket=name, Key=f"{folder}/manifest.json")["Body"].read() == b"1"
    for call in (
        lambda: marker.get_object(Bucket=name, Key=f"{folder}/rows/000001.zst"),
        lambda: marker.delete_object(Bucket=name, Key=f"{folder}/manifest.json"),
        lambda: marker.put_object(Bucket=name, Key=f"{folder}/more", Body=b"1"),
        lambda: marker.put_object_tagging(Bucket=name, Key="reports/1", Tagging={"TagSet": tags}),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
