"""One workload's roles: a secret for each login, and the function that applies the manifest."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from components.database import Database
from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import CA_BUNDLE_PATH, FunctionCode
from components.iam import read_secrets
from components.managed_secret import managed_secret, secret_name
from components.operation_function import FunctionSpec, OperationFunction
from workloads.contract import WorkloadContract


class WorkloadRoles(pulumi.ComponentResource):
    """Secrets, function and manifest. Passwords exist only in the secrets and as verifiers in
    PostgreSQL; the manifest is a plain input, so that policies see every grant before it is made.
    """

    secrets: dict[str, aws.secretsmanager.Secret]
    secret_names: dict[str, str]
    pooler_users_secret: aws.secretsmanager.Secret
    operation: OperationFunction
    manifest: str
    applied: aws.lambda_.Invocation

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        contract: WorkloadContract,
        database: Database,
        master_secret_arn: pulumi.Input[str],
        master_ready: pulumi.Resource,
        code: FunctionCode,
        keys: EncryptionKeys,
        subnet_ids: Sequence[pulumi.Input[str]],
        security_group_id: pulumi.Input[str],
        reachable: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Make them and apply the manifest once `master_ready` and `reachable` are there."""
        super().__init__("pgkeep:components:WorkloadRoles", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.secrets = {}
        self.secret_names = {}
        for role in contract.login_roles:
            parts = (contract.workload, role.kind)
            self.secret_names[role.kind] = secret_name(deployment, *parts)
            self.secrets[role.kind] = managed_secret(
                f"{name}-{role.kind}",
                deployment,
                keys,
                *parts,
                description=f"Login of role {role.name}",
                opts=child,
            )
        self.pooler_users_secret = managed_secret(
            f"{name}-pooler-users",
            deployment,
            keys,
            "pooler",
            "users",
            description="SCRAM verifiers for the pooler hosts; no passwords",
            opts=child,
        )
        written = [secret.arn for secret in self.secrets.values()]
        written.append(self.pooler_users_secret.arn)
        self.operation = OperationFunction(
            name,
            deployment,
            FunctionSpec(
                purpose="roles",
                handler="operations.functions.roles.handler",
                description="Applies role manifests to the database",
                environment={
                    **database_environment(deployment, database),
                    "MASTER_SECRET_ARN": master_secret_arn,
                    "POOLER_USERS_SECRET_ARN": self.pooler_users_secret.arn,
                },
                statements=[
                    *read_secrets(deployment, keys.secrets.arn, [master_secret_arn]),
                    *read_secrets(deployment, keys.secrets.arn, written, write=True),
                ],
                layers=[code.ca_layer.arn],
                vpc_subnet_ids=subnet_ids,
                vpc_security_group_id=security_group_id,
            ),
            code=code,
            keys=keys,
            opts=child,
        )
        # Names, not ARNs: the manifest is then known, and judged, before anything exists.
        manifest = contract.role_manifest(
            {role.name: self.secret_names[role.kind] for role in contract.login_roles}
        )
        self.manifest = json.dumps({"manifest": json.loads(manifest.to_json())})
        secrets = [*self.secrets.values(), self.pooler_users_secret]
        self.applied = aws.lambda_.Invocation(
            f"{name}-apply",
            function_name=self.operation.function.name,
            input=self.manifest,
            lifecycle_scope="CREATE_ONLY",
            # Another instance under the same name has no roles yet.
            triggers={"instance": database.instance.resource_id},
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[master_ready, *secrets, *reachable]
            ),
        )
        self.register_outputs({"secret_names": self.secret_names})


def database_environment(
    deployment: Deployment, database: Database
) -> dict[str, pulumi.Input[str]]:
    """How a function reaches and verifies the primary."""
    return {
        "DB_HOST": database.instance.address,
        "DB_PORT": database.instance.port.apply(str),
        "DB_NAME": deployment.settings.database.name,
        "RDS_CA_BUNDLE": CA_BUNDLE_PATH,
    }
