"""moto mended: lifecycle, retention, errors, alarms, labels of secrets."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.defects_cloud import ACCOUNT, bucket
from tests.localcloud.planes import REGION, Planes

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory):
    with Planes(tmp_path_factory.mktemp("pk"), "defects") as started:
        yield started


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
    # And so does a value that is put by hand.
    third = client.put_secret_value(SecretId="rotated", SecretString="three")["VersionId"]
    assert client.get_secret_value(SecretId="rotated")["SecretString"] == "three"
    stages = client.describe_secret(SecretId="rotated")["VersionIdsToStages"]
    assert stages[third] == ["AWSCURRENT"]
    assert stages[second] == ["AWSPREVIOUS"]
    assert "AWSCURRENT" not in stages.get(first, [])


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
