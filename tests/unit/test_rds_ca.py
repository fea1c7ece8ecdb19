"""The shipped RDS roots are what they say: current, self-signed, of their region."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.unit.recorder import REPOSITORY

FILES = sorted((REPOSITORY / "stacks/rds_ca").glob("*.pem"))


def test_there_is_a_file_for_each_large_region() -> None:
    regions = {file.stem for file in FILES}
    assert {"eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-2"} <= regions


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_roots_are_current_and_of_their_region(file: Path) -> None:
    text = file.read_text()
    certificates = x509.load_pem_x509_certificates(text.encode())
    names = [
        str(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)
        for certificate in certificates
    ]
    assert names == [
        f"Amazon RDS {file.stem} Root CA {kind} G1" for kind in ("ECC384", "RSA2048", "RSA4096")
    ]
    stated = re.findall(r"SHA-256 ([0-9a-f]{64})", text)
    assert stated == [
        certificate.fingerprint(hashes.SHA256()).hex() for certificate in certificates
    ]
    for certificate in certificates:
        certificate.verify_directly_issued_by(certificate)
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert certificate.not_valid_after_utc > datetime.now(UTC) + timedelta(days=365)
