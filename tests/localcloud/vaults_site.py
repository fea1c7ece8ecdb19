"""Vaults here and in another region, as fixtures that the modules of AWS Backup take over."""

import json
from collections.abc import Iterator

import pytest

from tests.localcloud.provider_engine import Engine, Made, provider
from tests.localcloud.vaults_cloud import THERE, VaultsCloud

DENY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "NobodyDeletes",
                "Effect": "Deny",
                "Principal": {"AWS": "*"},
                "Action": ["backup:DeleteRecoveryPoint"],
                "Resource": "*",
            }
        ],
    }
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultsCloud]:
    found = VaultsCloud(tmp_path_factory.mktemp("cloud"))
    try:
        yield found
    finally:
        found.close()


@pytest.fixture(scope="module")
def engine(cloud: VaultsCloud) -> Iterator[Engine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_LOCALCLOUD_ENDPOINT", cloud.arguments["endpoint_url"])
        patch.delenv("PGKEEP_OFFLINE_PREVIEW", raising=False)
        with provider() as found:
            yield found


@pytest.fixture(scope="module")
def vault(engine: Engine, cloud: VaultsCloud) -> Made:
    made = engine.create(
        "aws:backup/vault:Vault", "vault", name="near", kmsKeyArn=cloud.key(), tags={"Name": "near"}
    )
    engine.create(
        "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        "lock",
        backupVaultName="near",
        minRetentionDays=3,
        maxRetentionDays=365,
    )
    engine.create(
        "aws:backup/vaultPolicy:VaultPolicy", "policy", backupVaultName="near", policy=DENY
    )
    return made


@pytest.fixture(scope="module")
def copies(engine: Engine, cloud: VaultsCloud) -> Made:
    return engine.create(
        "aws:backup/vault:Vault",
        "copies",
        name="far",
        kmsKeyArn=cloud.key(THERE),
        region=THERE,
    )
