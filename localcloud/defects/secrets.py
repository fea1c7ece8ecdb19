"""Secrets Manager: a read without a version gets AWSCURRENT, wherever that label has moved to.

moto answers such a read with the version that was written last without labels, so a rotated secret
would keep its old value (GetSecretValue: "If you don't specify either a VersionStage or VersionId,
Secrets Manager returns the AWSCURRENT version").
"""

from typing import Any


def install() -> None:
    """Mend moto's Secrets Manager."""
    from moto.secretsmanager.models import SecretsManagerBackend

    read_version = SecretsManagerBackend.get_secret_value

    def get_secret_value(
        backend: Any, secret_id: str, version_id: str, version_stage: str
    ) -> dict[str, Any]:
        if not version_id and not version_stage and backend._is_valid_identifier(secret_id):
            versions = backend.secrets[secret_id].versions
            if not any("AWSCURRENT" in v["version_stages"] for v in versions.values()):
                # moto's own answer says that the secret has no value yet.
                return read_version(backend, secret_id, version_id, version_stage)
            version_stage = "AWSCURRENT"
        return read_version(backend, secret_id, version_id, version_stage)

    setattr(SecretsManagerBackend, "get_secret_value", get_secret_value)  # noqa: B010
