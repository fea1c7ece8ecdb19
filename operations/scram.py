"""SCRAM-SHA-256 verifiers, computed here so that no password ever reaches a server's log.

Format: https://www.postgresql.org/docs/17/catalog-pg-authid.html; derivation: RFC 5802 and 7677.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

#: PostgreSQL's own default (`scram_iterations`). More iterations slow guessing of human passwords;
#: these carry 256 random bits, so they would only slow each login.
ITERATIONS = 4096

_PASSWORD_BYTES = 32
_SALT_BYTES = 16


def generate_password() -> str:
    """A new password: 256 random bits in 43 letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def verifier(user: str, password: str) -> str:
    """The verifier of a generated password, always the same for the same user and password.

    PgBouncer can only pass a client's SCRAM keys on to the server when both hold the same verifier,
    salt included, and RDS never shows the one that it holds. So the salt is derived from the
    password, which is safe for random passwords: a salt must differ between passwords, no more.
    Do not use it for passwords that people choose.
    """
    if not password.isascii() or not password.isprintable():
        raise ValueError("only generated passwords (printable ASCII) need no SASLprep")
    key = password.encode("ascii")
    salt = hmac.digest(key, b"pgkeep scram salt:" + user.encode(), "sha256")[:_SALT_BYTES]
    salted = hashlib.pbkdf2_hmac("sha256", key, salt, ITERATIONS)
    stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${ITERATIONS}:{_base64(salt)}${_base64(stored_key)}:{_base64(server_key)}"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
