"""Types of resources that cost nothing by themselves.

A type that is neither here nor among the pricing rules is reported as one without a known price, so
that a new kind of resource never slips through the estimate. Source: AWS's pricing page of each
service, which charges for none of these.
"""

from __future__ import annotations

from pgkeep.plan.pricing_rules import RULES

# Whole services: identity, rules of security groups.
_FREE_MODULES = ("iam", "vpc")
_FREE = {
    "autoscaling": "lifecycleHook notification policy schedule",
    # A vault itself is not here: what is in it costs by GiB and month.
    "backup": "plan selection vaultLockConfiguration vaultPolicy",
    "cloudwatch": (
        "eventPermission eventRule eventTarget logMetricFilter logResourcePolicy logStream"
    ),
    "ec2": (
        "defaultNetworkAcl defaultRouteTable defaultSecurityGroup egressOnlyInternetGateway "
        "internetGateway keyPair launchTemplate mainRouteTableAssociation networkAcl "
        "networkAclAssociation networkAclRule route routeTable routeTableAssociation securityGroup "
        "securityGroupAssociation securityGroupRule subnet tag vpc vpcDhcpOptions "
        "vpcEndpointRouteTableAssociation vpcIpv4CidrBlockAssociation"
    ),
    "ec2transitgateway": "instanceConnectEndpoint",
    "kms": "alias grant keyPolicy",
    "lambda": (
        "alias eventSourceMapping functionEventInvokeConfig invocation layerVersion permission"
    ),
    "lb": "listener listenerRule targetGroup targetGroupAttachment",
    "rds": (
        "certificate eventSubscription instanceRoleAssociation optionGroup parameterGroup "
        "subnetGroup"
    ),
    "s3": (
        "bucketAccessControlListV2 bucketCorsConfiguration bucketLogging bucketMetric "
        "bucketNotification bucketObject bucketObjectLockConfiguration bucketOwnershipControls "
        "bucketPolicy "
        "bucketPublicAccessBlock bucketServerSideEncryptionConfiguration bucketVersioning"
    ),
    "scheduler": "scheduleGroup",
    "secretsmanager": "secretPolicy secretRotation secretVersion",
    "sns": "topicPolicy topicSubscription",
    "sqs": "queuePolicy redriveAllowPolicy redrivePolicy",
    "ssm": "document parameter",
}
_FREE_TYPES = frozenset(
    f"{module}/{name}" for module, names in _FREE.items() for name in names.split()
)


def is_free(type_: str) -> bool:
    """Whether AWS charges nothing for a resource of the type, such as `aws:iam/role:Role`."""
    package, _, rest = type_.partition(":")
    path = rest.partition(":")[0]
    if package != "aws":
        return True  # Components, providers and the stack are nothing in AWS.
    return path.partition("/")[0] in _FREE_MODULES or path in _FREE_TYPES


def is_known(type_: str) -> bool:
    """Whether it is known what the type costs."""
    return type_ in RULES or is_free(type_)
