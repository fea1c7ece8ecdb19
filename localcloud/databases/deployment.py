"""A blue/green deployment as the API shows it."""

import datetime
from dataclasses import dataclass, field
from typing import Any

from localcloud.databases.instance import LocalDBInstance


@dataclass
class Deployment:
    """One blue/green deployment."""

    identifier: str
    name: str
    blue: LocalDBInstance
    green: LocalDBInstance
    created: datetime.datetime
    tags: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    # Of the switchover, once it has been asked for; before, that green cannot be made.
    phase: str | None = None
    details: str | None = None
    # Of a deployment to a later major version: blue's slots by database, once green follows.
    major: bool = False
    slots: dict[str, str] | None = None

    @property
    def status(self) -> str:
        """As the API names it."""
        if self.phase is not None:
            return self.phase
        if self.green.status == "available":
            return "PROVISIONING" if self.major and self.slots is None else "AVAILABLE"
        broken = self.green.status in ("failed", "incompatible-parameters")
        return "INVALID_CONFIGURATION" if broken else "PROVISIONING"

    def describe(self) -> dict[str, Any]:
        """The BlueGreenDeployment of the API; ARNs follow the names that a switchover changes."""
        done = "COMPLETED" if self.green.listening else "IN_PROGRESS"
        described = {
            "BlueGreenDeploymentIdentifier": self.identifier,
            "BlueGreenDeploymentName": self.name,
            "Source": self.blue.arn,
            "Target": self.green.arn,
            "SwitchoverDetails": [
                {
                    "SourceMember": self.blue.arn,
                    "TargetMember": self.green.arn,
                    "Status": self.status,
                }
            ],
            "Tasks": [{"Name": "CREATING_READ_REPLICA_OF_SOURCE", "Status": done}],
            "Status": self.status,
            "CreateTime": self.created,
            "TagList": self.tags,
        }
        return {**described, "StatusDetails": self.details} if self.details else described
