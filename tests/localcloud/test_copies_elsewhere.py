"""Copies to a bucket of another account, under the policies that its owner is told to write."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from components.backup_names import copies_role_name
from components.copies_destination import bucket_policy, key_statement
from tests.localcloud.planes import Planes
from tests.localcloud.test_backup_bucket import ACCOUNT, COPIES_REGION, deployment, make, status

pytestmark = pytest.mark.root

OTHER = "210987654321"
ROLE = copies_role_name(deployment())
OVERRIDE = {"AccessControlTranslation": {"Owner": "Destination"}, "Account": OTHER}


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory):
    with Planes(tmp_path_factory.mktemp("pk"), "defects") as started:
        started.role(ROLE, "s3.amazonaws.com", [])
        started.allow(ROLE, ["s3:*", "kms:*"], "*")
        yield started


def other(planes: Planes, service: str, region: str = COPIES_REGION) -> Any:
    """The administrator of the other account."""
    return planes.client(service, aws_access_key_id=OTHER, region_name=region)


def key(client: Any, *statements: dict[str, Any]) -> str:
    """A key whose policy lets its own account decide, and what else is said."""
    made = client.create_key()["KeyMetadata"]
    owner = {"AWS": f"arn:aws:iam::{made['AWSAccountId']}:root"}
    root = {"Effect": "Allow", "Principal": owner, "Action": "kms:*", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [root, *statements]}
    client.put_key_policy(KeyId=made["KeyId"], PolicyName="default", Policy=json.dumps(document))
    return made["Arn"]


class Site:
    """A source, and its copies in the other account as the owner was told to make them."""

    def __init__(self, planes: Planes, name: str, **changes: Any) -> None:
        self.bucket, self.copies = name, f"{name}-copies"
        arn = f"arn:aws:s3:::{self.copies}"
        self.owner = other(planes, "s3")
        self.owner.create_bucket(
            Bucket=self.copies,
            CreateBucketConfiguration={"LocationConstraint": COPIES_REGION},
            ObjectLockEnabledForBucket=changes.get("lock", True),
            ObjectOwnership=changes.get("ownership", "BucketOwnerEnforced"),
        )
        enabled = {"Status": "Enabled"}
        self.owner.put_bucket_versioning(Bucket=self.copies, VersioningConfiguration=enabled)
        statements = bucket_policy(deployment(), arn)
        statements[0]["Action"] = changes.get("actions", statements[0]["Action"])
        statements[0]["Principal"] = changes.get("principal", statements[0]["Principal"])
        document = {"Version": "2012-10-17", "Statement": statements}
        self.owner.put_bucket_policy(Bucket=self.copies, Policy=json.dumps(document))
        statement = key_statement(deployment(), COPIES_REGION, arn)
        self.key = key(other(planes, "kms"), *changes.get("key", [statement]))
        self.source = make(planes, name)
        self.source_key = key(planes.client("kms"))
        self.source.put_bucket_replication(
            Bucket=name,
            ReplicationConfiguration={
                "Role": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
                "Rules": [
                    {
                        "ID": "copy",
                        "Priority": 1,
                        "Status": "Enabled",
                        "Filter": {"Prefix": ""},
                        "DeleteMarkerReplication": {"Status": "Disabled"},
                        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": enabled},
                        "Destination": {
                            "Bucket": arn,
                            "EncryptionConfiguration": {"ReplicaKmsKeyID": self.key},
                            "Metrics": enabled,
                            **changes.get("destination", OVERRIDE),
                        },
                    }
                ],
            },
        )

    def put(self) -> str:
        """The replication status of a new object."""
        self.source.put_object(
            Bucket=self.bucket,
            Key="daily/1",
            Body=b"1",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=self.source_key,
        )
        return status(self.source, self.bucket, "daily/1")

    def read(self) -> bytes:
        """What the owner of the copies' bucket reads there."""
        return self.owner.get_object(Bucket=self.copies, Key="daily/1")["Body"].read()


