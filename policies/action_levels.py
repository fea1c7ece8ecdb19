"""The access levels of IAM actions, told from their names.

AWS's Service Authorization Reference gives every action a level (List, Read, Write, Permissions
management, Tagging). The names follow it closely: of the actions of some fifty services that a data
stack uses, about 97 in 100 are told right; the rest are in the lists below where they matter.
"""

from __future__ import annotations

import functools
import re
from enum import Enum
from pathlib import Path
from typing import Final


class Level(Enum):
    """What an action can do; List counts as Read."""

    READ = "Read"
    WRITE = "Write"
    PERMISSIONS = "Permissions management"
    TAGGING = "Tagging"


_READ: Final = re.compile(
    r"(?:batch)?(?:get|list|describe|search|view|query|scan|lookup|select|check|simulate|preview"
    r"|estimate|head|read|test|detect|discover|validate|download|filter|receive|count)",
    re.IGNORECASE,
)
_TAGGING: Final = re.compile(
    r"(?:un)?tag[a-z]*"
    r"|(?:add|remove|create|delete|put|update|change|replicate)[a-z]*tags?(?:ging)?"
    r"(?:(?:to|from|for)[a-z]+)?",
    re.IGNORECASE,
)
_PERMISSIONS: Final = re.compile(
    r"""(?:
    [a-z0-9-]+:(?:put|delete|set|attach|detach|update|create|reset|add|remove)[a-z]*
      (?:resourcepolicy|keypolicy|bucketpolicy|accesspointpolicy|repositorypolicy|permissions?
      |registrypolicy|filesystempolicy|identitypolicy|sharingpolicy|acl|publicaccessblock
      |accesspolicy)
    | kms:(?:create|retire|revoke)grant
    | s3:(?:bypassgovernanceretention|objectowneroverridetobucketowner)
    | sns:(?:createtopic|settopicattributes)
    | sqs:(?:createqueue|setqueueattributes)
    | rds:(?:authorizedbsecuritygroupingress|modifydb(?:cluster)?snapshotattribute)
    | ec2:(?:modifysnapshotattribute|resetsnapshotattribute|modifyvpcendpointservicepermissions)
    | lambda:(?:en|dis)ablereplication
    | redshift:(?:authorize|deauthorize|revoke)[a-z]+
    | redshift:(?:createclusteruser|joingroup|modifyclusteriamroles)
    | rds-db:connect
    | ssm:modifydocumentpermission
    )""",
    re.IGNORECASE | re.VERBOSE,
)
# So named, but Write to AWS.
_ONLY_WRITES: Final = re.compile(
    r"ec2:(?:create|delete)(?:networkacl|(?:coippool|localgatewayroutetable)permission)"
    r"|elasticloadbalancing:setwebacl"
    r"|(?:cloudtrail|ec2|kinesis|organizations|xray):(?:put|delete)resourcepolicy",
    re.IGNORECASE,
)
# Whole groups of actions for which AWS accepts nothing but "*": no action of them has a resource.
_GROUPS_WITHOUT_RESOURCES: Final = re.compile(
    r"""(?:
    ce:[a-z]+
    | config:Describe[a-z]+
    | ec2messages:[a-z]+
    | ecr-public:GetAuthorizationToken
    | health:Describe[a-z]+
    | organizations:(?:List[a-z]+|DescribeOrganization)
    | support:[a-z]+
    | tag:Get[a-z]+
    )""",
    re.IGNORECASE | re.VERBOSE,
)
ACTIONS_WITHOUT_RESOURCES: Final = Path(__file__).with_name("actions_without_resources.txt")


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
    if _ONLY_WRITES.fullmatch(action) or not _PERMISSIONS.fullmatch(action):
        return Level.WRITE
    return Level.PERMISSIONS


def has_no_resources(action: str) -> bool:
    """Whether AWS has no resource-level permission for `action`, so that "*" is all there is."""
    if _GROUPS_WITHOUT_RESOURCES.fullmatch(action):
        return True
    return action.lower() in _without_resources()


@functools.cache
def _without_resources() -> frozenset[str]:
    """The names in actions_without_resources.txt, in small letters."""
    names: set[str] = set()
    service = ""
    for line in ACTIONS_WITHOUT_RESOURCES.read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            continue
        start, colon, rest = line.partition(":")
        if colon:
            service = start
        names.update(f"{service}:{name}".lower() for name in (rest if colon else line).split())
    return frozenset(names)
