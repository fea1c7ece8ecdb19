"""moto mended: bucket policies, lifecycle, retention, errors, alarms, and roles that are enforced."""

import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.planes import REGION, Planes

pytestmark = pytest.mark.root

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory):
    with Planes(tmp_path_factory.mktemp("pk"), "defects", "functions") as started:
        yield started


def as_role(planes: Planes, role: str, service: str, headers: dict[str, str] | None = None):
    """A client with the role's own credentials, as a host or function has them."""
    if not any(r["RoleName"] == role for r in planes.client("iam").list_roles()["Roles"]):
        planes.role(role, "ec2.amazonaws.com", [])
    session = planes.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}", RoleSessionName="session"
    )["Credentials"]
    client = planes.client(
        service,
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )

    def add(request, **_):
        for name, value in (headers or {}).items():
            request.headers[name] = value

    client.meta.events.register("before-sign", add)
    return client


def with_header(client, name: str, value: str):
    client.meta.events.register(
        "before-sign", lambda request, **_: request.headers.add_header(name, value)
    )
    return client


def bucket(planes: Planes, name: str, *statements: dict) -> str:
    s3 = planes.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if statements:
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Statement": list(statements)}))
    return name


def tls_only(name: str) -> dict:
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


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


def test_lifecycle_keeps_every_field(planes):
    s3 = planes.client("s3")
    name = bucket(planes, "lifecycle")
    rules = [
        {
            "ID": "daily",
            "Status": "Enabled",
            "Filter": {"Prefix": "daily/"},
            "Expiration": {"Days": 30},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 7, "NewerNoncurrentVersions": 3},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
        {
            "ID": "large",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": "x/", "ObjectSizeGreaterThan": 1024}},
            "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}],
        },
        {
            "ID": "small",
            "Status": "Enabled",
            "Filter": {"ObjectSizeLessThan": 5},
            "Expiration": {"Days": 1},
        },
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"] == rules


def test_retention_of_an_object_can_be_read(planes):
    s3 = planes.client("s3")
    s3.create_bucket(
        Bucket="locked",
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": REGION},
    )
    s3.put_object(Bucket=bucket(planes, "unlocked"), Key="k", Body=b"1")
    with pytest.raises(ClientError, match="NoSuchObjectLockConfiguration"):
        s3.get_object_retention(Bucket="unlocked", Key="k")
    s3.put_object_lock_configuration(
        Bucket="locked",
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 7}},
        },
    )
    version = s3.put_object(Bucket="locked", Key="k", Body=b"1")["VersionId"]
    retention = s3.get_object_retention(Bucket="locked", Key="k")["Retention"]
    assert retention["Mode"] == "COMPLIANCE"
    left = retention["RetainUntilDate"] - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket="locked", Key="k", VersionId=version)


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("rds", "describe_account_attributes", {}),
        ("cloudwatch", "describe_anomaly_detectors", {}),
        ("lambda", "get_account_settings", {}),
        ("secretsmanager", "validate_resource_policy", {"ResourcePolicy": "{}"}),
        ("ec2", "describe_trunk_interface_associations", {}),
        ("sns", "list_origination_numbers", {}),
    ],
)
def test_what_is_not_implemented_is_answered_in_the_services_format(
    planes, service, operation, arguments
):
    with pytest.raises(ClientError) as refused:
        getattr(planes.client(service), operation)(**arguments)
    assert "<" not in refused.value.response["Error"]["Message"]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (404, 501)


def alarm(planes: Planes, name: str, **options) -> None:
    defaults = {
        "Namespace": "pgkeep",
        "MetricName": name,
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 5,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    planes.client("cloudwatch").put_metric_alarm(AlarmName=name, **defaults | options)


def state(planes: Planes, name: str) -> str:
    found = planes.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return found[0]["StateValue"]


def wait_for(planes: Planes, name: str, expected: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while state(planes, name) != expected:
        assert time.monotonic() < deadline, f"{name} is {state(planes, name)}\n{planes.log()}"
        time.sleep(0.3)


def test_an_alarm_follows_its_metric_and_notifies_its_topic(planes):
    sqs, sns = planes.client("sqs"), planes.client("sns")
    url = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:alarms")
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    }
    sns.set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=json.dumps({"Statement": [statement]}),
    )
    alarm(planes, "lag", AlarmActions=[topic], OKActions=[topic])
    assert state(planes, "lag") == "INSUFFICIENT_DATA"
    cloudwatch = planes.client("cloudwatch")
    cloudwatch.put_metric_data(Namespace="pgkeep", MetricData=[{"MetricName": "lag", "Value": 9}])
    wait_for(planes, "lag", "ALARM")
    message = json.loads(json.loads(planes.receive(url)["Body"])["Message"])
    assert (message["AlarmName"], message["NewStateValue"]) == ("lag", "ALARM")
    assert message["OldStateValue"] == "INSUFFICIENT_DATA"
    assert message["Trigger"]["Threshold"] == 5
    cloudwatch.set_alarm_state(AlarmName="lag", StateValue="OK", StateReason="drill")
    assert json.loads(json.loads(planes.receive(url)["Body"])["Message"])["NewStateValue"] == "OK"


