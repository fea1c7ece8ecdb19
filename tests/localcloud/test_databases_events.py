"""RDS events: kept for DescribeEvents, and sent to the SNS topics of event subscriptions."""

import datetime
import json
import time
from typing import Any

import pytest

from localcloud.databases.events import KINDS
from tests.localcloud import databases_cloud
from tests.localcloud.databases_cloud import DatabasesCloud, refused

pytestmark = pytest.mark.root
PATIENCE_SECONDS = 20
cloud = databases_cloud.cloud


class Subscriber:
    """A queue behind a topic."""

    def __init__(self, cloud: DatabasesCloud, name: str) -> None:
        self._sqs = cloud.client_of("sqs")
        sns = cloud.client_of("sns")
        self.topic = sns.create_topic(Name=name)["TopicArn"]
        self._url = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])

    def receive_until(self, message: str) -> list[dict[str, Any]]:
        """The events since the last call; waits for one, because topics are told one by one."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            found += self.receive()
            if any(event["Event Message"] == message for event in found):
                break
            time.sleep(0.1)
        return found

    def receive(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        found: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                body = json.loads(message["Body"])
                assert body["Subject"] == "RDS Notification Message"
                found.append(json.loads(body["Message"]))
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture(scope="module")
def everything(cloud: DatabasesCloud) -> Subscriber:
    subscriber = Subscriber(cloud, "everything")
    cloud.rds.create_event_subscription(SubscriptionName="everything", SnsTopicArn=subscriber.topic)
    return subscriber


@pytest.fixture(scope="module")
def deletions(cloud: DatabasesCloud) -> Subscriber:
    subscriber = Subscriber(cloud, "deletions")
    created = cloud.rds.create_event_subscription(
        SubscriptionName="deletions",
        SnsTopicArn=subscriber.topic,
        SourceType="db-instance",
        SourceIds=["watched"],
        EventCategories=["deletion", "failover"],
    )["EventSubscription"]
    assert created["Enabled"] is True
    assert created["Status"] == "active"
    return subscriber


def messages(events: list[dict[str, Any]], source: str) -> list[str]:
    return [event["Event Message"] for event in events if event["Source ID"] == source]


def test_an_instances_life_is_told(
    cloud: DatabasesCloud, everything: Subscriber, deletions: Subscriber
) -> None:
    cloud.create_instance("watched")
    cloud.wait("watched")
    cloud.eventually(lambda: "LatestRestorableTime" in cloud.describe("watched"))
    cloud.rds.modify_db_instance(
        DBInstanceIdentifier="watched",
        MasterUserPassword="second-Passw0rd",
        DBInstanceClass="db.t4g.medium",
        ApplyImmediately=True,
    )
    cloud.wait("watched")
    cloud.rds.reboot_db_instance(DBInstanceIdentifier="watched")
    cloud.wait("watched")
    cloud.rds.delete_db_instance(DBInstanceIdentifier="watched", FinalDBSnapshotIdentifier="final")
    cloud.gone("watched")
    told = everything.receive_until("DB instance deleted")
    assert messages(told, "watched") == [
        "DB instance created",
        "Backing up DB instance",
        "Finished DB Instance backup",
        "Reset master credentials",
        "Finished applying modification to DB instance class",
        "DB instance restarted",
        "DB instance deleted",
    ]
    assert messages(told, "final") == ["Creating manual snapshot", "Manual snapshot created"]
    created = next(event for event in told if event["Source ID"] == "watched")
    assert created["Event ID"].endswith("#RDS-EVENT-0005")
    assert created["Event Source"] == "db-instance"
    assert created["Source ARN"] == "arn:aws:rds:eu-west-1:123456789012:db:watched"
    # The other subscription is for some categories of one instance.
    assert messages(deletions.receive_until("DB instance deleted"), "watched") == [
        "DB instance deleted"
    ]


def test_the_events_can_be_read_later(cloud: DatabasesCloud, everything: Subscriber) -> None:
    found = cloud.rds.describe_events(SourceIdentifier="watched", SourceType="db-instance")
    assert found["Events"][0]["Message"] == "DB instance created"
    assert found["Events"][0]["EventCategories"] == ["creation"]
    chosen = cloud.rds.describe_events(
        SourceType="db-instance", EventCategories=["deletion"], Duration=5
    )["Events"]
    assert [event["SourceIdentifier"] for event in chosen] == ["watched"]
    now = datetime.datetime.now(datetime.UTC)
    past = {"StartTime": now - datetime.timedelta(days=2), "EndTime": now - datetime.timedelta(1)}
    assert cloud.rds.describe_events(**past)["Events"] == []
    first = cloud.rds.describe_events(MaxRecords=2)
    assert len(first["Events"]) == 2
    assert cloud.rds.describe_events(Marker=first["Marker"])["Events"]
    with refused("InvalidParameterCombination"):
        cloud.rds.describe_events(SourceIdentifier="watched")


def test_a_subscription_is_changed(cloud: DatabasesCloud, deletions: Subscriber) -> None:
    name = {"SubscriptionName": "deletions"}
    changed = cloud.rds.modify_event_subscription(
        **name, Enabled=False, EventCategories=["backup"]
    )["EventSubscription"]
    assert changed["Enabled"] is False
    assert changed["EventCategoriesList"] == ["backup"]
    cloud.rds.add_source_identifier_to_subscription(**name, SourceIdentifier="other")
    cloud.rds.remove_source_identifier_from_subscription(**name, SourceIdentifier="watched")
    (described,) = cloud.rds.describe_event_subscriptions(**name)["EventSubscriptionsList"]
    assert described["SourceIdsList"] == ["other"]
    assert described["SnsTopicArn"] == deletions.topic


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"SnsTopicArn": "arn:aws:sns:eu-west-1:123456789012:absent"}, "SNSTopicArnNotFound"),
        ({"SnsTopicArn": "arn:aws:sns:eu-central-1:123456789012:x"}, "SNSInvalidTopic"),
        (
            {"SourceType": "db-instance", "EventCategories": ["weather"]},
            "SubscriptionCategoryNotFound",
        ),
        ({"EventCategories": ["backup"]}, "InvalidParameterCombination"),
        ({"SourceIds": ["a"]}, "InvalidParameterCombination"),
    ],
)
def test_what_a_subscription_refuses(
    cloud: DatabasesCloud, everything: Subscriber, inputs: dict[str, Any], code: str
) -> None:
    with refused(code):
        cloud.rds.create_event_subscription(
            **{"SubscriptionName": "refused", "SnsTopicArn": everything.topic, **inputs}
        )


def test_every_kind_can_be_subscribed_to(cloud: DatabasesCloud) -> None:
    listed = cloud.rds.describe_event_categories()["EventCategoriesMapList"]
    known = {category for each in listed for category in each["EventCategories"]}
    assert {kind.category for kind in KINDS.values()} <= known
    assert len({kind.number for kind in KINDS.values()}) == len(KINDS)
