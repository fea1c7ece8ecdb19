"""Secrets Manager: AWSCURRENT is where it was moved to, for reads and for writes without a version.

moto goes by the version that was written last without labels. So a rotated secret would keep its
old value (GetSecretValue: "If you don't specify either a VersionStage or VersionId, Secrets Manager
returns the AWSCURRENT version"), and a value put by hand after a rotation would be a second current
one (PutSecretValue: "Secrets Manager automatically moves the staging label AWSCURRENT to this
version").
"""

from typing import Any


def install() -> None:
    """Mend moto's Secrets Manager."""
    from moto.secretsmanager.models import FakeSecret, SecretsManagerBackend

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

    take_current = FakeSecret.reset_default_version

    def reset_default_version(secret: Any, secret_version: dict[str, Any], version_id: str) -> None:
        for version, found in secret.versions.items():
            if "AWSCURRENT" in found["version_stages"]:
                secret.set_default_version_id(version)
        take_current(secret, secret_version, version_id)

    setattr(FakeSecret, "reset_default_version", reset_default_version)  # noqa: B010
