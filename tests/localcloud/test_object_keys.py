"""Keys of objects: S3 answers as on AWS where KMS does not let it use one."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.defects_cloud import ACCOUNT, as_role, bucket
from tests.localcloud.planes import REGION, Planes

pytestmark = pytest.mark.root

OTHER_ACCOUNT = "210987654321"


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planes]:
    with Planes(tmp_path_factory.mktemp("pk"), "defects", "functions") as started:
        yield started


@pytest.fixture
def kms(planes: Planes) -> Any:
    return planes.client("kms")


@pytest.fixture
def s3(planes: Planes) -> Any:
    return planes.client("s3")


@pytest.fixture
def key(kms: Any) -> str:
    return kms.create_key()["KeyMetadata"]["Arn"]


def under(key: str) -> dict[str, str]:
    """A request's encryption with this key."""
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}


def default(s3: Any, name: str, key: str) -> None:
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )


def error(call: Callable[[], Any]) -> tuple[int, str, str]:
    """Status, code and message of a call that has to be refused."""
    with pytest.raises(ClientError) as caught:
        call()
    response: Any = caught.value.response
    status = response["ResponseMetadata"]["HTTPStatusCode"]
    return status, response["Error"]["Code"], response["Error"]["Message"]


def disabled(kms: Any, key: str) -> tuple[int, str, str]:
    kms.disable_key(KeyId=key)
    return 400, "KMS.DisabledException", f"{key} is disabled."


def pending(kms: Any, key: str) -> tuple[int, str, str]:
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    return 400, "KMS.KMSInvalidStateException", f"{key} is pending deletion."


@pytest.mark.parametrize("switch_off", [disabled, pending])
def test_nothing_is_read_or_written_with_a_key_that_is_off(
    s3: Any, kms: Any, planes: Planes, key: str, switch_off: Any
) -> None:
    name = bucket(planes, f"key-{switch_off.__name__}")
    there = {"Bucket": name, "Key": "there"}
    upload = {"Bucket": name, "Key": "upload"}
    s3.put_object(**there, Body=b"1", **under(key))
    begun = s3.create_multipart_upload(**upload, **under(key))["UploadId"]
    part = s3.upload_part(**upload, UploadId=begun, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    refused = switch_off(kms, key)
    for call in (
        lambda: s3.get_object(**there),
        lambda: s3.get_object(**there, VersionId="null"),
        lambda: s3.put_object(Bucket=name, Key="new", Body=b"1", **under(key)),
        lambda: s3.create_multipart_upload(Bucket=name, Key="new", **under(key)),
        lambda: s3.upload_part(**upload, UploadId=begun, PartNumber=2, Body=b"x"),
        lambda: s3.complete_multipart_upload(**upload, UploadId=begun, MultipartUpload=parts),
        lambda: s3.copy_object(Bucket=name, Key="new", CopySource=there),
        lambda: s3.copy_object(Bucket=name, Key="new", CopySource=there, **under(key)),
    ):
        assert error(call) == refused
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=name)["Contents"]] == ["there"]
    # What needs no key goes on: S3 asks for one only where checksums are to be told.
    assert s3.head_object(**there)["SSEKMSKeyId"] == key
    assert error(lambda: s3.head_object(**there, ChecksumMode="ENABLED"))[0] == 400
    s3.put_object(Bucket=name, Key="own", Body=b"1", ServerSideEncryption="AES256")
    assert "SSEKMSKeyId" not in s3.get_object(Bucket=name, Key="own")
    if switch_off is pending:
        kms.cancel_key_deletion(KeyId=key)
        assert error(lambda: s3.get_object(**there))[1] == "KMS.DisabledException"
    kms.enable_key(KeyId=key)
    assert s3.get_object(**there)["Body"].read() == b"1"
    s3.complete_multipart_upload(**upload, UploadId=begun, MultipartUpload=parts)
    assert s3.get_object(**upload)["SSEKMSKeyId"] == key
    s3.delete_object(**there)


def test_a_key_that_is_not_there_or_for_something_else(s3: Any, kms: Any, planes: Planes) -> None:
    name = bucket(planes, "no-such-key")
    prefix = f"arn:aws:kms:{REGION}:{ACCOUNT}"
    missing = f"{prefix}:key/00000000-0000-4000-8000-000000000000"
    signing = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")["KeyMetadata"]
    elsewhere = planes.client("kms", region_name="eu-central-1").create_key()["KeyMetadata"]["Arn"]
    for key, code, message in (
        (missing, "NotFoundException", f"Key '{missing}' does not exist"),
        (missing[-36:], "NotFoundException", f"Key '{missing}' does not exist"),
        ("alias/absent", "NotFoundException", f"Alias {prefix}:alias/absent is not found."),
        (elsewhere, "NotFoundException", "Invalid arn eu-central-1"),
        (
            signing["Arn"],
            "InvalidKeyUsageException",
            f"{signing['Arn']} key usage is GENERATE_VERIFY_MAC which is not valid for "
            "GenerateDataKey.",
        ),
    ):
        put = {"Bucket": name, "Key": "k", **under(key)}
        expected = (400, f"KMS.{code}", message)
        assert error(lambda put=put: s3.put_object(**put)) == expected
        assert error(lambda put=put: s3.create_multipart_upload(**put)) == expected
    assert s3.list_objects_v2(Bucket=name)["KeyCount"] == 0


