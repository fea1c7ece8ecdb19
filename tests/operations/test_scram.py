"""SCRAM verifiers against PostgreSQL's own (libpq makes one for a given salt only by chance)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

import pytest

from operations import scram


def test_verifier_is_that_of_rfc_7677() -> None:
    """RFC 7677's example proves with `pencil`; our verifier must accept its way of proving."""
    user, password = "user", "pencil"
    match = re.fullmatch(
        r"SCRAM-SHA-256\$4096:([^$]+)\$([^:]+):(.+)", scram.verifier(user, password)
    )
    assert match
    salt, stored_key, server_key = (base64.b64decode(part) for part in match.groups())
    assert len(salt) == 16
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 4096)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    message = b"n=user,r=nonce,r=nonce-server,s=salt,i=4096,c=biws,r=nonce-server"
    signature = hmac.digest(stored_key, message, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    recovered = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    assert hashlib.sha256(recovered).digest() == stored_key
    assert hmac.digest(salted, b"Server Key", "sha256") == server_key


def test_same_user_and_password_give_the_same_verifier_and_others_another_salt() -> None:
    made = {
        scram.verifier(user, password) for user in ("a_1", "a_2") for password in ("one", "two")
    }
    assert len({verifier.split("$")[1] for verifier in made}) == 4
    assert scram.verifier("a_1", "one") == scram.verifier("a_1", "one")


def test_passwords_are_random_and_need_no_quoting() -> None:
    made = {scram.generate_password() for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", password) for password in made)


@pytest.mark.parametrize("password", ["pässword", "tab\t"])
def test_passwords_that_need_preparation_are_refused(password: str) -> None:
    with pytest.raises(ValueError, match="need no SASLprep"):
        scram.verifier("a_1", password)
