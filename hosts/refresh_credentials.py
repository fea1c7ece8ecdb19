"""Brings PgBouncer's users and certificate from AWS Secrets Manager to /run, and reloads it.

Runs on the host, by pgkeep-credentials.service, as PgBouncer's own user; Python and botocore are
Debian's. Nothing is written outside RUN_FOLDER, a tmpfs. When Secrets Manager cannot be reached the
files stay as they are and the service tries again.
"""

import contextlib
import json
import os
import re
import ssl
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hosts import services
from hosts.metadata import own_address
from hosts.pooler import HEALTH_DATABASE, PASSWORD_FILE, RUN_FOLDER, reload

USER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
VERIFIER = re.compile(r"SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")


def main() -> int:
    """Fetch, write what differs, reload when something did.

    What cannot be had or used leaves its file as it is, and does not keep the others back.
    """
    os.umask(0o077)
    # One for all: to make a client costs the host more than to use it.
    secrets = services.client("secretsmanager")

    def read(name: str) -> dict[str, object]:
        return secret(secrets, os.environ[name])

    files: dict[str, Callable[[], str]] = {
        "listen.ini": lambda: f"listen_addr = {own_address()}\n",
        "userlist.txt": lambda: user_list(read("USERS_SECRET_ARN")),
        "server.pem": lambda: server_pem(read("SERVER_TLS_SECRET_ARN")),
        PASSWORD_FILE: lambda: password_file(read("HEALTH_SECRET_ARN")),
    }
    changed: list[str] = []
    problems: list[str] = []
    for name, text in files.items():
        try:
            if replace(RUN_FOLDER / name, text()):
                changed.append(name)
        except Exception as error:  # one line in the journal for whatever went wrong
            problems.append(f"{name}: {type(error).__name__}: {error}".splitlines()[0])
    if changed:
        print(f"changed: {', '.join(changed)}; PgBouncer {'reloaded' if reload() else 'is down'}")
    if problems:
        print(f"refresh failed, these stay as they are: {'; '.join(problems)}", file=sys.stderr)
    return 1 if problems else 0


def secret(secrets: Any, arn: str) -> dict[str, object]:
    """The JSON object in a secret, by a client of Secrets Manager."""
    document = json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"])
    if not isinstance(document, dict):
        raise ValueError(f"secret {arn} holds no JSON object")
    return document


def user_list(document: dict[str, object]) -> str:
    """PgBouncer's auth_file. Anything but a SCRAM verifier is refused: it could be a password."""
    users = document.get("users")
    if not isinstance(users, dict) or not users:
        raise ValueError("the users secret lists no users yet")
    for user, verifier in users.items():
        if not USER.fullmatch(str(user)) or not VERIFIER.fullmatch(str(verifier)):
            raise ValueError(f"user {str(user)[:70]!r} has no SCRAM-SHA-256 verifier")
    return "".join(f'"{user}" "{verifier}"\n' for user, verifier in sorted(users.items()))


def server_pem(document: dict[str, object]) -> str:
    """Key and certificate in one file, so that both change at once."""
    parts = [str(document.get(name, "")).strip() for name in ("private_key", "certificate")]
    if not all(part.startswith("-----BEGIN ") for part in parts):
        raise ValueError("the certificate secret holds no private_key and certificate yet")
    return _whole("\n".join(parts) + "\n")


def _whole(pem: str) -> str:
    """With a key that is not the certificate's PgBouncer would not start again."""
    with tempfile.NamedTemporaryFile("w", dir=RUN_FOLDER) as file:
        file.write(pem)
        file.flush()
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file.name)
        except ssl.SSLError as error:
            raise ValueError(f"private_key and certificate are no pair ({error.reason})") from None
    return pem


def password_file(document: dict[str, object]) -> str:
    """libpq's password file of the health check, whose role may connect and nothing else."""
    user, password = (document.get(name) for name in ("username", "password"))
    if not USER.fullmatch(str(user)) or not isinstance(password, str) or not password:
        raise ValueError("the health check's secret holds no username and password yet")
    if "\n" in password:
        raise ValueError("the health check's password has a line break")
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:{HEALTH_DATABASE}:{user}:{escaped}\n"


def replace(path: Path, text: str) -> bool:
    """Write the file unless it holds this already. It is never half written."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_text() == text:
            return False
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)
    return True


if __name__ == "__main__":
    sys.exit(main())
