"""SQS queues, SNS topics with policies and subscriptions."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.resources.identity import document, policy_failure
from localcloud.provider.sdk_types import Failure, output_types
from localcloud.provider.shapes import plain
from localcloud.provider.tags import Tags

_QUEUE_ATTRIBUTES = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deduplicationScope": "DeduplicationScope",
    "delaySeconds": "DelaySeconds",
    "fifoQueue": "FifoQueue",
    "fifoThroughputLimit": "FifoThroughputLimit",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}
_TOPIC_ATTRIBUTES = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deliveryPolicy": "DeliveryPolicy",
    "displayName": "DisplayName",
    "fifoTopic": "FifoTopic",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "policy": "Policy",
    "signatureVersion": "SignatureVersion",
    "tracingConfig": "TracingConfig",
}
_SUBSCRIPTION_ATTRIBUTES = {
    "deliveryPolicy": "DeliveryPolicy",
    "filterPolicy": "FilterPolicy",
    "filterPolicyScope": "FilterPolicyScope",
    "rawMessageDelivery": "RawMessageDelivery",
    "redrivePolicy": "RedrivePolicy",
    "subscriptionRoleArn": "SubscriptionRoleArn",
}


def attributes(keys: Mapping[str, str], inputs: Mapping[str, Any]) -> dict[str, str]:
    """Properties as the text attributes of SQS and SNS. What is off is left out: FIFO attributes
    of a plain queue are refused even when they are false."""
    return {
        key: str(value).lower() if isinstance(value, bool) else str(value)
        for name, key in keys.items()
        if (value := inputs.get(name)) is not None and value is not False and value != ""
    }


def _from_attributes(
    token: str, keys: Mapping[str, str], found: Mapping[str, str]
) -> dict[str, Any]:
    types = output_types(token)
    return {
        name: plain(types[name].rstrip("?"), found[key])
        for name, key in keys.items()
        if key in found
    }


class _Queue(Resource):
    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        if inputs.get("fifoQueue") and not str(inputs.get("name", ".fifo")).endswith(".fifo"):
            return [Failure("name", f"{inputs['name']!r} must end in .fifo for a FIFO queue")]
        return [
            failure
            for name in ("policy", "redrivePolicy", "redriveAllowPolicy")
            for failure in policy_failure(name, inputs.get(name))
        ]

    def start(self, context: Context) -> None:
        inputs = context.inputs
        parameters: dict[str, Any] = {"QueueName": inputs["name"]}
        given = attributes(_QUEUE_ATTRIBUTES, inputs)
        if given:
            parameters["Attributes"] = given
        if inputs.get("tags"):
            parameters["tags"] = inputs["tags"]
        context.id = context.call("sqs", "CreateQueue", **parameters)["QueueUrl"]

    def apply_updates(self, context: Context, changed: Names) -> None:
        keys = {name: key for name, key in _QUEUE_ATTRIBUTES.items() if name in changed}
        if keys:
            given = attributes(keys, context.inputs)
            cleared = dict.fromkeys(set(keys.values()) - given.keys(), "")
            context.call(
                "sqs", "SetQueueAttributes", QueueUrl=context.id, Attributes=cleared | given
            )

    def observe(self, context: Context) -> dict[str, Any]:
        found = context.call(
            "sqs", "GetQueueAttributes", QueueUrl=context.id, AttributeNames=["All"]
        )["Attributes"]
        values = _from_attributes(self.kind, _QUEUE_ATTRIBUTES, found)
        values |= {
            "arn": found["QueueArn"],
            "url": context.id,
            "name": context.id.rsplit("/", 1)[-1],
        }
        if self.tags is not None:
            values["tags"] = self.tags.observe(context, {}) or {}
        return values


class _Topic(Resource):
    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        return policy_failure("policy", inputs.get("policy"))

    def start(self, context: Context) -> None:
        inputs = context.inputs
        parameters: dict[str, Any] = {"Name": inputs["name"]}
        given = attributes(_TOPIC_ATTRIBUTES, inputs)
        if given:
            parameters["Attributes"] = given
        if inputs.get("tags") and self.tags:
            parameters |= self.tags.in_create(inputs["tags"])
        context.id = context.call("sns", "CreateTopic", **parameters)["TopicArn"]

    def apply_updates(self, context: Context, changed: Names) -> None:
        for name in sorted(changed & _TOPIC_ATTRIBUTES.keys()):
            key = _TOPIC_ATTRIBUTES[name]
            value = attributes({name: key}, context.inputs).get(key, "")
            context.call(
                "sns",
                "SetTopicAttributes",
                TopicArn=context.id,
                AttributeName=key,
                AttributeValue=value,
            )

    def observe(self, context: Context) -> dict[str, Any]:
        found = context.call("sns", "GetTopicAttributes", TopicArn=context.id)["Attributes"]
        values = _from_attributes(self.kind, _TOPIC_ATTRIBUTES, found)
        values |= {
            "arn": found["TopicArn"],
            "owner": found.get("Owner", ""),
            "name": context.id.rsplit(":", 1)[-1],
        }
        if self.tags is not None:
            values["tags"] = self.tags.observe(context, {}) or {}
        return values


class _TopicPolicy(Resource):
    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        return policy_failure("policy", inputs.get("policy"))

    def plan(self, aws: Any, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        del aws, inputs
        return [{}]

    def start(self, context: Context) -> None:
        context.id = context.inputs["arn"]
        self._put(context)

    @staticmethod
    def _put(context: Context) -> None:
        context.call(
            "sns",
            "SetTopicAttributes",
            TopicArn=context.id,
            AttributeName="Policy",
            AttributeValue=document(context.inputs["policy"]),
        )

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "policy" in changed:
            self._put(context)

    def observe(self, context: Context) -> dict[str, Any]:
        found = context.call("sns", "GetTopicAttributes", TopicArn=context.id)["Attributes"]
        return {
            "arn": context.id,
            "owner": found.get("Owner", ""),
            "policy": found.get("Policy", ""),
        }

    def delete(self, context: Context) -> None:
        # A topic always has a policy: without ours it has the owner's, as pulumi-aws leaves it.
        owner = context.id.split(":")[4]
        default = {
            "Version": "2008-10-17",
            "Statement": [
                {
                    "Sid": "__default_statement_ID",
                    "Effect": "Allow",
                    "Principal": {"AWS": "*"},
                    "Action": ["SNS:Publish", "SNS:Subscribe", "SNS:GetTopicAttributes"],
                    "Resource": context.id,
                    "Condition": {"StringEquals": {"AWS:SourceOwner": owner}},
                }
            ],
        }
        context.inputs = {**context.inputs, "policy": default}
        self._put(context)


class _Subscription(Resource):
    """A subscription by mail is only pending until its recipient confirms it."""

    def start(self, context: Context) -> None:
        inputs = context.inputs
        made = context.call(
            "sns",
            "Subscribe",
            TopicArn=inputs["topic"],
            Protocol=inputs["protocol"],
            Endpoint=inputs["endpoint"],
            Attributes=attributes(_SUBSCRIPTION_ATTRIBUTES, inputs),
            ReturnSubscriptionArn=True,
        )
        context.id = made["SubscriptionArn"]

    def plan(self, aws: Any, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        del aws, inputs
        return [{}]

    def apply_updates(self, context: Context, changed: Names) -> None:
        for name in sorted(changed & _SUBSCRIPTION_ATTRIBUTES.keys()):
            key = _SUBSCRIPTION_ATTRIBUTES[name]
            value = attributes({name: key}, context.inputs).get(key, "")
            if not value and name == "rawMessageDelivery":
                value = "false"
            context.call(
                "sns",
                "SetSubscriptionAttributes",
                SubscriptionArn=context.id,
                AttributeName=key,
                AttributeValue=value,
            )

    def observe(self, context: Context) -> dict[str, Any]:
        found = context.call("sns", "GetSubscriptionAttributes", SubscriptionArn=context.id)[
            "Attributes"
        ]
        values = _from_attributes(self.kind, _SUBSCRIPTION_ATTRIBUTES, found)
        return values | {
            "arn": context.id,
            "ownerId": found.get("Owner", ""),
            "topic": found.get("TopicArn"),
            "protocol": found.get("Protocol"),
            "endpoint": found.get("Endpoint"),
            "pendingConfirmation": found.get("PendingConfirmation") == "true",
            "confirmationWasAuthenticated": found.get("ConfirmationWasAuthenticated") == "true",
        }


RESOURCES: tuple[Resource, ...] = (
    _Queue(
        kind="aws:sqs/queue:Queue",
        service="sqs",
        create_with=Operation("CreateQueue"),
        identifier="QueueUrl",
        read_with=Operation("GetQueueAttributes"),
        delete_with=Operation("DeleteQueue", {"QueueUrl": "$id"}),
        special=frozenset(_QUEUE_ATTRIBUTES) | names("name"),
        replaces=names("name namePrefix fifoQueue"),
        defaults={
            "contentBasedDeduplication": False,
            "delaySeconds": 0,
            "fifoQueue": False,
            "messageRetentionSeconds": 345600,
            "receiveWaitTimeSeconds": 0,
            "visibilityTimeoutSeconds": 30,
        },
        autoname="name",
        autoname_limit=80,
        json_properties=names("policy redrivePolicy redriveAllowPolicy"),
        unobserved=names("sqsManagedSseEnabled"),
        tags=Tags(
            form="map",
            tag=Operation("TagQueue", {"QueueUrl": "$id"}),
            untag=Operation("UntagQueue", {"QueueUrl": "$id"}),
            list_with=Operation("ListQueueTags", {"QueueUrl": "$id"}, "Tags"),
        ),
        not_found=names(
            "AWS.SimpleQueueService.NonExistentQueue QueueDoesNotExist "
            "com.amazonaws.sqs#QueueDoesNotExist"
        ),
    ),
    _Topic(
        kind="aws:sns/topic:Topic",
        service="sns",
        create_with=Operation("CreateTopic"),
        identifier="TopicArn",
        read_with=Operation("GetTopicAttributes"),
        delete_with=Operation("DeleteTopic", {"TopicArn": "$id"}),
        special=frozenset(_TOPIC_ATTRIBUTES) | names("name"),
        replaces=names("name namePrefix fifoTopic"),
        defaults={"contentBasedDeduplication": False, "fifoTopic": False},
        autoname="name",
        autoname_limit=256,
        json_properties=names("policy deliveryPolicy"),
        tags=Tags(
            tag=Operation("TagResource", {"ResourceArn": "$id"}),
            untag=Operation("UntagResource", {"ResourceArn": "$id"}),
            list_with=Operation("ListTagsForResource", {"ResourceArn": "$id"}, "Tags"),
        ),
        not_found=names("NotFound NotFoundException ResourceNotFound"),
    ),
    _TopicPolicy(
        kind="aws:sns/topicPolicy:TopicPolicy",
        service="sns",
        create_with=Operation("SetTopicAttributes"),
        identifier="",
        read_with=Operation("GetTopicAttributes"),
        special=names("arn policy"),
        replaces=names("arn"),
        json_properties=names("policy"),
        not_found=names("NotFound NotFoundException ResourceNotFound"),
        delete_before_replace=True,
    ),
    _Subscription(
        kind="aws:sns/topicSubscription:TopicSubscription",
        service="sns",
        create_with=Operation("Subscribe"),
        identifier="SubscriptionArn",
        read_with=Operation("GetSubscriptionAttributes"),
        delete_with=Operation("Unsubscribe", {"SubscriptionArn": "$id"}),
        special=frozenset(_SUBSCRIPTION_ATTRIBUTES) | names("topic protocol endpoint"),
        local=names("confirmationTimeoutInMinutes endpointAutoConfirms"),
        replaces=names("topic protocol endpoint"),
        defaults={
            "confirmationTimeoutInMinutes": 1,
            "endpointAutoConfirms": False,
            "rawMessageDelivery": False,
        },
        json_properties=names("filterPolicy redrivePolicy deliveryPolicy"),
        not_found=names("NotFound NotFoundException ResourceNotFound"),
    ),
)
