"""sshd's AuthorizedKeysCommand believes the service's signature and nothing else.

The local cloud's EC2 Instance Connect signs; openssl is the machine's own.
"""

from __future__ import annotations

import base64
import subprocess
import time
import urllib.error
from email.message import Message
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hosts import instance_connect, metadata
from hosts.instance_connect import UntrustedError
from localcloud.authorities import Authority, open_authority
from localcloud.instances.instance_connect import PUSHED_SECONDS, ManagedKeys

INSTANCE = "i-0123456789abcdef0"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJLwnMCYlPRN9wD7zSbHmV0Qp0ZsRBW0mN3JYVYK0o1p"
FOLDER = "meta-data/managed-ssh-keys"


class Service:
    """Instance Connect of a region and the metadata of one instance."""

    def __init__(self, folder: Path, region: str = "eu-west-1") -> None:
        self.authority: Authority = open_authority(folder, "test", "a trusted authority")
        self.region = region
        cloud: Any = SimpleNamespace(services_authority=self.authority, region=region)
        self.keys = ManagedKeys(cloud)
        self.changes: dict[str, str | None] = {}

    def push(self, user: str = "admin", key: str = KEY, instance: str = INSTANCE) -> None:
        self.keys.push(instance, user, key, "arn:aws:iam::123456789012:role/deploy")

    def get(self, path: str) -> str:
        documents = {
            "meta-data/instance-id": INSTANCE,
            "meta-data/placement/region": "eu-west-1",
            "meta-data/services/domain": "amazonaws.com",
        }
        pushed = self.keys.documents(INSTANCE)
        documents |= {f"meta-data/{name}": text for name, text in pushed.items()}
        text = self.changes.get(path, documents.get(path))
        if text is None:
            raise urllib.error.HTTPError(path, 404, "Not Found", Message(), None)
        return text.strip()


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    (tmp_path / "authority").mkdir()
    made = Service(tmp_path / "authority")
    trust(tmp_path, made.authority, monkeypatch)
    monkeypatch.setattr(metadata, "get", made.get)
    return made


def trust(folder: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = folder / "trusted"
    trusted.mkdir()
    (trusted / "authority.pem").write_bytes(authority.certificate_pem)
    subprocess.run(["openssl", "rehash", str(trusted)], check=True)
    monkeypatch.setattr(instance_connect, "TRUSTED", trusted)


def keys(folder: Path, user: str = "admin") -> list[str]:
    own = folder / "own"
    own.mkdir(exist_ok=True)
    return instance_connect.keys(user, own)


def active(service: Service) -> str:
    return service.get(f"{FOLDER}/active-keys/admin")


def test_a_pushed_key_counts_for_its_user_only(service: Service, tmp_path: Path) -> None:
    service.push(key=f"{KEY} somebody@somewhere\n")
    other = KEY[:-1] + "q"
    service.push(key=other)
    assert keys(tmp_path) == [KEY, other]
    assert keys(tmp_path, "postgres") == []
    assert keys(tmp_path, "../admin") == []


def test_without_a_push_there_is_no_key(service: Service, tmp_path: Path) -> None:
    assert keys(tmp_path) == []


def test_a_key_ends_after_its_minute(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.push()
    present = time.time()
    monkeypatch.setattr(instance_connect.time, "time", lambda: present + PUSHED_SECONDS)
    assert keys(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (KEY, KEY[:-1] + "q"),
        (KEY, f'command="/bin/sh" {KEY}'),
        ("#Timestamp=", "#Timestamp=9"),
        (INSTANCE, "i-0aaaaaaaaaaaaaaaa"),
        ("#Caller=arn", "#Caller=another-arn"),
        ("#Instance=", "#Other="),
    ],
)
def test_what_was_changed_does_not_count(
    service: Service, tmp_path: Path, old: str, new: str
) -> None:
    service.push()
    text = active(service)
    assert old in text
    service.changes[f"{FOLDER}/active-keys/admin"] = text.replace(old, new)
    assert keys(tmp_path) == []


def test_a_key_for_another_instance_does_not_count(service: Service, tmp_path: Path) -> None:
    service.push(instance="i-0aaaaaaaaaaaaaaaa")
    other = service.keys.documents("i-0aaaaaaaaaaaaaaaa")["managed-ssh-keys/active-keys/admin"]
    service.push()
    service.changes[f"{FOLDER}/active-keys/admin"] = f"{other}\n{active(service)}"
    assert keys(tmp_path) == [KEY]


@pytest.mark.parametrize("text", ["", "\n\n", "#a\n#b", "no key", "#a\nssh-ed25519 AAAA\n\x00"])
def test_what_is_no_entry_is_no_key(service: Service, tmp_path: Path, text: str) -> None:
    service.push()
    service.changes[f"{FOLDER}/active-keys/admin"] = text
    assert keys(tmp_path) == []


def test_another_regions_signer_is_refused(service: Service, tmp_path: Path) -> None:
    service.push()
    service.changes["meta-data/placement/region"] = "us-east-1"
    with pytest.raises(UntrustedError, match=r"not managed-ssh-signer\.us-east-1\.amazonaws\.com"):
        keys(tmp_path)


def test_a_signer_of_an_unknown_authority_is_refused(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "strange").mkdir()
    strange = Service(tmp_path / "strange")
    strange.push()
    monkeypatch.setattr(metadata, "get", strange.get)
    with pytest.raises(UntrustedError, match=r"openssl verify: .*(self-signed|unable to get)"):
        keys(tmp_path)


def test_a_signer_that_is_not_proven_good_is_refused(service: Service, tmp_path: Path) -> None:
    service.push()
    documents = service.keys.documents(INSTANCE)
    (name,) = (f"meta-data/{path}" for path in documents if "signer-ocsp/" in path)
    service.changes[name] = base64.b64encode(b"no answer").decode()
    with pytest.raises(UntrustedError, match="openssl ocsp"):
        keys(tmp_path)
    service.changes[name] = None
    with pytest.raises(urllib.error.HTTPError):
        keys(tmp_path)


@pytest.mark.parametrize("answer", ["revoked", "good\n\tWARNING: Status times invalid."])
def test_a_signer_that_was_revoked_or_has_an_old_answer_is_refused(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    service.push()
    asked = instance_connect._openssl

    def openssl(*arguments: Any) -> str:
        if arguments[0] != "ocsp":
            return asked(*arguments)
        certificate = arguments[arguments.index("-cert") + 1]
        return asked(*arguments).replace(f"{certificate}: good", f"{certificate}: {answer}")

    monkeypatch.setattr(instance_connect, "_openssl", openssl)
    with pytest.raises(UntrustedError, match="is not proven to be good"):
        keys(tmp_path)


def test_what_is_wrong_is_in_the_log_and_nothing_is_printed(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    logged: list[Any] = []
    monkeypatch.setattr(instance_connect.syslog, "syslog", lambda *said: logged.append(said))
    monkeypatch.setattr(instance_connect.sys, "argv", ["-", "admin"])
    service.push()
    assert instance_connect.main() == 0
    assert capsys.readouterr().out == f"{KEY}\n"
    assert "of arn:aws:iam::123456789012:role/deploy, request " in logged.pop()[0]
    service.changes[f"{FOLDER}/signer-cert"] = ""
    assert instance_connect.main() == 1
    assert capsys.readouterr().out == ""
    assert "no key is trusted: the metadata has no signer" in logged.pop()[1]
