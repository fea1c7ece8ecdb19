"""An instance's update by a blue/green deployment, in the API's calls that pulumi-aws makes.

The AWS Terraform provider 6: internal/service/rds/blue_green.go, and the update of instance.go.
"""

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.errors import NotFoundError, ProviderError

# A change of these alone is made on the instance itself.
BYPASSING = names(
    "allowMajorVersionUpgrade applyImmediately blueGreenUpdate deleteAutomatedBackups "
    "deletionProtection finalSnapshotIdentifier password passwordWo passwordWoVersion "
    "replicateSourceDb skipFinalSnapshot tags tagsAll"
)
# The deployment itself takes these; green is not changed to them again.
_OF_THE_DEPLOYMENT = ("AllowMajorVersionUpgrade", "DBParameterGroupName", "EngineVersion")
_WAIT_SECONDS = 3600.0


class BlueGreenUpdate:
    """One update: green is made and changed, takes over, and blue is deleted."""

    def __init__(self, context: Context, wait_available: Callable[[str], None]) -> None:
        """`wait_available` waits until the instance of an identifier is available."""
        self._context = context
        self._wait_available = wait_available
        self._name = str(context.inputs["identifier"])

    def run(self, changed: Names, parameters: Mapping[str, Any]) -> None:
        """Carry out ModifyDBInstance's `parameters` by way of a deployment.

        Raises:
            ProviderError: the switchover failed; blue is in production as before.
        """
        self._prepare(changed, parameters)
        deployment = self._create(changed)
        done = False
        try:
            target = self._available(deployment)
            self._wait_available(target)
            self._change_green(target, parameters)
            self._switch_over(deployment)
            done = True
            self._delete_blue(_identifier(self._describe(deployment)["Source"]))
        finally:
            # It is cleaned up in any case; green with it when it did not take over.
            self._call(
                "DeleteBlueGreenDeployment",
                BlueGreenDeploymentIdentifier=deployment,
                **({} if done else {"DeleteTarget": True}),
            )

    def _prepare(self, changed: Names, parameters: Mapping[str, Any]) -> None:
        first = {
            member: parameters[member]
            for member in ("BackupRetentionPeriod", "DeletionProtection")
            if member in parameters
        }
        if self._context.old_inputs.get("backupRetentionPeriod"):
            first.pop("BackupRetentionPeriod", None)
        if "deletionProtection" not in changed:
            first.pop("DeletionProtection", None)
        if first:
            self._modify(self._name, first)

    def _create(self, changed: Names) -> str:
        inputs = self._context.inputs
        given = {"TargetDBParameterGroupName": inputs.get("parameterGroupName")}
        if "engineVersion" in changed:
            given["TargetEngineVersion"] = inputs.get("engineVersion")
        made = self._call(
            "CreateBlueGreenDeployment",
            BlueGreenDeploymentName=self._name,
            Source=self._context.state["arn"],
            **{member: value for member, value in given.items() if value is not None},
        )
        return made["BlueGreenDeployment"]["BlueGreenDeploymentIdentifier"]

    def _available(self, deployment: str) -> str:
        self._wait_for(deployment, "AVAILABLE", "INVALID_CONFIGURATION")
        return _identifier(self._describe(deployment)["Target"])

    def _change_green(self, target: str, parameters: Mapping[str, Any]) -> None:
        chosen = {k: v for k, v in parameters.items() if k not in _OF_THE_DEPLOYMENT}
        if chosen.keys() - {"ApplyImmediately"}:
            self._modify(target, chosen)

    def _switch_over(self, deployment: str) -> None:
        self._call("SwitchoverBlueGreenDeployment", BlueGreenDeploymentIdentifier=deployment)
        self._wait_for(deployment, "SWITCHOVER_COMPLETED", "SWITCHOVER_FAILED")
        self._wait_available(self._name)

    def _delete_blue(self, blue: str) -> None:
        self._wait_available(blue)
        if self._context.inputs.get("deletionProtection"):
            self._modify(blue, {"DeletionProtection": False})
        self._call("DeleteDBInstance", DBInstanceIdentifier=blue, SkipFinalSnapshot=True)

        def still_there() -> str | None:
            try:
                found = self._call("DescribeDBInstances", DBInstanceIdentifier=blue)
            except NotFoundError:
                return None
            return f"{blue} is {found['DBInstances'][0]['DBInstanceStatus']}"

        self._context.wait(still_there, _WAIT_SECONDS)

    def _modify(self, identifier: str, parameters: Mapping[str, Any]) -> None:
        given = {**parameters, "ApplyImmediately": True}
        self._call("ModifyDBInstance", DBInstanceIdentifier=identifier, **given)
        self._wait_available(identifier)

    def _wait_for(self, deployment: str, wanted: str, failed: str) -> None:
        def probe() -> str | None:
            found = self._describe(deployment)
            if found["Status"] == failed:
                raise ProviderError(
                    f"{self._context.subject}: blue/green deployment is {failed}: "
                    f"{found.get('StatusDetails') or 'see the events of its instances'}; "
                    f"{self._name} is in production as before"
                )
            return None if found["Status"] == wanted else f"blue/green is {found['Status']}"

        self._context.wait(probe, _WAIT_SECONDS)

    def _describe(self, deployment: str) -> dict[str, Any]:
        found = self._call("DescribeBlueGreenDeployments", BlueGreenDeploymentIdentifier=deployment)
        return found["BlueGreenDeployments"][0]

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self._context.call("rds", operation, **parameters)


def _identifier(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]
