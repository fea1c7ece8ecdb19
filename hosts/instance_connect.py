"""Keys that EC2 Instance Connect has pushed for a login: sshd's AuthorizedKeysCommand.

Debian has no package for it. A key in the instance metadata counts only when the service itself
signed it: with the certificate of the region's service, up to a root that Debian trusts, not
revoked, for this instance, and for the minute that it is good. What signs how is AWS's:
https://github.com/aws/aws-ec2-instance-connect-config
"""

import base64
import binascii
import hashlib
import re
import ssl
import subprocess
import sys
import syslog
import tempfile
import time
import urllib.error
from pathlib import Path

from hosts import metadata

TRUSTED = Path("/etc/ssl/certs")
_PUSHED = "meta-data/managed-ssh-keys"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_KEY = re.compile(r"(ssh-[a-z0-9-]+) ([A-Za-z0-9+/]+=*)( .*)?")
_OPENSSL_TIMEOUT_SECONDS = 5


class UntrustedError(Exception):
    """What is in the metadata was not proven to be the service's; the text is one line."""


def keys(user: str, folder: Path) -> list[str]:
    """The keys that may log in as `user` now; `folder` is for openssl's files.

    Raises:
        UntrustedError: the signer is not the service; no key counts then.
        OSError: the metadata service does not answer.
    """
    if not _USER.fullmatch(user):
        return []
    try:
        pushed = metadata.get(f"{_PUSHED}/active-keys/{user}")
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return []
        raise
    public_key = _signer(folder)
    instance = metadata.instance_id()
    blocks = re.split(r"\n\s*\n", pushed)
    proven = [_proven(block, instance, public_key, folder) for block in blocks]
    return [key for key in proven if key]


def _signer(folder: Path) -> Path:
    """The public key of the service's certificate, once that is proven."""
    region, domain = (
        metadata.get("meta-data/placement/region"),
        metadata.get("meta-data/services/domain"),
    )
    chain = _CERTIFICATE.findall(metadata.get(f"{_PUSHED}/signer-cert"))
    if not chain:
        raise UntrustedError("the metadata has no signer's certificate")
    files = [folder / f"{number}.pem" for number in range(len(chain))]
    for file, certificate in zip(files, chain, strict=True):
        file.write_text(certificate + "\n")
    others = folder / "chain.pem"
    others.write_text("\n".join(chain[1:]) + "\n")
    expected = f"managed-ssh-signer.{region}.{domain}"
    subject = _openssl("x509", "-noout", "-subject", "-nameopt", "multiline", "-in", files[0])
    if re.findall(r"(?m)^\s*commonName\s*= (.*)$", subject) != [expected]:
        raise UntrustedError(f"the signer is not {expected}")
    trust = ("-x509_strict", "-no-CAfile", "-no-CAstore", "-CApath", TRUSTED)
    if len(chain) > 1:
        trust += ("-untrusted", others)
    _openssl("verify", *trust, files[0])
    for number in range(len(chain) - 1):
        _not_revoked(files[number], files[number + 1], chain[number], folder)
    public_key = folder / "public-key"
    public_key.write_text(_openssl("x509", "-noout", "-pubkey", "-in", files[0]))
    return public_key


def _not_revoked(certificate: Path, issuer: Path, pem: str, folder: Path) -> None:
    """By the answer of its issuer that the service hands on: sshd must not wait for others."""
    name = hashlib.sha1(ssl.PEM_cert_to_DER_cert(pem), usedforsecurity=False).hexdigest().upper()
    staple = folder / "staple"
    staple.write_bytes(base64.b64decode(metadata.get(f"{_PUSHED}/signer-ocsp/{name}")))
    answer = _openssl(
        *("ocsp", "-no_nonce", "-issuer", issuer, "-cert", certificate),
        *("-VAfile", issuer, "-respin", staple),
    )
    if not answer.startswith(f"{certificate}: good") or "WARNING" in answer:
        raise UntrustedError(f"certificate {name} is not proven to be good")


def _proven(block: str, instance: str, public_key: Path, folder: Path) -> str | None:
    """The key of one entry: lines of facts, the key, and the signature of both."""
    lines = block.strip().splitlines()
    facts = [line for line in lines if line.startswith("#")]
    found = _KEY.fullmatch(lines[len(facts)]) if len(facts) < len(lines) else None
    known: dict[str, str] = {}
    for line in facts:
        name, _, value = line[1:].partition("=")
        known[name] = value
    until = known.get("Timestamp", "")
    if (
        found is None
        or lines[: len(facts)] != facts
        or known.get("Instance") != instance
        or not until.isdecimal()
        or int(until) <= time.time()
    ):
        return None
    signed, signature = folder / "signed", folder / "signature"
    signed.write_text("\n".join(lines[: len(facts) + 1]) + "\n")
    try:
        signature.write_bytes(base64.b64decode("".join(lines[len(facts) + 1 :]), validate=True))
        _openssl(
            *("dgst", "-sha256", "-sigopt", "rsa_padding_mode:pss"),
            *("-sigopt", "rsa_pss_saltlen:32", "-verify", public_key),
            *("-signature", signature, signed),
        )
        digest = hashlib.sha256(base64.b64decode(found[2])).digest()
    except (UntrustedError, binascii.Error):
        return None
    fingerprint = base64.b64encode(digest).decode().rstrip("=")
    caller, request = known.get("Caller", "?"), known.get("Request", "?")
    syslog.syslog(f"key SHA256:{fingerprint} of {caller}, request {request}")
    return f"{found[1]} {found[2]}"


def _openssl(*arguments: str | Path) -> str:
    """What openssl says when it agrees."""
    done = subprocess.run(
        ["openssl", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=_OPENSSL_TIMEOUT_SECONDS,
    )
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[:200]
        raise UntrustedError(f"openssl {arguments[0]}: {said}")
    return done.stdout


def main() -> int:
    """Print the keys of the user in the first argument; what is wrong goes to the host's log."""
    syslog.openlog("pgkeep-instance-connect", 0, syslog.LOG_AUTHPRIV)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for key in keys(sys.argv[1], Path(folder)):
                print(key)
    except (UntrustedError, OSError, ValueError, subprocess.SubprocessError) as error:
        syslog.syslog(syslog.LOG_WARNING, f"no key is trusted: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
