"""A stack that is deployed: its outputs, its AWS account, and the way to its database."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from operations import aws_clients
from operations.database import Endpoint
from pgkeep.failures import CommandError, ExitCode
from toolchain.environment import (
    LOCAL_STACK,
    REPOSITORY,
    local_endpoint,
    local_environment,
    local_home,
    stack_names,
)
from toolchain.steps import RefusedError

if TYPE_CHECKING:
    import boto3
    import botocore.config
    import psycopg

#: The security group of clients that may reach the database itself.
_DIRECT_GROUP = "migration_security_group_id"


@dataclass(frozen=True)
class DeployedStack:
    """One stack. `through` is HOST:PORT of a tunnel to the database, as `ssh -L` makes one."""

    name: str
    outputs: dict[str, Any]
    through: str | None = None

    @classmethod
    def find(cls, name: str, through: str | None = None) -> DeployedStack:
        """Read the outputs of a stack.

        Raises:
            CommandError: there is no such stack, it is not deployed, or Ctrl-C came.
        """
        if name not in stack_names():
            raise CommandError(
                f"there is no stack {name!r}; stacks/ has {', '.join(stack_names())}."
            )
        try:
            environment = local_environment() if name == LOCAL_STACK else None
        except RefusedError as refused:
            raise CommandError(str(refused)) from None
        try:
            ended = subprocess.run(
                ["pulumi", "--non-interactive", "stack", "output", "--json", "--stack", name],
                cwd=REPOSITORY,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError:
            raise CommandError(
                f"stack {name} cannot be read: the program pulumi is not on PATH. Install it "
                "(https://www.pulumi.com/docs/install/), or add its folder to PATH."
            ) from None
        except KeyboardInterrupt:
            # Every command reads the stack before it does anything.
            raise CommandError("interrupted; nothing was changed", ExitCode.INTERRUPTED) from None
        outputs: dict[str, Any] = json.loads(ended.stdout or "{}") if ended.returncode == 0 else {}
        if "database_endpoint" not in outputs:
            hint = "run `make up` first" if name == LOCAL_STACK else "run `pulumi up` first"
            why = " ".join(ended.stderr.split())
            raise CommandError(f"stack {name} is not deployed; {hint}. {why}".rstrip())
        return cls(name, outputs, through)

    @property
    def database(self) -> str:
        """Name of the application's database."""
        return str(self.outputs["database_name"])

    @property
    def bucket(self) -> str:
        """The backup bucket."""
        return str(self.outputs["backup_bucket"])

    @cached_property
    def session(self) -> boto3.Session:
        """AWS as the user's own credentials; the local cloud's administrator for `local`."""
        import boto3

        region, quick = str(self.outputs["region"]), aws_clients.quick_session()
        if self.name == LOCAL_STACK:
            return boto3.Session("local", "local", region_name=region, botocore_session=quick)
        return boto3.Session(region_name=region, botocore_session=quick)

    def client(
        self,
        service: Any,
        config: botocore.config.Config | None = None,
        *,
        region: str | None = None,
    ) -> Any:
        """A client of an AWS service in `region`, the stack's by default.

        It is patient unless `config` says else.
        """
        endpoint = local_endpoint() if self.name == LOCAL_STACK else None
        return self.session.client(
            service,
            endpoint_url=endpoint,
            config=config or aws_clients.patient(),
            region_name=region,
        )

    def secret(self, name: str) -> dict[str, Any]:
        """The JSON of one secret."""
        answer = self.client("secretsmanager").get_secret_value(SecretId=name)
        return json.loads(answer["SecretString"])

    def login(self, role: Literal["master"] | str) -> tuple[str, str]:
        """User and password of the master, or of a role of the workload."""
        if role == "master":
            document = self.secret(self.outputs["master_secret_name"])
        else:
            document = self.secret(self.outputs["role_secret_names"][role])
        return str(document["username"]), str(document["password"])

    @contextmanager
    def reach(self, other_host: str | None = None) -> Generator[Endpoint]:
        """The primary as this machine reaches it: directly, through a tunnel, or the local cloud's.

        `other_host` is another instance behind the same security groups.

        Raises:
            CommandError: the tunnel is wrong or the local cloud does not run.
        """
        from toolchain.functions import client_programs

        try:
            client_programs()
        except RefusedError as refused:
            raise CommandError(str(refused)) from None
        host = other_host or str(self.outputs["database_endpoint"])
        port = int(self.outputs["database_port"])
        if self.through is not None:
            address, _, number = self.through.rpartition(":")
            if not address or not number.isdecimal():
                raise CommandError(
                    f"--through {self.through} refused: it must be HOST:PORT, such as "
                    "127.0.0.1:15432 of an SSH tunnel."
                )
            yield Endpoint(host, int(number), self.database, self._ca_bundle(), address)
        elif self.name == LOCAL_STACK:
            from toolchain.tunnel import local_tunnel

            try:
                with local_tunnel(self.outputs[_DIRECT_GROUP], host, port) as (address, number):
                    yield Endpoint(host, number, self.database, self._ca_bundle(), address)
            except RefusedError as refused:
                raise CommandError(str(refused)) from None
        else:
            yield Endpoint(host, port, self.database, self._ca_bundle())

    def _ca_bundle(self) -> Path:
        if self.name == LOCAL_STACK:
            return local_home() / "rds-ca-bundle.pem"
        return REPOSITORY / "stacks" / "rds_ca" / f"{self.outputs['region']}.pem"


def connector(endpoint: Endpoint, login: tuple[str, str], application_name: str) -> Any:
    """A function that makes sessions as `login`."""
    # What a lost session leaves is an error that is told once; psycopg would warn of each.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())

    def connect() -> psycopg.Connection[Any]:
        return endpoint.connect(*login, application_name=application_name)

    return connect
