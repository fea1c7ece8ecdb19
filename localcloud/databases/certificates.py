"""Certificate authorities of DescribeCertificates: RDS's names, this home's local authority."""

from typing import Any

from cryptography.hazmat.primitives import hashes

from localcloud.authorities import Authority

# Authorities of eu-west-1 as of 2025 (AWS, "Certificate authorities"); the default comes first.
# Locally one authority signs for all of them.
CERTIFICATE_AUTHORITIES = ("rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1")


def describe(authority: Authority, region: str) -> list[dict[str, Any]]:
    """The Certificates of DescribeCertificates."""
    certificate = authority.certificate
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - AWS shows SHA-1
    return [
        {
            "CertificateIdentifier": name,
            "CertificateType": "CA",
            "Thumbprint": thumbprint,
            "ValidFrom": certificate.not_valid_before_utc,
            "ValidTill": certificate.not_valid_after_utc,
            "CertificateArn": f"arn:aws:rds:{region}::cert:{name}",
            "CustomerOverride": False,
        }
        for name in CERTIFICATE_AUTHORITIES
    ]
