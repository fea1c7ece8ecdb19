"""Actions of the RDS API on blue/green deployments."""

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

from localcloud.databases.responses_backups import backend_of, page


def create_blue_green_deployment(self: RDSResponse) -> ActionResult:
    """CreateBlueGreenDeployment."""
    deployment = backend_of(self).start_deployment(self.params)
    return ActionResult({"BlueGreenDeployment": deployment.describe()})


def describe_blue_green_deployments(self: RDSResponse) -> ActionResult:
    """DescribeBlueGreenDeployments: all, or the one of an identifier."""
    backend, wanted = backend_of(self), self.params.get("BlueGreenDeploymentIdentifier")
    found = [backend.deployment(wanted)] if wanted else list(backend.deployments.values())
    return page(self, "BlueGreenDeployments", [each.describe() for each in found])


def switchover_blue_green_deployment(self: RDSResponse) -> ActionResult:
    """SwitchoverBlueGreenDeployment."""
    deployment = backend_of(self).switch_over(
        str(self.params.get("BlueGreenDeploymentIdentifier")), self.params.get("SwitchoverTimeout")
    )
    return ActionResult({"BlueGreenDeployment": deployment.describe()})


def delete_blue_green_deployment(self: RDSResponse) -> ActionResult:
    """DeleteBlueGreenDeployment."""
    deployment = backend_of(self).end_deployment(
        str(self.params.get("BlueGreenDeploymentIdentifier")),
        bool(self.params.get("DeleteTarget")),
    )
    return ActionResult({"BlueGreenDeployment": deployment.describe()})


ACTIONS = (
    create_blue_green_deployment,
    describe_blue_green_deployments,
    switchover_blue_green_deployment,
    delete_blue_green_deployment,
)
