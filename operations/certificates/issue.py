"""ECDSA P-256 certificates: an authority, and servers that it signs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A certificate is valid a little before it is made, for clients whose clock is behind.
CLOCK_SKEW = timedelta(hours=1)
# RFC 5280 allows 64 characters in a common name; NLB names may be longer, the SAN carries them.
_COMMON_NAME_LENGTH = 64


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: str
    private_key: str

    @property
    def x509(self) -> x509.Certificate:
        """The parsed certificate."""
        return x509.load_pem_x509_certificate(self.certificate.encode())

    @property
    def is_whole(self) -> bool:
        """Whether both can be read, and the key is the certificate's own."""
        try:
            key = serialization.load_pem_private_key(self.private_key.encode(), password=None)
            return key.public_key() == self.x509.public_key()
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return False


def authority(common_name: str, valid_days: int, now: datetime) -> KeyPair:
    """A new authority that may sign servers only (path length 0)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name)
    usage = _key_usage(signs_certificates=True)
    builder = (
        _builder(name, name, key.public_key(), valid_days, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
    )
    return KeyPair(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def server(signer: KeyPair, dns_names: list[str], valid_days: int, now: datetime) -> KeyPair:
    """A new server certificate for `dns_names`, signed by `signer`."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer_key = serialization.load_pem_private_key(signer.private_key.encode(), password=None)
    if not isinstance(signer_key, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is no elliptic curve key")
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in dns_names])
    public_key = signer_key.public_key()
    builder = (
        _builder(
            _name(dns_names[0][:_COMMON_NAME_LENGTH]),
            signer.x509.subject,
            key.public_key(),
            valid_days,
            now,
        )
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(public_key), critical=False
        )
    )
    return KeyPair(_pem(builder.sign(signer_key, hashes.SHA256())), _key_pem(key))


def dns_names(certificate: x509.Certificate) -> list[str]:
    """The DNS names a certificate is for."""
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return list(extension.value.get_values_for_type(x509.DNSName))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    valid_days: int,
    now: datetime,
) -> x509.CertificateBuilder:
    now = now.astimezone(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=valid_days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
