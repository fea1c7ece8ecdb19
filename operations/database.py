"""Connections to the database: always TLS, always with the server's name verified."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from operations import environment, secret_store
from operations.errors import OperationError
from operations.structured_log import log

if TYPE_CHECKING:
    import psycopg
    from mypy_boto3_secretsmanager.client import SecretsManagerClient

# A master password set through the RDS API takes effect within about a minute.
WAIT_SECONDS = 90.0
CONNECT_TIMEOUT_SECONDS = 10
#: A server that is gone without a word, as after a failover, is noticed within two minutes. By the
#: kernel's own settings it takes two hours where an answer is awaited, and 15 minutes where rows
#: are sent. PostgreSQL's manual: 32.1.2, parameter key words.
ALIVE = "keepalives_idle=60 keepalives_interval=10 keepalives_count=3 tcp_user_timeout=120000"
#: The policy of a table with row-level security by which backups read every row of it.
BACKUP_POLICY = "pgkeep_backup"
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True)
class Endpoint:
    """Where a database is, and the CA bundle that signs its certificate.

    `address` is where a tunnel to it begins, with `port` as the tunnel's port; the certificate is
    verified against `host` all the same.
    """

    host: str
    port: int
    database: str
    ca_bundle: Path
    address: str | None = None

    @classmethod
    def from_environment(cls) -> Endpoint:
        """From DB_HOST, DB_PORT, DB_NAME and RDS_CA_BUNDLE."""
        ca_bundle = Path(environment.required("RDS_CA_BUNDLE"))
        if not ca_bundle.is_file():
            raise OperationError(
                f"RDS_CA_BUNDLE is {ca_bundle}, which is no file; attach the layer that carries it"
            )
        return cls(
            host=environment.required("DB_HOST"),
            port=environment.required_int("DB_PORT"),
            database=environment.required("DB_NAME"),
            ca_bundle=ca_bundle,
        )

    def connect(
        self,
        user: str,
        password: str,
        *,
        database: str | None = None,
        application_name: str = "pgkeep",
    ) -> psycopg.Connection[Any]:
        """Connect once. Raises `psycopg.OperationalError` as PostgreSQL or libpq gave it."""
        import psycopg

        return psycopg.connect(
            ALIVE,
            host=self.host,
            hostaddr=self.address or "",
            port=self.port,
            dbname=database or self.database,
            user=user,
            password=password,
            sslmode="verify-full",
            sslrootcert=str(self.ca_bundle),
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            application_name=application_name,
        )


def connect_with_secret(
    endpoint: Endpoint,
    client: SecretsManagerClient,
    secret: str,
    *,
    application_name: str,
    wait_seconds: float = WAIT_SECONDS,
) -> psycopg.Connection[Any]:
    """Connect as the user of a secret, and try again while the database refuses or is away.

    The secret is read again for each try: a rotation may be on its way. Raises `OperationError`
    when it still fails after `wait_seconds`, with the reason that PostgreSQL or libpq gave.
    """
    import psycopg

    deadline = time.monotonic() + wait_seconds
    pause_seconds = _FIRST_PAUSE_SECONDS
    while True:
        user, password = credentials(secret_store.read(client, secret), secret)
        try:
            return endpoint.connect(user, password, application_name=application_name)
        except psycopg.OperationalError as error:
            reason = str(error).strip().splitlines()[-1].strip()
            if time.monotonic() + pause_seconds > deadline:
                raise OperationError(
                    f"no connection to {endpoint.host}:{endpoint.port} as {user} within "
                    f"{wait_seconds:.0f} s: {reason}"
                ) from error
            log("connection_retry", host=endpoint.host, port=endpoint.port, reason=reason)
            time.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)


def password_refused(error: psycopg.OperationalError) -> bool:
    """Whether the server itself refused user and password.

    libpq leaves the SQLSTATE (28P01) out of connection errors, so the text decides; before the
    session starts it is in the server's `lc_messages`, which is English on RDS. A user who may not
    log in, or has no CONNECT, is told so only after the password was accepted.
    """
    return "password authentication failed" in str(error)


# What PostgreSQL says once the password was right (src/backend/utils/init/postinit.c and
# miscinit.c); a server without a free slot or on its way up or down has not looked at it.
_AFTER_THE_PASSWORD = (
    "permission denied for database",
    "is not permitted to log in",
    "too many connections for ",
    "remaining connection slots are reserved",
    "is not currently accepting connections",
    # Who waited while a restore exchanged the database.
    "It seems to have just been dropped or renamed",
)


def password_accepted(error: psycopg.OperationalError) -> bool:
    """Whether the server refused the session, but only after it had taken user and password."""
    return any(text in str(error) for text in _AFTER_THE_PASSWORD)


def credentials(document: dict[str, Any] | None, secret: str) -> tuple[str, str]:
    """User and password out of a secret's JSON; `OperationError` when they are not there yet."""
    user = (document or {}).get("username")
    password = (document or {}).get("password")
    if not isinstance(user, str) or not isinstance(password, str):
        raise OperationError(
            f"secret {secret.rsplit(':secret:', maxsplit=1)[-1]} has no username and password yet; "
            "the function that fills it must run first"
        )
    return user, password
