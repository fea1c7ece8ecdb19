"""The local certificate authorities: `rds` for databases, `services` for the AWS endpoints.

On AWS clients trust Amazon's public and RDS authorities; here each home has its own pair, made
once and kept, so that every verification in the stack is the real one.
"""

import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from localcloud.home import Home

# A local cloud is rebuilt more often than this; nothing in it has to renew these.
AUTHORITY_VALID_DAYS = 3650
# Below the 398 days from which some TLS clients refuse a server certificate.
SERVER_VALID_DAYS = 397
# X.520 ub-common-name: a longer name goes to the subject alternative names alone.
_LONGEST_COMMON_NAME = 64


@dataclass(frozen=True)
class Authority:
    """A certificate authority that signs server certificates."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> bytes:
        """The authority's own certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def certify(self, common_name: str, key: rsa.RSAPublicKey) -> x509.Certificate:
        """Return a certificate for who signs with this key."""
        builder = _certificate(common_name, self.certificate.subject, key, SERVER_VALID_DAYS)
        return self._sign(builder, x509.SubjectAlternativeName([x509.DNSName(common_name)]))

    def issue(
        self, common_name: str, dns_names: Sequence[str], ip_addresses: Sequence[str] = ()
    ) -> tuple[bytes, bytes]:
        """Return certificate and unencrypted PKCS#8 key (PEM) of a server with these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns_names]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in ip_addresses]
        builder = _certificate(
            common_name[:_LONGEST_COMMON_NAME],
            self.certificate.subject,
            key.public_key(),
            SERVER_VALID_DAYS,
        )
        certificate = self._sign(
            builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            ),
            x509.SubjectAlternativeName(names),
        )
        return certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key)

    def _sign(
        self, builder: x509.CertificateBuilder, names: x509.SubjectAlternativeName
    ) -> x509.Certificate:
        return (
            builder.add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(authority=False), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )


def open_authorities(home: Home) -> tuple[Authority, Authority]:
    """Return the authorities (rds, services) of a home, made at the first call."""
    rds = open_authority(home.certificates, "rds", "pgkeep local RDS CA")
    services = open_authority(home.certificates, "services", "pgkeep local services CA")
    home.rds_ca_bundle.write_bytes(rds.certificate_pem)
    home.services_ca_bundle.write_bytes(services.certificate_pem)
    return rds, services


def open_authority(folder: Path, name: str, common_name: str) -> Authority:
    """Load `<folder>/<name>-ca.{pem,key}`, or make it. The key is readable by the owner only."""
    certificate_file, key_file = folder / f"{name}-ca.pem", folder / f"{name}-ca.key"
    # The certificate is written last: where it stands, its key does too.
    if certificate_file.exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{key_file} holds no elliptic-curve key")
        return Authority(x509.load_pem_x509_certificate(certificate_file.read_bytes()), key)
    authority = _new_authority(common_name)
    _write_private(key_file, _key_pem(authority.key))
    temporary = certificate_file.with_suffix(".new")
    temporary.write_bytes(authority.certificate_pem)
    temporary.rename(certificate_file)
    return authority


def _new_authority(common_name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _certificate(common_name, None, key.public_key(), AUTHORITY_VALID_DAYS)
    certificate = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def _certificate(
    common_name: str,
    issuer: x509.Name | None,
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey,
    valid_days: int,
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # A minute back: processes may compare with a clock read a moment earlier.
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(days=valid_days))
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
