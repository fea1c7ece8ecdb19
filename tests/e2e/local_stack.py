"""A stack `local` on a local cloud of its own, driven by the commands that a user types."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
QUERY = Path(__file__).with_name("query.py")


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def last_lines(text: str) -> str:
    """The end of what a command printed: the engine lists hundreds of resources before its errors."""
    return "\n".join(text.splitlines()[-60:])


def last_words(ended: subprocess.CompletedProcess[str]) -> str:
    """The end of both streams of a command, for the message of an assertion."""
    return last_lines(ended.stdout) + "\n" + last_lines(ended.stderr)


def use_address_range(settings: dict[str, Any], octet: int) -> dict[str, Any]:
    """The settings with every 10.77.x.x network moved to 10.<octet>.x.x."""
    return json.loads(json.dumps(settings).replace("10.77.", f"10.{octet}."))


@dataclass
class LocalStack:
    """One local cloud with its own folder, port, address range and stack file."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="pgkeep-e2e-")))
    port: int = field(default_factory=free_port)
    octet: int = 78
    refresh_interval_seconds: int = 60
    """How often hosts ask for users and certificate; each question is a process on each host."""
    up_output: str = ""
    said: str = ""

    def __post_init__(self) -> None:
        self.write_config()

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def config_file(self) -> Path:
        return self.folder / "Pulumi.local.yaml"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PGKEEP_LOCALCLOUD_HOME": str(self.home),
            "PGKEEP_LOCALCLOUD_PORT": str(self.port),
            "PGKEEP_STACK_CONFIG_FILE": str(self.config_file),
        }

    def write_config(self, change: dict[str, Any] | None = None) -> None:
        """Writes the stack file: the repository's, in our address range, with some settings changed."""
        content = yaml.safe_load((REPOSITORY / "stacks/Pulumi.local.yaml").read_text())
        settings = use_address_range(content["config"]["pgkeep:settings"], self.octet)
        settings.setdefault("network", {})["vpc_cidr"] = f"10.{self.octet}.0.0/16"
        # Nobody looks at the samples here.
        settings["pooler"] = {
            "refresh_interval_seconds": self.refresh_interval_seconds,
            "metrics_interval_seconds": 60,
            **settings.get("pooler", {}),
        }
        for section, values in (change or {}).items():
            if isinstance(values, dict):
                settings.setdefault(section, {}).update(values)
            else:
                settings[section] = values
        content["config"]["pgkeep:settings"] = settings
        self.config_file.write_text(yaml.safe_dump(content))

    def toolchain(self, *arguments: str, timeout_seconds: int = 600) -> subprocess.CompletedProcess:
        """What `make up`, `make down` and the other targets run."""
        return subprocess.run(
            [sys.executable, "-m", "toolchain", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def run_pgkeep(self, *arguments: str) -> subprocess.CompletedProcess:
        """The command line, as a user of this stack types it."""
        return subprocess.run(
            [sys.executable, "-m", "pgkeep", *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def pgkeep(self, *arguments: str) -> str:
        """What the command prints; it must succeed."""
        ended = self.run_pgkeep(*arguments)
        assert ended.returncode == 0, last_words(ended)
        return ended.stdout

    @cached_property
    def engine_environment(self) -> dict[str, str]:
        """The environment of plain `pulumi`, as `eval "$(make env)"` gives it."""
        printed = self.toolchain("env").stdout
        shell = subprocess.run(
            ["sh", "-c", f'{printed}\nexec "{sys.executable}" -c '
             '"import json,os; print(json.dumps(dict(os.environ)))"'],
            env=self.environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return json.loads(shell.stdout)

    def pulumi(self, *arguments: str, timeout_seconds: int = 300) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            cwd=REPOSITORY,
            env=self.engine_environment,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def preview(self, *arguments: str) -> subprocess.CompletedProcess:
        return self.pulumi(
            "preview", "--stack", "local", "--config-file", str(self.config_file),
            "--policy-pack", "policies", *arguments,
        )  # fmt: skip

    @cached_property
    def outputs(self) -> dict[str, Any]:
        shown = self.pulumi("stack", "output", "--json", "--stack", "local")
        assert shown.returncode == 0, shown.stderr
        return json.loads(shown.stdout)

    def aws(
        self, service: str, *, region: str = "eu-west-1", account: str = "local", **options: Any
    ) -> Any:
        """A boto3 client of the local cloud's administrator, or of another account's."""
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="local",
            **options,
        )

    def secret(self, role: str) -> dict[str, Any]:
        name = self.outputs["role_secret_names"][role]
        value = self.aws("secretsmanager").get_secret_value(SecretId=name)
        return json.loads(value["SecretString"])

    def in_group(
        self, group: str, command: list[str], **options: Any
    ) -> subprocess.CompletedProcess:
        """Runs a command in the VPC as a client in the exported security group `group`."""
        run = ["-m", "localcloud", "run", "--security-group", self.outputs[group], "--"]
        return subprocess.run(
            [sys.executable, *run, *command],
            cwd=REPOSITORY,
            env={**self.environment, **options.pop("env", {})},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
            **options,
        )

    def query(
        self, group: str, connection: dict[str, Any], statements: list[str]
    ) -> dict[str, Any]:
        """Runs statements over one connection from inside `group`; see `query.py` for the answer."""
        text = json.dumps({"connection": connection, "statements": statements})
        result = self.in_group(group, [sys.executable, str(QUERY)], input=text)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    def through_pooler(self, role: str = "app") -> dict[str, Any]:
        authority = self.folder / "pooler-ca.pem"
        authority.write_text(self.outputs["pooler_ca_certificate"])
        return {
            **self._login(role),
            "host": self.outputs["pooler_endpoint"],
            "port": self.outputs["pooler_port"],
            "sslrootcert": str(authority),
        }

    def direct(self, role: str, host: str | None = None) -> dict[str, Any]:
        return {
            **self._login(role),
            "host": host or self.outputs["database_endpoint"],
            "port": self.outputs["database_port"],
            "sslrootcert": str(self.home / "rds-ca-bundle.pem"),
        }

    def _login(self, role: str) -> dict[str, Any]:
        secret = self.secret(role)
        return {
            "user": secret["username"],
            "password": secret["password"],
            "dbname": self.outputs["database_name"],
            "sslmode": "verify-full",
            "connect_timeout": 5,
        }

    def leftovers(self) -> list[str]:
        """Every process, mount, namespace, link, nftables table and folder that remains of this cloud."""
        from localcloud.home import Home

        prefix = Home(self.home, self.port).prefix
        found = [f"folder {self.home}"] if self.home.exists() else []
        mounts = Path("/proc/mounts").read_text().splitlines()
        found += [f"mount {line}" for line in mounts if str(self.home) in line]
        for command in (["ip", "netns", "list"], ["ip", "-o", "link"], ["nft", "list", "tables"]):
            lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            found += [f"{command[0]} {line}" for line in lines.splitlines() if prefix in line]
        for process in Path("/proc").glob("[0-9]*"):
            try:
                links = [str((process / name).readlink()) for name in ("cwd", "root")]
                command_line = (process / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if any(str(self.home) in text for text in (*links, command_line)):
                found.append(f"process {process.name} {command_line}")
        found += [f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob(f"**/{prefix}*")]
        return found

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