def test_missing_data_is_treated_as_the_alarm_says(planes):
    alarm(planes, "quiet", TreatMissingData="notBreaching")
    alarm(planes, "silent", TreatMissingData="breaching")
    wait_for(planes, "quiet", "OK")
    wait_for(planes, "silent", "ALARM")
    alarm(planes, "silent", TreatMissingData="breaching", Threshold=6)
    assert state(planes, "silent") == "ALARM"


def test_a_message_in_a_dead_letter_queue_raises_its_alarm(planes):
    url = planes.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    alarm(
        planes,
        "dead",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "dead"}],
        Threshold=0,
        TreatMissingData="notBreaching",
    )
    planes.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    wait_for(planes, "dead", "ALARM", seconds=45)


def test_an_unhealthy_target_raises_its_alarm(planes):
    vpc, subnet, _ = planes.network()
    elbv2 = planes.client("elbv2")
    balancer = elbv2.create_load_balancer(Name="nlb", Type="network", Subnets=[subnet])
    balancer_arn = balancer["LoadBalancers"][0]["LoadBalancerArn"]
    group = elbv2.create_target_group(
        Name="hosts", Protocol="TCP", Port=6543, VpcId=vpc, TargetType="ip"
    )["TargetGroups"][0]["TargetGroupArn"]
    forward = [{"Type": "forward", "TargetGroupArn": group}]
    elbv2.create_listener(
        LoadBalancerArn=balancer_arn, Protocol="TCP", Port=6543, DefaultActions=forward
    )
    elbv2.register_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.9", "Port": 6543}])
    dimensions = {
        "LoadBalancer": balancer_arn.partition("loadbalancer/")[2],
        "TargetGroup": group.rpartition(":")[2],
    }
    alarm(
        planes,
        "fewer",
        Namespace="AWS/NetworkELB",
        MetricName="HealthyHostCount",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        Threshold=2,
        ComparisonOperator="LessThanThreshold",
    )
    # moto alone counts every registered target as healthy: one is fewer than two.
    wait_for(planes, "fewer", "ALARM", seconds=45)


def test_alarms_that_cannot_be_evaluated_are_refused(planes):
    with pytest.raises(ClientError, match="one metric only"):
        planes.client("cloudwatch").put_metric_alarm(
            AlarmName="math",
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            Metrics=[{"Id": "e", "Expression": "1 + 1"}],
        )


def test_a_secret_read_without_a_version_follows_the_label_awscurrent(planes: Planes) -> None:
    client = planes.client("secretsmanager")
    client.create_secret(Name="rotated")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_secret_value(SecretId="rotated")
    first = client.put_secret_value(SecretId="rotated", SecretString="one")["VersionId"]
    second = client.put_secret_value(
        SecretId="rotated", SecretString="two", VersionStages=["AWSPENDING"]
    )["VersionId"]
    assert client.get_secret_value(SecretId="rotated")["SecretString"] == "one"
    client.update_secret_version_stage(
        SecretId="rotated",
        VersionStage="AWSCURRENT",
        MoveToVersionId=second,
        RemoveFromVersionId=first,
    )
    assert client.get_secret_value(SecretId="rotated")["SecretString"] == "two"


def test_a_protected_log_group_is_not_deleted(planes):
    logs = planes.client("logs")
    logs.create_log_group(logGroupName="/kept")

    def protect(on: bool) -> None:
        logs.put_log_group_deletion_protection(
            logGroupIdentifier="/kept", deletionProtectionEnabled=on
        )

    protect(True)
    described = logs.describe_log_groups(logGroupNamePrefix="/kept")["logGroups"]
    assert [one["deletionProtectionEnabled"] for one in described] == [True]
    with pytest.raises(ClientError, match="deletion protection"):
        logs.delete_log_group(logGroupName="/kept")
    protect(False)
    logs.delete_log_group(logGroupName="/kept")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        logs.put_log_group_deletion_protection(
            logGroupIdentifier="/kept", deletionProtectionEnabled=True
        )
