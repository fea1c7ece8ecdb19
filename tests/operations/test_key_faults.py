"""The fault `wrong KMS key`, with S3 and KMS of the local cloud: what is refused says which and why.

Each time the bucket is looked at, and the next run with the key enabled again is whole.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from operations.backup import BackupTarget, Manifest, expiry, manifest, run
from operations.backup.store import Store
from operations.backup.verify import verify
from operations.errors import OperationError
from tests.localcloud.planes import REGION, Planes
from tests.operations.postgres_server import PostgresServer
from tests.operations.site import PASSWORD, SOURCE, USER, Site, unpack_client_layer

pytestmark = pytest.mark.root

BUCKET = "pgkeep-backups-and-keys"
MISSING = f"arn:aws:kms:{REGION}:123456789012:key/00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planes]:
    with Planes(tmp_path_factory.mktemp("pk"), "defects") as started:
        yield started


@pytest.fixture(scope="module", autouse=True)
def client_layer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = unpack_client_layer(tmp_path_factory.mktemp("opt"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(folder))
        yield


class KeySite(Site):
    """A site whose bucket is under a key and whose manifests are signed by another."""

    kms: Any
    signing_key: str

    @property
    def key(self) -> str:
        return self.target.kms_key

    @property
    def store(self) -> Store:
        return Store(self.s3, BUCKET, self.kms, self.target.mac_key)

    def run(self, **changes: str) -> Manifest:
        return run(
            "manual",
            self.endpoint(SOURCE),
            connect=lambda: self.connect(SOURCE),
            target=dataclasses.replace(self.target, **changes),
            s3=self.s3,
            kms=self.kms,
        )

    def objects(self) -> set[str]:
        """Of all objects in the bucket."""
        found = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {one["Key"] for one in found}


@pytest.fixture
def site(planes: Planes, server: PostgresServer) -> Iterator[KeySite]:
    s3, kms = planes.client("s3"), planes.client("kms")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'".encode())
    with server.superuser(SOURCE) as connection:
        connection.execute("CREATE TABLE few AS SELECT generate_series(1, 3) AS id")
    signing_key = new_signing_key(kms)
    target = BackupTarget(BUCKET, new_key(kms), retention_days={}, mac_key=signing_key)
    made = KeySite(server, s3, target)
    made.kms, made.signing_key = kms, signing_key
    yield made
    for key in made.objects():
        s3.delete_object(Bucket=BUCKET, Key=key)
    assert made.uploads() == []
    s3.delete_bucket(Bucket=BUCKET)


def new_key(kms: Any) -> str:
    return kms.create_key()["KeyMetadata"]["Arn"]


def new_signing_key(kms: Any) -> str:
    made = kms.create_key(KeyUsage="GENERATE_VERIFY_MAC", KeySpec="HMAC_256")
    return made["KeyMetadata"]["Arn"]


def disable(kms: Any, key: str) -> str:
    """What is said of the key from now on."""
    kms.disable_key(KeyId=key)
    return f"{key} is disabled; enable it: aws kms enable-key --key-id {key} --region {REGION}"


def schedule(kms: Any, key: str) -> str:
    kms.schedule_key_deletion(KeyId=key)
    return f"{key} is pending deletion; keep it while that is possible: aws kms cancel-key-deletion"


def enable(kms: Any, key: str) -> None:
    if kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion":
        kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(OperationError) as caught:
        call()
    return str(caught.value)


def wait_for_the_next_second(made: Manifest) -> None:
    """Ids of one second have no order."""
    while f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}" == made.id.partition("-")[0]:
        time.sleep(0.05)


def events(output: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in output.splitlines() if '"_aws"' in line]
    return [one for one in lines if one["event"].startswith("backup") and "BackupSuccess" in one]


@pytest.mark.parametrize("switch_off", [disable, schedule])
@pytest.mark.parametrize("which", ["kms_key", "mac_key"])
def test_no_run_begins_under_a_key_that_is_off(
    site: KeySite, capsys: pytest.CaptureFixture[str], which: str, switch_off: Any
) -> None:
    key = getattr(site.target, which)
    said = switch_off(site.kms, key)
    text = refusal(site.run)
    assert text.startswith("no backup was made: ")
    assert said in text
    (failed,) = events(capsys.readouterr().out)
    assert (failed["event"], failed["BackupSuccess"]) == ("backup_failed", 0)
    assert f"{key} is " in failed["error"]
    # Not even the rows of a run that could not be signed hours later.
    assert (site.objects(), site.uploads()) == (set(), [])
    enable(site.kms, key)
    made = site.run()
    assert verify(site.store.get("latest"), s3=site.s3, bucket=BUCKET).whole
    assert {key.split("/")[2] for key in site.objects()} == {made.id}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kms_key": MISSING}, f"Key '{MISSING}' does not exist; it was deleted for good, or"),
        ({"mac_key": MISSING}, f"Key '{MISSING}' does not exist; it was deleted for good, or"),
        ({"kms_key": "mac_key"}, "is not valid for GenerateDataKey; it was deleted for good, or"),
        ({"mac_key": "kms_key"}, "is not valid for GenerateMac; it was deleted for good, or"),
    ],
)
def test_another_key_than_the_stack_s_is_refused_before_the_first_row(
    site: KeySite, changes: dict[str, str], said: str
) -> None:
    named = {name: getattr(site.target, value, value) for name, value in changes.items()}
    text = refusal(lambda: site.run(**named))
    assert text.startswith("no backup was made: ")
    assert said in text
    assert "pulumi preview --refresh" in text
    assert (site.objects(), site.uploads()) == (set(), [])


@pytest.mark.parametrize("switch_off", [disable, schedule])
def test_what_cannot_be_read_is_neither_a_backup_nor_nothing(
    site: KeySite, switch_off: Any
) -> None:
    made = site.run()
    said = switch_off(site.kms, site.key)
    for call in (
        site.store.find,
        lambda: site.store.newest(SOURCE),
        lambda: site.store.get(made.id),
    ):
        text = refusal(call)
        assert made.id in text
        assert "its manifest cannot be read: An error occurred (KMS." in text
        assert said in text
    assert "no backup in bucket" in refusal(lambda: site.store.get("latest"))
    findings = verify(made, s3=site.s3, bucket=BUCKET).findings
    assert len(findings) == len(made.objects)
    assert all(said in finding for finding in findings)
    assert said in refusal(lambda: site.restore(made))
    enable(site.kms, site.key)
    assert site.store.get("latest") == made
    assert verify(made, s3=site.s3, bucket=BUCKET).whole
    site.restore(made)
    assert site.prove(made).proven


def test_a_backup_under_an_old_key_hides_none_under_the_new_one(site: KeySite) -> None:
    old = site.run()
    disable(site.kms, site.key)
    under_new = dataclasses.replace(site.target, kms_key=new_key(site.kms))
    site.target, old_key = under_new, site.key
    wait_for_the_next_second(old)
    new = site.run()
    found = site.store.find()
    assert found.backups == (new,)
    assert [(one.id, one.locked, one.unsigned) for one in found.others] == [(old.id, True, None)]
    assert site.store.get("latest") == site.store.newest(SOURCE) == new
    # It stays, however old: whether it may go cannot be told.
    marking = expiry.decide(found, {}, datetime.now(UTC).replace(year=2100))
    assert [one.backup.id for one in marking.decisions] == [new.id]
    assert marking.abandoned == ()
    enable(site.kms, old_key)
    assert site.store.find().backups == (new, old)


def test_the_latest_is_no_older_one_where_the_newest_cannot_be_read(site: KeySite) -> None:
    old = site.run()
    site.target = dataclasses.replace(site.target, kms_key=new_key(site.kms))
    wait_for_the_next_second(old)
    new = site.run()
    said = disable(site.kms, site.key)
    text = refusal(lambda: site.store.get("latest"))
    assert text.startswith(f"the newest backup is {new.id}, and its manifest cannot be read: ")
    assert said in text
    assert text.endswith(
        f"The newest that can be read is {old.id}: name it to have it all the same"
    )
    assert site.store.get(old.id) == old


@pytest.mark.parametrize("switch_off", [disable, schedule])
def test_what_cannot_be_verified_comes_back_by_its_id_and_when_asked(
    site: KeySite, switch_off: Any
) -> None:
    made = site.run()
    said = switch_off(site.kms, site.signing_key)
    for call in (
        site.store.find,
        lambda: site.store.newest(SOURCE),
        lambda: site.store.get(made.id),
    ):
        text = refusal(call)
        assert "its signature cannot be verified: An error occurred (" in text
        assert said in text
        assert "restore it by its id with --unsigned" in text
    refusal(lambda: site.store.get("latest", unsigned=True))
    assert site.store.get(made.id, unsigned=True) == made
    enable(site.kms, site.signing_key)
    assert site.store.find().backups == (made,)


def test_what_was_altered_is_refused_whatever_the_key_s_state(site: KeySite) -> None:
    made = site.run()
    disable(site.kms, site.signing_key)
    body = manifest.encode(made).replace(b'"snapshot_lsn": "', b'"snapshot_lsn": "1')
    site.s3.put_object(Bucket=BUCKET, Key=made.key, Body=body)
    for unsigned in (False, True):
        with pytest.raises(OperationError, match=r"is no backup: .* was altered after it was"):
            site.store.get(made.id, unsigned=unsigned)
