"""The local certificate authorities, as TLS clients see them."""

import socket
import ssl
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from localcloud.authorities import Authority, open_authorities
from localcloud.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    return home


def handshake(folder: Path, server: Authority, trusted: bytes, name: str) -> None:
    certificate, key = server.issue("db.local", ["db.local", "*.pool.local"], ["127.0.0.1"])
    chain, key_file = folder / "cert.pem", folder / "key.pem"
    chain.write_bytes(certificate)
    key_file.write_bytes(key)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(chain, key_file)
    asking = ssl.create_default_context(cadata=trusted.decode())
    asking.verify_flags |= ssl.VERIFY_X509_STRICT
    left, right = socket.socketpair()

    def serve() -> None:
        try:
            serving.wrap_socket(left, server_side=True).close()
        except OSError:  # the client refused the certificate
            left.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        asking.wrap_socket(right, server_hostname=name).close()
    finally:
        right.close()
        thread.join()


@pytest.mark.parametrize("name", ["db.local", "a.pool.local", "127.0.0.1"])
def test_issued_certificate_is_verified_in_full(home: Home, name: str) -> None:
    rds, _ = open_authorities(home)
    handshake(home.path, rds, home.rds_ca_bundle.read_bytes(), name)


def test_other_names_and_other_authorities_are_refused(home: Home) -> None:
    rds, services = open_authorities(home)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(home.path, rds, rds.certificate_pem, "other.local")
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(home.path, rds, services.certificate_pem, "db.local")


def test_authorities_are_kept(home: Home) -> None:
    first, second = open_authorities(home), open_authorities(home)
    assert [a.certificate_pem for a in first] == [a.certificate_pem for a in second]
    assert home.services_ca_bundle.read_bytes() == first[1].certificate_pem


def test_keys_are_readable_by_the_owner_only(home: Home) -> None:
    open_authorities(home)
    keys = list(home.certificates.glob("*.key"))
    assert len(keys) == 2
    assert {key.stat().st_mode & 0o777 for key in keys} == {0o600}


def test_half_made_authority_is_made_again(home: Home) -> None:
    """A crash after the key and before the certificate leaves no certificate without a key."""
    home.certificates.joinpath("rds-ca.key").write_bytes(b"half")
    rds, _ = open_authorities(home)
    handshake(home.path, rds, rds.certificate_pem, "db.local")


def test_long_common_name_is_cut_and_the_names_stay(home: Home) -> None:
    rds, _ = open_authorities(home)
    name = "x" * 60 + ".eu-west-1.rds.amazonaws.com"
    certificate = x509.load_pem_x509_certificate(rds.issue(name, [name])[0])
    common_name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert len(common_name) == 64
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [name]