def test_a_copy_arrives_belongs_to_the_other_account_and_stays(planes: Planes) -> None:
    site = Site(planes, "own")
    assert site.put() == "COMPLETED"
    assert site.read() == b"1"
    copied = site.owner.head_object(Bucket=site.copies, Key="daily/1")
    assert (copied["ReplicationStatus"], copied["SSEKMSKeyId"]) == ("REPLICA", site.key)
    assert [one["Name"] for one in site.owner.list_buckets()["Buckets"]] == [site.copies]
    # Neither account reaches into the other's bucket, and the owner writes and deletes nothing.
    ours, version = site.source, copied["VersionId"]
    for call in (
        lambda: ours.get_object(Bucket=site.copies, Key="daily/1"),
        lambda: ours.delete_object(Bucket=site.copies, Key="daily/1"),
        lambda: ours.delete_bucket_policy(Bucket=site.copies),
        lambda: site.owner.get_object(Bucket=site.bucket, Key="daily/1"),
        lambda: site.owner.put_object(Bucket=site.copies, Key="daily/1", Body=b"forged"),
        lambda: site.owner.delete_object(Bucket=site.copies, Key="daily/1", VersionId=version),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("no-account", {"principal": {"AWS": "arn:aws:iam::111111111111:root"}}),
        ("no-replicate", {"actions": ["s3:ReplicateTags", "s3:ObjectOwnerOverrideToBucketOwner"]}),
        ("no-override", {"actions": ["s3:ReplicateObject", "s3:ReplicateTags"]}),
        ("no-key", {"key": []}),
        ("no-lock", {"lock": False}),
        ("wrong-owner", {"destination": {**OVERRIDE, "Account": "111111111111"}}),
    ],
)
def test_what_the_owner_does_not_permit_has_failed(
    planes: Planes, name: str, changes: dict[str, Any]
) -> None:
    site = Site(planes, name, **changes)
    assert site.put() == "FAILED"
    assert "Versions" not in site.owner.list_object_versions(Bucket=site.copies)
    # What the alarm `backup-copies-failed` looks at.
    names = {"SourceBucket": name, "DestinationBucket": site.copies, "RuleId": "copy"}
    assert planes.metric_sum("AWS/S3", "OperationsFailedReplication", **names) == 1


@pytest.mark.parametrize("change", ["disable_key", "schedule_key_deletion"])
def test_a_copy_under_a_key_that_is_off_has_failed(planes: Planes, change: str) -> None:
    site = Site(planes, change.replace("_", "-"))
    keys = other(planes, "kms")
    getattr(keys, change)(KeyId=site.key)
    assert site.put() == "FAILED"
    assert "Versions" not in site.owner.list_object_versions(Bucket=site.copies)
    if change == "schedule_key_deletion":
        keys.cancel_key_deletion(KeyId=site.key)
    keys.enable_key(KeyId=site.key)
    assert site.put() == "COMPLETED"
    assert site.read() == b"1"


def test_without_the_override_the_bucket_s_setting_says_whose_a_copy_is(planes: Planes) -> None:
    enforced = Site(planes, "enforced", destination={}, actions=["s3:ReplicateObject"])
    assert enforced.put() == "COMPLETED"
    assert enforced.read() == b"1"
    kept = Site(planes, "kept", destination={}, ownership="ObjectWriter")
    assert kept.put() == "COMPLETED"
    with pytest.raises(ClientError, match=f"account {ACCOUNT} owns the object"):
        kept.read()


def test_the_destination_has_to_be_there_with_versioning(planes: Planes) -> None:
    s3 = make(planes, "lonely")
    unversioned = other(planes, "s3")
    unversioned.create_bucket(
        Bucket="unversioned", CreateBucketConfiguration={"LocationConstraint": COPIES_REGION}
    )
    for name, said in (("nowhere", "must exist"), ("unversioned", "must have versioning enabled")):
        destination = {"Bucket": f"arn:aws:s3:::{name}"}
        wanted: dict[str, Any] = {
            "Role": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
            "Rules": [{"Status": "Enabled", "Destination": destination, "Prefix": ""}],
        }
        with pytest.raises(ClientError, match=f"InvalidRequest.*Destination bucket {said}"):
            s3.put_bucket_replication(Bucket="lonely", ReplicationConfiguration=wanted)