def test_the_key_is_the_request_s_then_the_bucket_s_and_stays_the_object_s(
    s3: Any, kms: Any, planes: Planes, key: str
) -> None:
    name = bucket(planes, "default-key")
    own = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/objects", TargetKeyId=own)
    s3.put_object(Bucket=name, Key="plain", Body=b"1")
    default(s3, name, key)
    s3.put_object(Bucket=name, Key="default", Body=b"1")
    s3.put_object(Bucket=name, Key="own", Body=b"1", **under("alias/objects"))
    begun = s3.create_multipart_upload(Bucket=name, Key="begun")["UploadId"]
    kms.update_alias(AliasName="alias/objects", TargetKeyId=key)
    default(s3, name, own)
    kms.disable_key(KeyId=key)
    # Each under the key that it was written with, whatever alias and default say now.
    assert s3.get_object(Bucket=name, Key="plain")["Body"].read() == b"1"
    assert s3.get_object(Bucket=name, Key="own")["SSEKMSKeyId"] == own
    refused = (400, "KMS.DisabledException", f"{key} is disabled.")
    assert error(lambda: s3.get_object(Bucket=name, Key="default")) == refused
    part = {"Bucket": name, "Key": "begun", "UploadId": begun, "PartNumber": 1}
    assert error(lambda: s3.upload_part(**part, Body=b"1")) == refused
    # Written anew it is under the bucket's key, also over an object whose key is off.
    s3.put_object(Bucket=name, Key="default", Body=b"2")
    assert s3.get_object(Bucket=name, Key="default")["SSEKMSKeyId"] == own
    source = {"Bucket": name, "Key": "plain"}
    s3.copy_object(Bucket=name, Key="plain", CopySource=source)
    assert s3.head_object(**source)["SSEKMSKeyId"] == own
    kms.disable_key(KeyId=own)
    assert error(lambda: s3.put_object(Bucket=name, Key="new", Body=b"1"))[1:] == (
        "KMS.DisabledException",
        f"{own} is disabled.",
    )
    # AWS's own key of S3 is nobody's to switch off.
    s3.put_object(Bucket=name, Key="managed", Body=b"1", ServerSideEncryption="aws:kms")
    assert s3.get_object(Bucket=name, Key="managed")["Body"].read() == b"1"


def test_an_older_version_has_its_own_key(s3: Any, kms: Any, planes: Planes, key: str) -> None:
    name = bucket(planes, "versions-and-keys")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    versions = [
        s3.put_object(Bucket=name, Key="k", Body=b"1", **options)["VersionId"]
        for options in (under(key), {})
    ]
    kms.disable_key(KeyId=key)
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"1"
    old = {"Bucket": name, "Key": "k", "VersionId": versions[0]}
    assert error(lambda: s3.get_object(**old))[1] == "KMS.DisabledException"
    copy = {"Bucket": name, "Key": "copy", "CopySource": old}
    assert error(lambda: s3.copy_object(**copy))[1] == "KMS.DisabledException"
    assert s3.get_object(Bucket=name, Key="k", VersionId=versions[1])["Body"].read() == b"1"


def test_a_role_is_told_of_a_permission_before_the_key_s_state(
    s3: Any, kms: Any, planes: Planes, key: str
) -> None:
    name = bucket(planes, "role-and-key")
    s3.put_object(Bucket=name, Key="k", Body=b"1", **under(key))
    client = as_role(planes, "key-reader", "s3")
    planes.allow("key-reader", ["s3:GetObject", "s3:PutObject"], f"arn:aws:s3:::{name}/*")
    kms.disable_key(KeyId=key)
    status, code, message = error(lambda: client.get_object(Bucket=name, Key="k"))
    assert (status, code) == (403, "AccessDenied")
    assert f"is not authorized to perform: kms:Decrypt on resource: {key} because" in message
    planes.allow("key-reader", ["kms:Decrypt"], key)
    assert error(lambda: client.get_object(Bucket=name, Key="k"))[1] == "KMS.DisabledException"
    kms.enable_key(KeyId=key)
    assert client.get_object(Bucket=name, Key="k")["Body"].read() == b"1"
    # An object that a role writes over another's is under the key that the role names.
    other = kms.create_key()["KeyMetadata"]["Arn"]
    put = {"Bucket": name, "Key": "k", "Body": b"2"}
    assert "kms:GenerateDataKey" in error(lambda: client.put_object(**put, **under(other)))[2]
    planes.allow("key-reader", ["kms:GenerateDataKey"], other)
    client.put_object(**put, **under(other))


