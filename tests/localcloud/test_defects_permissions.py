"""moto mended: bucket policies, and roles, keys, endpoints and queues that are enforced."""

import json
import urllib.request

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.defects_cloud import ACCOUNT, as_role, bucket, tls_only, with_header
from tests.localcloud.planes import REGION, Planes

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory):
    with Planes(tmp_path_factory.mktemp("pk"), "defects", "functions") as started:
        yield started


def test_tls_only_policy_refuses_plain_http_and_nothing_else(planes):
    name = bucket(planes, "tls-only", tls_only("tls-only"))
    planes.client("s3").put_object(Bucket=name, Key="k", Body=b"1")
    secure = with_header(planes.client("s3"), "X-Forwarded-Proto", "https")
    assert secure.get_object(Bucket=name, Key="k")["Body"].read() == b"1"
    plain = with_header(planes.client("s3"), "X-Forwarded-Proto", "http")
    for call in (
        lambda: plain.get_object(Bucket=name, Key="k"),
        lambda: plain.put_object(Bucket=name, Key="k", Body=b"2"),
        lambda: plain.list_objects_v2(Bucket=name),
    ):
        with pytest.raises(ClientError, match=r"AccessDenied.*explicit deny"):
            call()
    assert planes.client("s3").get_object(Bucket=name, Key="k")["Body"].read() == b"1"


