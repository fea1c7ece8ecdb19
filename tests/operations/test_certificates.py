"""The poolers' authority and server certificate: made once, renewed in time, verified by OpenSSL."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509

from operations import secret_store
from operations.certificates import issue, pooler
from operations.errors import OperationError
from operations.functions import pooler_certificates as function

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAME = "pgkeep-local-pooler-0123456789abcdef.elb.eu-west-1.amazonaws.com"


@pytest.fixture
def ssm(secrets: Any) -> Any:
    secrets.create_secret(Name="authority")
    secrets.create_secret(Name="server")
    return boto3.client("ssm")


def ensure(secrets: Any, ssm: Any, **changes: Any) -> pooler.PoolerCertificates:
    settings: dict[str, Any] = {
        "dns_names": [NAME],
        "server_valid_days": 90,
        "authority_valid_days": 3650,
        "authority_secret": "authority",
        "server_secret": "server",
        "ca_parameter": "/pgkeep/ca",
        "now": NOW,
        **changes,
    }
    return pooler.ensure(secrets=secrets, ssm=ssm, **settings)


def server(secrets: Any) -> x509.Certificate:
    stored = secret_store.read(secrets, "server") or {}
    return x509.load_pem_x509_certificate(stored["certificate"].encode())


def test_a_client_that_trusts_the_authority_verifies_the_server(
    secrets: Any, ssm: Any, tmp_path: Path
) -> None:
    made = ensure(secrets, ssm, now=datetime.now(UTC))
    stored = secret_store.read(secrets, "server") or {}
    chain = tmp_path / "server.pem"
    chain.write_text(stored["private_key"] + stored["certificate"])
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(chain)
    trusting = ssl.create_default_context(cadata=made.ca_certificate)
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT

    assert handshake(serving, trusting, NAME)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(serving, trusting, "other.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(serving, ssl.create_default_context(), NAME)


def handshake(serving: ssl.SSLContext, trusting: ssl.SSLContext, name: str) -> bool:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    other = serving.wrap_bio(to_server, to_client, server_side=True)
    for side in (one, other, one, other):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return one.version() == "TLSv1.3"


def test_second_run_changes_nothing(secrets: Any, ssm: Any) -> None:
    first = ensure(secrets, ssm)
    assert first.status == "changed"
    before = secrets.describe_secret(SecretId="server")["VersionIdsToStages"]
    assert ensure(secrets, ssm) == pooler.PoolerCertificates(
        "unchanged", first.ca_certificate, first.not_after
    )
    assert secrets.describe_secret(SecretId="server")["VersionIdsToStages"] == before
    assert ssm.get_parameter(Name="/pgkeep/ca")["Parameter"]["Value"] == first.ca_certificate


@pytest.mark.parametrize(("days", "renewed"), [(59, False), (61, True), (100, True)])
def test_server_certificate_is_renewed_thirty_days_before_its_end(
    secrets: Any, ssm: Any, days: int, renewed: bool
) -> None:
    first = ensure(secrets, ssm)
    later = ensure(secrets, ssm, now=NOW + timedelta(days=days))
    assert (later.not_after > first.not_after) is renewed
    assert later.ca_certificate == first.ca_certificate


def test_other_names_and_another_authority_give_a_new_server_certificate(
    secrets: Any, ssm: Any
) -> None:
    ensure(secrets, ssm)
    old = server(secrets)
    ensure(secrets, ssm, dns_names=["b.example", "a.example"])
    assert issue.dns_names(server(secrets)) == ["b.example", "a.example"]
    assert ensure(secrets, ssm, dns_names=["a.example", "b.example"]).status == "unchanged"
    made = issue.authority("another", 3650, NOW)
    secret_store.write(
        secrets,
        "authority",
        {"certificate": made.certificate, "private_key": made.private_key},
    )
    ensure(secrets, ssm, dns_names=["a.example", "b.example"])
    server(secrets).verify_directly_issued_by(made.x509)
    assert server(secrets).serial_number != old.serial_number


def test_renewed_authority_is_trusted_together_with_the_old_one(secrets: Any, ssm: Any) -> None:
    first = ensure(secrets, ssm)
    near_the_end = NOW + timedelta(days=3650 - 80)
    second = ensure(secrets, ssm, now=near_the_end)
    assert second.ca_certificate.count("BEGIN CERTIFICATE") == 2
    assert second.ca_certificate.endswith(first.ca_certificate)
    assert ensure(secrets, ssm, now=near_the_end).status == "unchanged"
    after = ensure(secrets, ssm, now=NOW + timedelta(days=3660))
    assert after.ca_certificate.count("BEGIN CERTIFICATE") == 1


def test_clients_have_the_next_authority_before_it_signs(secrets: Any, ssm: Any) -> None:
    """For 90 days here: as long as the server's certificates are valid."""
    first = ensure(secrets, ssm)
    announcing = NOW + timedelta(days=3650 - 175)
    announced = ensure(secrets, ssm, now=announcing)
    assert announced.ca_certificate.startswith(first.ca_certificate)
    assert announced.ca_certificate.count("BEGIN CERTIFICATE") == 2
    server(secrets).verify_directly_issued_by(
        x509.load_pem_x509_certificate(first.ca_certificate.encode())
    )
    assert ensure(secrets, ssm, now=announcing).status == "unchanged"

    second = ensure(secrets, ssm, now=NOW + timedelta(days=3650 - 80))
    following = announced.ca_certificate.removeprefix(first.ca_certificate)
    assert second.ca_certificate == following + first.ca_certificate
    server(secrets).verify_directly_issued_by(x509.load_pem_x509_certificate(following.encode()))
    # The authority after that one is announced in its own time.
    last = ensure(secrets, ssm, now=NOW + timedelta(days=3650))
    assert last.ca_certificate == following


