"""The pooler's own authority and server certificate, made and renewed by a function."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment
from components.encryption_keys import EncryptionKeys
from components.function_code import FunctionCode
from components.function_schedule import FunctionSchedule, Timer
from components.iam import allow, read_secrets
from components.managed_secret import managed_secret
from components.operation_function import FunctionSpec, OperationFunction

# Every day; the function renews only what ends within 30 days.
_RENEWAL_CHECK = "cron(0 5 * * ? *)"


class PoolerCertificates(pulumi.ComponentResource):
    """Two secrets, the parameter with the authority's certificate, and the function.

    The private keys are only in the secrets; `ca_certificate` is public and an output.
    """

    server_secret: aws.secretsmanager.Secret
    operation: OperationFunction
    issued: aws.lambda_.Invocation
    ca_certificate: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        dns_name: pulumi.Output[str],
        code: FunctionCode,
        keys: EncryptionKeys,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Issue a certificate for `dns_name`, where clients reach the pooler."""
        super().__init__("pgkeep:components:PoolerCertificates", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        authority_secret = managed_secret(
            f"{name}-authority",
            deployment,
            keys,
            "pooler",
            "authority",
            description="Authority of the pooler's certificates, with its private key",
            opts=child,
        )
        self.server_secret = managed_secret(
            f"{name}-server",
            deployment,
            keys,
            "pooler",
            "server-tls",
            description="Certificate and private key of the pooler hosts",
            opts=child,
        )
        parameter_name = f"/{deployment.settings.prefix}/pooler/ca-certificate"
        parameter = aws.ssm.Parameter(
            f"{name}-ca",
            name=parameter_name,
            type="String",
            # The function puts the certificate here, and a new one years later.
            value="not issued yet",
            description="Authority that clients verify the pooler against, PEM",
            tags=deployment.tags(parameter_name),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["value"]),
        )
        self.operation = OperationFunction(
            name,
            deployment,
            FunctionSpec(
                purpose="pooler-certificates",
                handler="operations.functions.pooler_certificates.handler",
                description="Makes and renews the pooler's certificates",
                environment={
                    "AUTHORITY_SECRET_ARN": authority_secret.arn,
                    "SERVER_SECRET_ARN": self.server_secret.arn,
                    "CA_PARAMETER_NAME": parameter_name,
                },
                statements=[
                    allow(
                        "PublishAuthority",
                        ["ssm:GetParameter", "ssm:PutParameter"],
                        [deployment.arn("ssm", f"parameter{parameter_name}")],
                    ),
                    *read_secrets(
                        deployment,
                        keys.secrets.arn,
                        [authority_secret.arn, self.server_secret.arn],
                        write=True,
                    ),
                ],
            ),
            code=code,
            keys=keys,
            opts=child,
        )
        secrets = deployment.settings.secrets
        event = dns_name.apply(
            lambda name_: json.dumps(
                {
                    "dns_names": [name_],
                    "server_valid_days": secrets.server_certificate_days,
                    "authority_valid_days": secrets.authority_certificate_days,
                }
            )
        )
        self.issued = aws.lambda_.Invocation(
            f"{name}-issue",
            function_name=self.operation.function.name,
            input=event,
            lifecycle_scope="CREATE_ONLY",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[parameter]),
        )
        self.ca_certificate = self.issued.result.apply(_ca_certificate)
        FunctionSchedule(
            f"{name}-schedule",
            deployment,
            self.operation,
            [Timer("renew", _RENEWAL_CHECK, event)],
            keys=keys,
            opts=child,
        )
        self.register_outputs({"ca_certificate": self.ca_certificate})


def _ca_certificate(result: str) -> str:
    answer: dict[str, Any] = json.loads(result)
    return str(answer["ca_certificate"])
