"""The poolers' certificate authority and server certificate, kept in Secrets Manager."""

from __future__ import annotations

import re
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
# A century; RFC 5280 has no year after 9999.
_MOST_DAYS = 36_500
# RFC 1123, 2.1: labels of letters, digits and hyphens; a wildcard is the first label alone.
_DNS_NAME = re.compile(
    r"(?=.{1,253}$)(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
    r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)


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

    The next authority is in `ca_certificate` for as long as a server certificate is valid before it
    signs the first one, and the one before until it ends: so clients may follow in their own time.
    No server certificate outlives its authority.

    Raises `OperationError` for settings that cannot work, and for an authority that cannot be read:
    another one would shut out every client.
    """
    _check(dns_names, server_valid_days, authority_valid_days)
    now = now or datetime.now(UTC)
    signer, ca_certificate, changed = _ensure_authority(
        secrets,
        authority_secret,
        authority_valid_days,
        server_valid=timedelta(days=server_valid_days),
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
    wrong = next((name for name in dns_names if not _DNS_NAME.fullmatch(name)), None)
    if wrong is not None:
        raise OperationError(
            f"dns_names has {wrong[:80]!r}, which is no DNS name; give the name that clients "
            "connect to"
        )
    if max(server_valid_days, authority_valid_days) > _MOST_DAYS:
        raise OperationError(
            f"server_valid_days is {server_valid_days} and authority_valid_days "
            f"{authority_valid_days}; at most {_MOST_DAYS}"
        )
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
    server_valid: timedelta,
    now: datetime,
) -> tuple[issue.KeyPair, str, bool]:
    """Who signs now, what clients trust, and whether the secret was changed."""
    stored = secret_store.read(secrets, secret) or {}
    present = _authority(stored, secret)
    following = _authority(stored, secret, "next_")
    left = present.x509.not_valid_after_utc - now if present else timedelta()
    if present is None or left <= server_valid:
        signer = following or issue.authority(AUTHORITY_NAME, valid_days, now)
        previous = present.certificate if present else ""
        kept = _stored(signer) | {"previous_certificate": previous}
        secret_store.write(secrets, secret, kept)
        return signer, signer.certificate + _still_valid(previous, now), True
    announced = following is None and left <= 2 * server_valid
    if announced:
        following = issue.authority(AUTHORITY_NAME, valid_days, now)
        secret_store.write(secrets, secret, stored | _stored(following, "next_"))
    trusted = present.certificate + (following.certificate if following else "")
    previous = str(stored.get("previous_certificate", ""))
    return present, trusted + _still_valid(previous, now), announced


def _stored(pair: issue.KeyPair, prefix: str = "") -> dict[str, str]:
    return {f"{prefix}certificate": pair.certificate, f"{prefix}private_key": pair.private_key}


def _still_valid(certificate: str, now: datetime) -> str:
    if not certificate:
        return ""
    try:
        ends = issue.KeyPair(certificate, "").x509.not_valid_after_utc
    except ValueError:
        return ""
    return certificate if ends > now else ""


def _authority(stored: dict[str, Any], secret: str, prefix: str = "") -> issue.KeyPair | None:
    pair = _key_pair(stored, prefix)
    if pair is not None and not pair.is_whole:
        raise OperationError(
            f"secret {secret.rsplit(':secret:', maxsplit=1)[-1]} has a {prefix}certificate and a "
            f"{prefix}private_key that cannot be read or are not each other's; make the version "
            "before current again (aws secretsmanager update-secret-version-stage). Without one "
            "that is whole, {} in the secret makes a new authority, which every client must be "
            "given before it can connect again"
        )
    return pair


def _key_pair(stored: dict[str, Any] | None, prefix: str = "") -> issue.KeyPair | None:
    names = [f"{prefix}certificate", f"{prefix}private_key"]
    if not stored or not all(name in stored for name in names):
        return None
    return issue.KeyPair(*(str(stored[name]) for name in names))


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
    if not pair.is_whole:
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
