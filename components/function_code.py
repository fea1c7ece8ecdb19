"""What the functions run: one archive of handlers, and layers with the client and the RDS roots."""

from __future__ import annotations

from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment

REPOSITORY = Path(__file__).resolve().parent.parent
RUNTIME = "python3.13"
# Lambda unpacks layers below /opt.
CA_BUNDLE_FILE = "rds-ca-bundle.pem"
CA_BUNDLE_PATH = f"/opt/{CA_BUNDLE_FILE}"


class FunctionCode(pulumi.ComponentResource):
    """The archive that every function shares, and two layers."""

    archive: pulumi.Archive
    ca_layer: aws.lambda_.LayerVersion
    client_layer: aws.lambda_.LayerVersion

    def __init__(
        self,
        name: str,
        deployment: Deployment,
        *,
        ca_bundle: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Take the archives that `make build` left in .build; `ca_bundle` is PEM text."""
        super().__init__("pgkeep:components:FunctionCode", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.architecture = deployment.settings.functions.architecture
        self.archive = _built(
            f".build/functions-{self.architecture}.zip",
            f"python -m operations.archive --architecture {self.architecture}",
        )
        self.ca_layer = aws.lambda_.LayerVersion(
            f"{name}-rds-ca",
            layer_name=deployment.name("rds-ca"),
            description="Roots of the RDS certificate authorities of this region",
            # Pulumi cannot read an asset without any text back; only a preview has no bundle.
            code=pulumi.AssetArchive({CA_BUNDLE_FILE: pulumi.StringAsset(ca_bundle or "\n")}),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[self.architecture],
            opts=child,
        )
        self.client_layer = aws.lambda_.LayerVersion(
            f"{name}-postgresql-client",
            layer_name=deployment.name("postgresql-client-17"),
            description="pg_dump, pg_restore and psql 17 with their libraries",
            code=_built(
                f".build/postgresql-client-17-{self.architecture}.zip",
                f"python -m operations.postgresql_client_layer --architecture {self.architecture}",
            ),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[self.architecture],
            opts=child,
        )
        self.register_outputs({})


def _built(path: str, command: str) -> pulumi.Archive:
    """The archive at `path`; at a preview a marker stands in for one that is not built yet.

    The path stays relative to the repository, so that state is the same on every machine.
    """
    if (REPOSITORY / path).is_file():
        return pulumi.FileArchive(path)
    if not pulumi.runtime.is_dry_run():
        raise pulumi.RunError(
            f"{path}: missing, the functions cannot be deployed without it. Build it: {command}"
        )
    pulumi.log.warn(f"{path} is not built; the preview shows a marker. Build it: {command}")
    return pulumi.AssetArchive({"not-built": pulumi.StringAsset(command)})
