"""RDS event subscriptions. Defaults and replacements as in pulumi-aws 7 (the AWS Terraform
provider 6: internal/service/rds).
"""

from localcloud.provider.context import Context, Names, names
from localcloud.provider.operations import Operation, Ready, Update
from localcloud.provider.resource import Resource
from localcloud.provider.resources.database_groups import rds_tags


class _Subscription(Resource):
    """Its sources are added and removed one by one."""

    def apply_updates(self, context: Context, changed: Names) -> None:
        super().apply_updates(context, changed)
        if "sourceIds" not in changed:
            return
        old = set(context.old_inputs.get("sourceIds") or [])
        new = set(context.inputs.get("sourceIds") or [])
        for operation, sources in (
            ("RemoveSourceIdentifierFromSubscription", old - new),
            ("AddSourceIdentifierToSubscription", new - old),
        ):
            for source in sorted(sources):
                context.call("rds", operation, SubscriptionName=context.id, SourceIdentifier=source)


RESOURCES: tuple[Resource, ...] = (
    _Subscription(
        kind="aws:rds/eventSubscription:EventSubscription",
        service="rds",
        create_with=Operation("CreateEventSubscription", result="EventSubscription"),
        identifier="result.CustSubscriptionId",
        read_with=Operation(
            "DescribeEventSubscriptions", {"SubscriptionName": "$id"}, "EventSubscriptionsList[0]"
        ),
        delete_with=Operation("DeleteEventSubscription", {"SubscriptionName": "$id"}),
        updates=(
            Update(
                "ModifyEventSubscription",
                names("enabled eventCategories snsTopic sourceType"),
                {"SubscriptionName": "$id"},
            ),
        ),
        renames={
            "name": "SubscriptionName",
            "snsTopic": "SnsTopicArn",
            "sourceIds": "SourceIds",
            "arn": "EventSubscriptionArn",
            "customerAwsId": "CustomerAwsId",
        },
        in_place=names("sourceIds"),
        computed={
            "name": "CustSubscriptionId",
            "snsTopic": "SnsTopicArn",
            "sourceIds": "SourceIdsList",
            "eventCategories": "EventCategoriesList",
        },
        replaces=names("name namePrefix"),
        defaults={"enabled": True},
        autoname="name",
        autoname_limit=255,
        unordered=names("eventCategories sourceIds"),
        tags=rds_tags(),
        ready=Ready("Status", names("active"), names("no-permission topic-not-exist")),
        # pulumi-aws waits 40 minutes.
        wait_seconds=2400,
        not_found=names("SubscriptionNotFound SubscriptionNotFoundFault"),
    ),
)
