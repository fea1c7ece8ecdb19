"""What the functions run: one archive of handlers, and layers with the client and the RDS roots."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.deployment import Deployment

REPOSITORY = Path(__file__).resolve().parent.parent
RUNTIME = "python3.13"
# Lambda unpacks layers below /opt.
CA_BUNDLE_FILE = "rds-ca-bundle.pem"
CA_BUNDLE_PATH = f"/opt/{CA_BUNDLE_FILE}"


# What stands for the SHA-256 of a file that is not built yet, at a preview.
_NOT_BUILT = "0" * 64


@dataclass(frozen=True)
class BuiltFile:
    """A file that `make build` left, for who takes it from the bucket."""

    asset: pulumi.Asset
    sha256: str


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
        archive = f".build/functions-{self.architecture}.zip"
        client = f".build/postgresql-client-17-{self.architecture}.zip"
        build_archive = f"python -m operations.archive --architecture {self.architecture}"
        build_client = (
            f"python -m operations.postgresql_client_layer --architecture {self.architecture}"
        )
        self.archive = _built(archive, build_archive)
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
            code=_built(client, build_client),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[self.architecture],
            opts=child,
        )
        #: The same for a host, which has no SDK of AWS's: functions.zip, aws-sdk.zip, client.zip.
        self.worker_files = {
            "functions.zip": (archive, build_archive),
            "aws-sdk.zip": (".build/aws-sdk.zip", build_archive),
            "postgresql-client.zip": (client, build_client),
        }
        self.register_outputs({})

    def worker_file(self, name: str) -> BuiltFile:
        """One of `worker_files` with its SHA-256; at a preview it need not be built."""
        path, command = self.worker_files[name]
        file = REPOSITORY / path
        if file.is_file():
            return BuiltFile(pulumi.FileAsset(path), hashlib.sha256(file.read_bytes()).hexdigest())
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(
                f"{path}: missing, the backup worker cannot be deployed without it. "
                f"Build it: {command}"
            )
        return BuiltFile(pulumi.StringAsset(command), _NOT_BUILT)


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