def test_a_key_s_policy_shuts_the_administrator_out_and_can_be_changed_back(
    s3: Any, kms: Any, planes: Planes, key: str
) -> None:
    name = bucket(planes, "closed-key")
    s3.put_object(Bucket=name, Key="k", Body=b"1", **under(key))
    whole = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    allow = {**whole, "Action": "kms:*", "Resource": "*"}
    deny = {"Effect": "Deny", "Principal": "*", "Resource": "*"}
    closed = [allow, {**deny, "Action": ["kms:Decrypt", "kms:Encrypt"]}]
    kms.put_key_policy(KeyId=key, Policy=json.dumps({"Statement": closed}))
    status, code, message = error(lambda: s3.get_object(Bucket=name, Key="k"))
    assert (status, code) == (403, "AccessDenied")
    assert "kms:Decrypt" in message
    assert "explicit deny" in message
    assert error(lambda: kms.encrypt(KeyId=key, Plaintext=b"x"))[1] == "AccessDeniedException"
    s3.put_object(Bucket=name, Key="k", Body=b"2", **under(key))
    kms.put_key_policy(KeyId=key, Policy=json.dumps({"Statement": [allow]}))
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"2"


def test_another_account_needs_the_key_s_policy_too(s3: Any, planes: Planes, key: str) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::other-reader/*",
    }
    name = bucket(planes, "other-reader", statement)
    s3.put_object(Bucket=name, Key="k", Body=b"1", **under(key))
    other = planes.client("s3", aws_access_key_id=OTHER_ACCOUNT)
    message = error(lambda: other.get_object(Bucket=name, Key="k"))[2]
    assert "no resource-based policy allows the kms:Decrypt action" in message


@pytest.mark.parametrize("switch_off", [disabled, pending])
def test_kms_itself_refuses_a_key_that_is_off(kms: Any, key: str, switch_off: Any) -> None:
    signing = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")["KeyMetadata"]
    pair = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["Arn"]
    mac = {"KeyId": signing["Arn"], "MacAlgorithm": "HMAC_SHA_256", "Message": b"m"}
    signature = {"KeyId": pair, "Message": b"m", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    text = {"CiphertextBlob": kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]}
    own = kms.generate_mac(**mac)["Mac"]
    signed = kms.sign(**signature)["Signature"]
    calls: list[tuple[str, Callable[[], Any]]] = [
        (key, lambda: kms.encrypt(KeyId=key, Plaintext=b"x")),
        (key, lambda: kms.decrypt(**text)),
        (key, lambda: kms.decrypt(**text, KeyId=key)),
        (key, lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256")),
        (key, lambda: kms.re_encrypt(**text, DestinationKeyId=key)),
        (signing["Arn"], lambda: kms.generate_mac(**mac)),
        (signing["Arn"], lambda: kms.verify_mac(**mac, Mac=own)),
        (pair, lambda: kms.sign(**signature)),
        (pair, lambda: kms.verify(**signature, Signature=signed)),
        (pair, lambda: kms.get_public_key(KeyId=pair)),
    ]
    for _, call in calls:
        call()
    expected = {one: switch_off(kms, one) for one in (key, signing["Arn"], pair)}
    for used, call in calls:
        status, code, message = expected[used]
        assert error(call) == (status, code.removeprefix("KMS."), message)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"] is False


def test_a_key_of_another_usage_and_a_signature_of_another_key(kms: Any, key: str) -> None:
    mac = {"KeyId": key, "MacAlgorithm": "HMAC_SHA_256", "Message": b"m"}
    assert error(lambda: kms.generate_mac(**mac))[1:] == (
        "InvalidKeyUsageException",
        f"{key} key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.",
    )
    pairs = [
        kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["Arn"]
        for _ in range(2)
    ]
    message = {"Message": b"m", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    signed = kms.sign(KeyId=pairs[0], **message)["Signature"]
    assert kms.verify(KeyId=pairs[0], **message, Signature=signed)["SignatureValid"] is True
    other = error(lambda: kms.verify(KeyId=pairs[1], **message, Signature=signed))
    assert other[1] == "KMSInvalidSignatureException"


def test_the_state_of_a_key_that_is_pending_deletion_is_not_switched(kms: Any, key: str) -> None:
    assert error(lambda: kms.cancel_key_deletion(KeyId=key))[1:] == (
        "KMSInvalidStateException",
        f"{key} is not pending deletion.",
    )
    refused = pending(kms, key)
    for change in (kms.enable_key, kms.disable_key, kms.schedule_key_deletion):
        status, code, message = error(lambda change=change: change(KeyId=key))
        assert (status, f"KMS.{code}", message) == refused
