"""Brings PgBouncer's users and certificate from AWS Secrets Manager to /run, and reloads it.

Runs on the host, by pgkeep-credentials.service, as PgBouncer's own user; Python and botocore are
Debian's. Nothing is written outside RUN_FOLDER, a tmpfs. When Secrets Manager cannot be reached the
files stay as they are and the service tries again.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

RUN_FOLDER = Path("/run/pgbouncer")
METADATA = "http://169.254.169.254/latest"
TIMEOUT_SECONDS = 5
USER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
VERIFIER = re.compile(r"SCRAM-SHA-256\$[0-9]+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+:[A-Za-z0-9+/=]+")


def main() -> int:
    """Fetch, write what differs, reload when something did."""
    os.umask(0o077)
    try:
        files = {
            "listen.ini": f"listen_addr = {own_address()}\n",
            "userlist.txt": user_list(secret(os.environ["USERS_SECRET_ARN"])),
            "server.pem": server_pem(secret(os.environ["SERVER_TLS_SECRET_ARN"])),
        }
    except Exception as error:  # one line in the journal for whatever went wrong; systemd retries
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        print(f"refresh failed, nothing changed: {reason}", file=sys.stderr)
        return 1
    changed = [name for name, text in files.items() if replace(RUN_FOLDER / name, text)]
    if changed:
        print(f"changed: {', '.join(changed)}; PgBouncer {'reloaded' if reload() else 'is down'}")
    return 0


def own_address() -> str:
    """The host's address in the VPC, from the instance metadata service (version 2)."""
    token = metadata("PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    address = metadata("GET", "meta-data/local-ipv4", {"X-aws-ec2-metadata-token": token})
    if not re.fullmatch(r"[0-9.]{7,15}", address):
        raise ValueError(f"instance metadata gave {address[:40]!r} as this host's address")
    return address


def metadata(method: str, path: str, headers: dict[str, str]) -> str:
    """One answer of the instance metadata service."""
    address = f"{METADATA}/{path}"
    request = urllib.request.Request(address, method=method, headers=headers)  # noqa: S310
    # Never through a proxy: the address is this host's own.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
        return answer.read().decode().strip()


def secret(arn: str) -> dict[str, object]:
    """The JSON object in a secret."""
    from botocore.config import Config
    from botocore.session import Session

    settings = Config(
        connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, retries={"max_attempts": 2}
    )
    client: Any = Session().create_client(
        "secretsmanager", region_name=os.environ["AWS_REGION"], config=settings
    )
    document = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
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
    return "\n".join(parts) + "\n"


def replace(path: Path, text: str) -> bool:
    """Write the file unless it holds this already. It is never half written."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_text() == text:
            return False
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)
    return True


def reload() -> bool:
    """Let a running PgBouncer read its files again; connections stay."""
    shown = subprocess.run(
        ["systemctl", "show", "--property=MainPID", "--value", "pgbouncer.service"],
        capture_output=True,
        text=True,
        check=True,
    )
    process = int(shown.stdout.strip() or 0)
    if process:
        os.kill(process, signal.SIGHUP)
    return bool(process)


if __name__ == "__main__":
    sys.exit(main())
