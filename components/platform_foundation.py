"""What the parts of a stack are made with: where they are, their keys, and what functions run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import pulumi

from components.alarm_topic import AlarmTopic
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import FunctionCode
from components.platform_network import PlatformNetwork
from workloads.contract import WorkloadContract


class FunctionPlacement(TypedDict):
    """Arguments of every function that reaches the database."""

    subnet_ids: list[pulumi.Input[str]]
    security_group_id: pulumi.Input[str]


@dataclass(frozen=True)
class Foundation:
    """What is there before databases, roles, backups and pooler.

    Attributes:
        contract: of the workload that the stack serves.
        ca_bundle: the roots that databases are verified against, in PEM.
        opts: make whatever takes them a child of the platform.
    """

    deployment: Deployment
    contract: WorkloadContract
    ca_bundle: str
    network: PlatformNetwork
    keys: EncryptionKeys
    code: FunctionCode
    alarm_topic: AlarmTopic
    opts: pulumi.ResourceOptions

    @property
    def function_placement(self) -> FunctionPlacement:
        """Where functions run that reach the database."""
        return {
            "subnet_ids": self.network.placement.function_subnet_ids,
            "security_group_id": self.network.groups.group_id("functions"),
        }