def test_policy_on_encryption_headers(planes):
    name = "encrypted"
    bucket(
        planes,
        name,
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{name}/*",
            "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}},
        },
    )
    s3 = planes.client("s3")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=name, Key="k", Body=b"1")
    s3.put_object(Bucket=name, Key="k", Body=b"1", ServerSideEncryption="aws:kms")
    # The parts of an upload carry no header of their own.
    upload = s3.create_multipart_upload(Bucket=name, Key="m", ServerSideEncryption="aws:kms")
    part = s3.upload_part(
        Bucket=name, Key="m", UploadId=upload["UploadId"], PartNumber=1, Body=b"x"
    )
    s3.complete_multipart_upload(
        Bucket=name,
        Key="m",
        UploadId=upload["UploadId"],
        MultipartUpload={"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]},
    )


def test_anonymous_requests_are_refused(planes):
    name = bucket(planes, "closed")
    planes.client("s3").put_object(Bucket=name, Key="k", Body=b"1")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{planes.home.endpoint_url}/{name}/k")


def test_a_role_may_only_what_its_policy_allows_in_s3(planes):
    name = bucket(planes, "least-privilege")
    client = as_role(planes, "writer", "s3")
    put = {"Bucket": name, "Key": "backups/1", "Body": b"1"}
    with pytest.raises(ClientError, match=r"not authorized to perform: s3:PutObject on resource"):
        client.put_object(**put)
    planes.allow("writer", ["s3:PutObject"], f"arn:aws:s3:::{name}/backups/*")
    client.put_object(**put)
    with pytest.raises(ClientError, match="s3:PutObject"):
        client.put_object(**put | {"Key": "elsewhere"})
    with pytest.raises(ClientError, match="s3:PutObjectTagging"):
        client.put_object(**put, Tagging="a=b")
    with pytest.raises(ClientError, match="403"):
        client.head_object(Bucket=name, Key="backups/1")
    answer = client.delete_objects(Bucket=name, Delete={"Objects": [{"Key": "backups/1"}]})
    assert answer["Errors"][0]["Code"] == "AccessDenied"
    planes.allow("writer", ["s3:GetObject"], f"arn:aws:s3:::{name}/*")
    assert client.get_object(Bucket=name, Key="backups/1")["Body"].read() == b"1"
    # Without s3:ListBucket nobody learns what is missing.
    with pytest.raises(ClientError, match="AccessDenied"):
        client.get_object(Bucket=name, Key="absent")
    planes.allow("writer", ["s3:ListBucket"], f"arn:aws:s3:::{name}")
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket=name, Key="absent")


def test_a_role_uploads_in_parts_with_the_key_it_named(planes):
    key = planes.client("kms").create_key()["KeyMetadata"]["Arn"]
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::in-parts/*",
        "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": key}},
    }
    name = bucket(planes, "in-parts", deny)
    client = as_role(planes, "uploader", "s3")
    planes.allow("uploader", ["s3:PutObject"], f"arn:aws:s3:::{name}/*")
    planes.allow("uploader", ["kms:GenerateDataKey"], key)
    target = {"Bucket": name, "Key": "dump"}
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    with pytest.raises(ClientError, match="kms:Decrypt"):
        client.create_multipart_upload(**target, **encryption)
    planes.allow("uploader", ["kms:Decrypt"], key)
    with pytest.raises(ClientError, match="explicit deny"):
        client.create_multipart_upload(**target)
    upload = target | {
        "UploadId": client.create_multipart_upload(**target, **encryption)["UploadId"]
    }
    part = client.upload_part(**upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    client.complete_multipart_upload(**upload, MultipartUpload=parts)
    again = target | {
        "UploadId": client.create_multipart_upload(**target, **encryption)["UploadId"]
    }
    with pytest.raises(ClientError, match="s3:AbortMultipartUpload"):
        client.abort_multipart_upload(**again)


def test_a_key_is_switched_by_its_arn_too(planes):
    kms = planes.client("kms")
    made = kms.create_key()["KeyMetadata"]
    for name in (made["Arn"], made["KeyId"]):
        for change, state in (
            (kms.disable_key, "Disabled"),
            (kms.enable_key, "Enabled"),
            (kms.schedule_key_deletion, "PendingDeletion"),
            (kms.cancel_key_deletion, "Disabled"),
        ):
            change(KeyId=name)
            assert kms.describe_key(KeyId=name)["KeyMetadata"]["KeyState"] == state


def test_kms_permissions_are_needed_for_an_encrypted_bucket(planes):
    key = planes.client("kms").create_key()["KeyMetadata"]["Arn"]
    name = bucket(planes, "with-key")
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    planes.client("s3").put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": rule}]},
    )
    client = as_role(planes, "kms-writer", "s3")
    planes.allow("kms-writer", ["s3:PutObject", "s3:GetObject"], f"arn:aws:s3:::{name}/*")
    with pytest.raises(ClientError, match="kms:GenerateDataKey"):
        client.put_object(Bucket=name, Key="k", Body=b"1")
    planes.allow("kms-writer", ["kms:GenerateDataKey"], key)
    client.put_object(Bucket=name, Key="k", Body=b"1")
    with pytest.raises(ClientError, match="kms:Decrypt"):
        client.get_object(Bucket=name, Key="k")
    planes.allow(
        "kms-writer",
        ["kms:Decrypt"],
        key,
        Condition={"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}},
    )
    assert client.get_object(Bucket=name, Key="k")["Body"].read() == b"1"


def test_a_secret_needs_its_permission_and_its_key(planes):
    kms, secrets = planes.client("kms"), planes.client("secretsmanager")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    arn = secrets.create_secret(Name="pgkeep/app", SecretString="x", KmsKeyId=key)["ARN"]
    other = secrets.create_secret(Name="pgkeep/other", SecretString="y")["ARN"]
    client = as_role(planes, "reader", "secretsmanager")
    with pytest.raises(ClientError, match=r"AccessDeniedException.*secretsmanager:GetSecretValue"):
        client.get_secret_value(SecretId=arn)
    planes.allow("reader", ["secretsmanager:GetSecretValue"], arn)
    with pytest.raises(ClientError, match="kms:Decrypt"):
        client.get_secret_value(SecretId="pgkeep/app")
    planes.allow("reader", ["kms:Decrypt"], key)
    assert client.get_secret_value(SecretId="pgkeep/app")["SecretString"] == "x"
    with pytest.raises(ClientError, match="AccessDenied"):
        client.get_secret_value(SecretId=other)
    with pytest.raises(ClientError, match="secretsmanager:PutSecretValue"):
        client.put_secret_value(SecretId=arn, SecretString="z")


def test_a_key_policy_without_the_account_shuts_roles_out(planes):
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "logs.eu-west-1.amazonaws.com"},
        "Action": "kms:*",
        "Resource": "*",
    }
    policy = json.dumps({"Statement": [statement]})
    key = planes.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    client = as_role(planes, "shut-out", "kms")
    planes.allow("shut-out", ["kms:*"])
    with pytest.raises(ClientError, match="AccessDenied"):
        client.encrypt(KeyId=key, Plaintext=b"x")


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "action", "resource"),
    [
        ("rds", "describe_db_instances", {}, "rds:DescribeDBInstances", f"arn:aws:rds:{REGION}:{ACCOUNT}:db:*"),
        ("ec2", "describe_instances", {}, "ec2:DescribeInstances", "*"),
        ("ssm", "get_parameters_by_path", {"Path": "/pgkeep"}, "ssm:GetParametersByPath", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/pgkeep*"),
        ("cloudwatch", "put_metric_data", {"Namespace": "pgkeep", "MetricData": [{"MetricName": "m", "Value": 1}]}, "cloudwatch:PutMetricData", "*"),
        ("logs", "create_log_group", {"logGroupName": "/x"}, "logs:CreateLogGroup", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/x:*"),
        ("sqs", "create_queue", {"QueueName": "q"}, "sqs:CreateQueue", f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"),
        ("sns", "create_topic", {"Name": "t"}, "sns:CreateTopic", f"arn:aws:sns:{REGION}:{ACCOUNT}:t"),
        ("lambda", "list_functions", {}, "lambda:ListFunctions", "*"),
        ("autoscaling", "describe_auto_scaling_groups", {}, "autoscaling:DescribeAutoScalingGroups", "*"),
        ("elbv2", "describe_load_balancers", {}, "elasticloadbalancing:DescribeLoadBalancers", "*"),
        ("iam", "list_roles", {}, "iam:ListRoles", "*"),
        ("scheduler", "list_schedules", {}, "scheduler:ListSchedules", "*"),
        ("events", "list_rules", {}, "events:ListRules", "*"),
    ],
)  # fmt: skip
def test_each_service_asks_the_roles_policy(
    planes, service, operation, arguments, action, resource
):
    role = f"caller-{service}"
    client = as_role(planes, role, service)
    code = "AccessDenied|UnauthorizedOperation"
    with pytest.raises(ClientError, match=code) as refused:
        getattr(client, operation)(**arguments)
    assert action in str(refused.value)
    planes.allow(role, [action], resource)
    getattr(client, operation)(**arguments)


def test_condition_on_the_metric_namespace(planes):
    client = as_role(planes, "metrics", "cloudwatch")
    condition = {"StringEquals": {"cloudwatch:namespace": "pgkeep"}}
    planes.allow("metrics", ["cloudwatch:PutMetricData"], Condition=condition)
    data = [{"MetricName": "m", "Value": 1}]
    client.put_metric_data(Namespace="pgkeep", MetricData=data)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_metric_data(Namespace="other", MetricData=data)


def test_the_policy_of_a_vpc_endpoint_counts(planes):
    vpc, subnet, group = planes.network()
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalAccount": ACCOUNT}},
    }
    endpoint = planes.client("ec2").create_vpc_endpoint(
        VpcId=vpc,
        ServiceName=f"com.amazonaws.{REGION}.secretsmanager",
        VpcEndpointType="Interface",
        SubnetIds=[subnet],
        SecurityGroupIds=[group],
        PolicyDocument=json.dumps({"Statement": [statement]}),
    )["VpcEndpoint"]["VpcEndpointId"]
    planes.client("secretsmanager").create_secret(Name="behind", SecretString="x")
    headers = {"X-Localcloud-Vpce": endpoint, "X-Localcloud-Vpc": vpc}
    client = as_role(planes, "through", "secretsmanager", headers)
    planes.allow("through", ["secretsmanager:*"])
    client.get_secret_value(SecretId="behind")
    with pytest.raises(ClientError, match="VPC endpoint policy"):
        client.describe_secret(SecretId="behind")


def test_stale_session_credentials_are_refused(planes):
    client = planes.client(
        "sts",
        aws_access_key_id="ASIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="x",
        aws_session_token="y",
    )
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        client.get_caller_identity()


def test_a_function_is_bound_to_its_role(planes):
    planes.role("bound", "lambda.amazonaws.com", ["logs:*"])
    code = """
import boto3
def handler(event, context):
    return boto3.client("secretsmanager").get_secret_value(SecretId="bound")["SecretString"]
"""
    planes.client("secretsmanager").create_secret(Name="bound", SecretString="open")
    planes.function("bound", code, role="bound", Timeout=20)
    client = planes.client("lambda")
    payload = json.loads(client.invoke(FunctionName="bound")["Payload"].read())
    assert "AccessDeniedException" in payload["errorMessage"]
    planes.allow("bound", ["secretsmanager:GetSecretValue"])
    assert json.loads(client.invoke(FunctionName="bound")["Payload"].read()) == "open"


def test_a_dead_letter_queue_needs_permission_and_its_key(planes):
    key = planes.client("kms").create_key()["KeyMetadata"]["Arn"]
    planes.client("sqs").create_queue(QueueName="sealed", Attributes={"KmsMasterKeyId": key})
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:sealed"
    planes.role("sender", "lambda.amazonaws.com", ["logs:*"])
    options = {"role": "sender", "DeadLetterConfig": {"TargetArn": arn}}
    for missing in ("sqs:SendMessage", "kms:GenerateDataKey", "kms:Decrypt"):
        with pytest.raises(ClientError, match="permissions to call SendMessage on SQS"):
            planes.function("sealed", "x = 1", **options)
        planes.allow("sender", [missing])
    created = planes.function("sealed", "x = 1", **options)
    assert created["DeadLetterConfig"] == {"TargetArn": arn}


def test_a_function_may_be_told_from_its_role_by_its_arn(planes):
    code = """
import boto3
def handler(event, context):
    return len(boto3.client("ec2").describe_network_interfaces()["NetworkInterfaces"])
"""
    planes.role("attached", "lambda.amazonaws.com", ["logs:*", "ec2:*"])
    planes.function("attached", code, role="attached", Timeout=20)
    client = planes.client("lambda")
    assert json.loads(client.invoke(FunctionName="attached")["Payload"].read()) >= 0
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:attached"
    planes.allow(
        "attached",
        ["ec2:*"],
        Effect="Deny",
        Condition={"ArnEquals": {"lambda:SourceFunctionArn": arn}},
    )
    payload = json.loads(client.invoke(FunctionName="attached")["Payload"].read())
    assert "UnauthorizedOperation" in payload["errorMessage"]
