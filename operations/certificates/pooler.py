"""The poolers' certificate authority and server certificate, kept in Secrets Manager."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from operations import secret_store
from operations.certificates import issue
from operations.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.client import SecretsManagerClient
    from mypy_boto3_ssm.client import SSMClient

AUTHORITY_NAME = "pgkeep pooler authority"
RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True)
class PoolerCertificates:
    """What clients trust (`ca_certificate`) and when the server certificate ends."""

    status: Literal["changed", "unchanged"]
    ca_certificate: str
    not_after: datetime


def ensure(
    *,
    dns_names: list[str],
    server_valid_days: int,
    authority_valid_days: int,
    authority_secret: str,
    server_secret: str,
    ca_parameter: str,
    secrets: SecretsManagerClient,
    ssm: SSMClient,
    now: datetime | None = None,
) -> PoolerCertificates:
    """Make or renew what is absent, for other names, or within 30 days of its end.

    An authority is renewed early enough that no server certificate outlives it; the old one stays
    in `ca_certificate` until it ends, so that hosts and clients may follow one after the other.
    """
    _check(dns_names, server_valid_days, authority_valid_days)
    now = now or datetime.now(UTC)
    signer, ca_certificate, changed = _ensure_authority(
        secrets,
        authority_secret,
        authority_valid_days,
        renew_before=timedelta(days=server_valid_days),
        now=now,
    )
    stored = secret_store.read(secrets, server_secret)
    if not _usable(stored, dns_names, ca_certificate, signer, now):
        made = issue.server(signer, dns_names, server_valid_days, now)
        stored = {
            "certificate": made.certificate,
            "private_key": made.private_key,
            "ca_certificate": ca_certificate,
        }
        secret_store.write(secrets, server_secret, stored)
        changed = True
    if stored is None:
        raise AssertionError("a server certificate was just stored")
    server = issue.KeyPair(str(stored["certificate"]), str(stored["private_key"])).x509
    changed |= _publish(ssm, ca_parameter, ca_certificate)
    return PoolerCertificates(
        "changed" if changed else "unchanged", ca_certificate, server.not_valid_after_utc
    )


def _check(dns_names: list[str], server_valid_days: int, authority_valid_days: int) -> None:
    if not dns_names or not all(dns_names):
        raise OperationError("dns_names is empty; give the name that clients connect to")
    shortest = RENEW_BEFORE.days + 1
    if server_valid_days < shortest:
        raise OperationError(
            f"server_valid_days is {server_valid_days}; at least {shortest}, because certificates "
            f"are renewed {RENEW_BEFORE.days} days before they end"
        )
    if authority_valid_days <= 2 * server_valid_days:
        raise OperationError(
            f"authority_valid_days is {authority_valid_days}; more than {2 * server_valid_days}, "
            "because no server certificate may outlive its authority"
        )


def _ensure_authority(
    secrets: SecretsManagerClient,
    secret: str,
    valid_days: int,
    *,
    renew_before: timedelta,
    now: datetime,
) -> tuple[issue.KeyPair, str, bool]:
    stored = secret_store.read(secrets, secret)
    present = _key_pair(stored)
    if present is not None and present.x509.not_valid_after_utc - now > renew_before:
        previous = str((stored or {}).get("previous_certificate", ""))
        return present, present.certificate + _still_valid(previous, now), False
    made = issue.authority(AUTHORITY_NAME, valid_days, now)
    previous = present.certificate if present else ""
    secret_store.write(
        secrets,
        secret,
        {
            "certificate": made.certificate,
            "private_key": made.private_key,
            "previous_certificate": previous,
        },
    )
    return made, made.certificate + _still_valid(previous, now), True


def _still_valid(certificate: str, now: datetime) -> str:
    if not certificate:
        return ""
    ends = issue.KeyPair(certificate, "").x509.not_valid_after_utc
    return certificate if ends > now else ""


def _key_pair(stored: dict[str, Any] | None) -> issue.KeyPair | None:
    if not stored or "certificate" not in stored or "private_key" not in stored:
        return None
    return issue.KeyPair(str(stored["certificate"]), str(stored["private_key"]))


def _usable(
    stored: dict[str, Any] | None,
    dns_names: list[str],
    ca_certificate: str,
    signer: issue.KeyPair,
    now: datetime,
) -> bool:
    pair = _key_pair(stored)
    if pair is None or stored is None or stored.get("ca_certificate") != ca_certificate:
        return False
    certificate = pair.x509
    if certificate.not_valid_after_utc - now <= RENEW_BEFORE:
        return False
    if sorted(issue.dns_names(certificate)) != sorted(dns_names):
        return False
    try:
        certificate.verify_directly_issued_by(signer.x509)
    except Exception:  # cryptography raises three kinds; each means "signed by another"
        return False
    return True


def _publish(ssm: SSMClient, parameter: str, ca_certificate: str) -> bool:
    """The CA certificate is public: a plain String that applications may read."""
    try:
        present = ssm.get_parameter(Name=parameter)["Parameter"].get("Value")
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ParameterNotFound":
            raise
        present = None
    if present == ca_certificate:
        return False
    ssm.put_parameter(Name=parameter, Value=ca_certificate, Type="String", Overwrite=True)
    return True