PEM = "-----BEGIN {0}-----\nAAAA\n-----END {0}-----\n"


def another_key() -> str:
    return issue.authority("another", 90, NOW).private_key


@pytest.mark.parametrize(
    "damage",
    [
        {"certificate": PEM.format("CERTIFICATE")},
        {"private_key": PEM.format("PRIVATE KEY")},
        {"private_key": another_key()},
        {"certificate": ""},
    ],
    ids=["certificate", "key", "another's key", "empty"],
)
def test_a_damaged_server_certificate_is_made_again_and_a_damaged_authority_is_named(
    secrets: Any, ssm: Any, damage: dict[str, str]
) -> None:
    first = ensure(secrets, ssm)
    whole = secret_store.read(secrets, "server") or {}
    secret_store.write(secrets, "server", {**whole, **damage})
    again = ensure(secrets, ssm)
    assert (again.status, again.ca_certificate) == ("changed", first.ca_certificate)
    made = secret_store.read(secrets, "server") or {}
    assert issue.KeyPair(made["certificate"], made["private_key"]).is_whole

    authority = secret_store.read(secrets, "authority") or {}
    secret_store.write(secrets, "authority", {**authority, **damage})
    with pytest.raises(OperationError, match="secret authority has a certificate and a private"):
        ensure(secrets, ssm)
    assert secret_store.read(secrets, "server") == made


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dns_names": ["ü.example"]}, "dns_names has 'ü.example', which is no DNS name"),
        ({"dns_names": ["a b"]}, "which is no DNS name"),
        ({"dns_names": ["a" * 300]}, "which is no DNS name"),
        ({"server_valid_days": 10**9, "authority_valid_days": 10**10}, "at most 36500"),
        ({"dns_names": []}, "dns_names is empty"),
        ({"server_valid_days": 30}, "server_valid_days is 30; at least 31"),
        ({"authority_valid_days": 180}, "authority_valid_days is 180; more than 180"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    secrets: Any, ssm: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(OperationError, match=message):
        ensure(secrets, ssm, **changes)
    assert secret_store.read(secrets, "authority") is None


def test_handler(secrets: Any, ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTHORITY_SECRET_ARN", "authority")
    monkeypatch.setenv("SERVER_SECRET_ARN", "server")
    monkeypatch.setenv("CA_PARAMETER_NAME", "/pgkeep/ca")
    answer = function.handler({"dns_names": [NAME]}, None)
    assert answer["ca_certificate"].startswith("-----BEGIN CERTIFICATE-----")
    assert datetime.fromisoformat(answer["not_after"]) == server(secrets).not_valid_after_utc
    for event in ({"names": [NAME]}, {"dns_names": NAME}):
        with pytest.raises(OperationError, match=r"event must be \{dns_names"):
            function.handler(event, None)
