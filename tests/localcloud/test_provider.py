"""Every resource type through the provider's whole life, against an in-process moto."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from moto.kms.responses import KmsResponse
from moto.server import ThreadedMotoServer

from localcloud.defects import replica_keys
from localcloud.provider import sdk_types
from localcloud.provider.aws import Aws
from localcloud.provider.registry import RESOURCES
from tests.localcloud.provider_engine import Engine, Made, provider
from tests.localcloud.provider_sample import Sample
from tests.localcloud.provider_samples import SAMPLES

Calls = list[tuple[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        # As the local cloud mends it; the fixture's end takes it back.
        patch.setattr(KmsResponse, "replicate_key", KmsResponse.replicate_key)
        replica_keys.install()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        patch.setenv("PGKEEP_LOCALCLOUD_ENDPOINT", f"http://{host}:{port}")
        patch.delenv("PGKEEP_OFFLINE_PREVIEW", raising=False)
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture(scope="module")
def engine(endpoint: str) -> Iterator[Engine]:
    with provider() as found:
        yield found


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """Every operation with its parameters, in order."""
    seen: Calls = []
    real = Aws.call

    def record(self: Aws, service: str, operation: str, parameters: Any, **more: Any) -> Any:
        seen.append((operation, dict(parameters)))
        return real(self, service, operation, parameters, **more)

    monkeypatch.setattr(Aws, "call", record)
    return seen


@pytest.fixture(scope="module")
def made() -> dict[str, Made]:
    """What earlier samples made; each test adds its own."""
    return {}


def test_the_samples_cover_every_type_that_moto_can_make():
    beyond = {
        "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",  # not in moto
        "aws:lambda/invocation:Invocation",  # tests of its own
        # With functions that run: tests/localcloud/test_secret_rotation.py.
        "aws:secretsmanager/secretRotation:SecretRotation",
        # With copies and snapshots: tests/localcloud/test_vaults.py.
        "aws:backup/plan:Plan",
        "aws:backup/selection:Selection",
        "aws:backup/vault:Vault",
        "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        "aws:backup/vaultPolicy:VaultPolicy",
        # With real databases: tests/localcloud/test_databases_provider.py.
        "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",
        "aws:rds/snapshot:Snapshot",
        "aws:rds/snapshotCopy:SnapshotCopy",
    }
    assert {sample.kind for sample in SAMPLES} == RESOURCES.keys() - beyond


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.key)
def test_create_reads_back_the_same(engine: Engine, made: dict[str, Made], sample: Sample):
    inputs = sample.build(made)
    resource = engine.create(sample.kind, sample.key, **inputs)
    made[sample.key] = resource
    assert resource.id
    for name, notation in sdk_types.output_types(sample.kind).items():
        if notation in ("string", "boolean", "integer", "{}string", "[]string"):
            assert name in resource.outputs, name
    # Nothing changed: neither for the program, nor after a refresh.
    assert engine.diff(resource, **inputs).changed is False
    found = engine.read(resource)
    assert found is not None
    assert found.id == resource.id
    assert found.inputs == resource.inputs
    assert engine.diff(found, **inputs).changed is False


def previewed(
    engine: Engine, made: dict[str, Made], calls: Calls, sample: Sample
) -> dict[str, Any]:
    """Diff and preview the sample's change; return its inputs after that."""
    resource = made[sample.key]
    assert sample.change
    changes = sample.change(made)
    inputs = {**sample.build(made), **changes}
    inputs = {name: value for name, value in inputs.items() if value is not None}
    diff = engine.diff(resource, **inputs)
    assert diff.changed
    assert diff.replaces == []
    assert set(diff.diffs) == changes.keys()
    preview = engine.update(resource, True, **inputs)
    assert not [name for name, _ in calls if not name.startswith(("Describe", "Get", "List"))]
    assert preview.id == resource.id
    return inputs


# The server here is moto alone. Where it has a defect at the update itself, that is left out: the
# data planes of the local cloud mend it, and their tests show so.
DEFECTIVE = [s for s in SAMPLES if s.moto_defect]


@pytest.mark.parametrize("sample", DEFECTIVE, ids=lambda s: s.key)
def test_update_is_previewed(engine: Engine, made: dict[str, Made], calls: Calls, sample: Sample):
    previewed(engine, made, calls, sample)


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if s.change and s not in DEFECTIVE], ids=lambda s: s.key
)
def test_update_in_place(engine: Engine, made: dict[str, Made], calls: Calls, sample: Sample):
    resource = made[sample.key]
    inputs = previewed(engine, made, calls, sample)
    engine.update(resource, **inputs)
    assert set(sample.calls) <= {name for name, _ in calls}
    assert engine.diff(resource, **inputs).changed is False
    found = engine.read(resource)
    assert found is not None
    assert found.inputs == resource.inputs


@pytest.mark.parametrize("sample", [s for s in SAMPLES if s.replace], ids=lambda s: s.key)
def test_replacement(engine: Engine, made: dict[str, Made], sample: Sample):
    inputs = {**sample.build(made), **sample.replace}
    diff = engine.diff(made[sample.key], **inputs)
    assert set(diff.replaces) == sample.replace.keys()


@pytest.mark.parametrize("sample", SAMPLES[::-1], ids=lambda s: s.key)
def test_delete_and_delete_again(engine: Engine, made: dict[str, Made], sample: Sample):
    resource = made[sample.key]
    engine.delete(resource)
    if not sample.stays:
        assert engine.read(resource) is None
        engine.delete(resource)  # What is gone already is fine.
