"""Previews any stack with the policy packs in the real engine, without an AWS account."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from stacks.defaults import with_defaults
from stacks.settings import Settings
from toolchain.environment import (
    LOCAL_STACK,
    REPOSITORY,
    STACKS,
    offline_environment,
    stack_names,
)
from toolchain.functions import ARCHITECTURES, build_archive
from toolchain.steps import RefusedError, progress, step

POLICIES = REPOSITORY / "policies"


def stack_file(name: str) -> Path:
    """`stacks/Pulumi.<name>.yaml`, or the file that PGKEEP_STACK_CONFIG_FILE names for `local`.

    Raises:
        RefusedError: there is no such stack.
    """
    chosen = os.environ.get("PGKEEP_STACK_CONFIG_FILE")
    if chosen and name == LOCAL_STACK:
        return Path(chosen)
    if name not in stack_names():
        raise RefusedError(f"there is no stack {name!r}; stacks/ has {', '.join(stack_names())}.")
    return STACKS / f"Pulumi.{name}.yaml"


def read_stack(name: str) -> dict[str, Any]:
    """The content of a stack's file.

    Raises:
        RefusedError: the stack is unknown, or its file is not a YAML mapping with a `config`.
    """
    file = stack_file(name)
    try:
        content = yaml.safe_load(file.read_text())
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise RefusedError(f"{file} is not valid YAML: {where}") from None
    if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
        raise RefusedError(f"{file} has no mapping `config:`; see docs/settings.md.")
    return content


def _architecture(name: str, content: dict[str, Any]) -> str:
    """The functions' architecture: the stack file's, or the environment's default."""
    raw = content["config"].get("pgkeep:settings")
    settings = with_defaults(Settings, raw, name) if isinstance(raw, dict) else {}
    functions = settings.get("functions")
    architecture = functions.get("architecture") if isinstance(functions, dict) else None
    # Anything else is refused by the settings, with a better message than a build's.
    return architecture if architecture in ARCHITECTURES else "arm64"


def preview(name: str, arguments: list[str], *, policies: bool = True) -> int:
    """Runs `pulumi preview` of the stack as if nothing of it existed; returns its exit code.

    The engine's state is a scratch folder and the provider answers offline, so nothing is read
    from or changed in any account. The stack's own secrets provider is left out: a preview
    without an account has no key to decrypt with.
    """
    with offline_stack(name) as (config, environment):
        pack = ["--policy-pack", str(POLICIES)] if policies else []
        progress.print(f"Preview of [bold]{name}[/bold] without an AWS account")
        return subprocess.run(
            ["pulumi", "--non-interactive", "preview", "--stack", name]
            + ["--config-file", str(config), *pack, *arguments],
            cwd=REPOSITORY,
            env=environment,
            check=False,
        ).returncode


@contextmanager
def offline_stack(name: str) -> Generator[tuple[Path, dict[str, str]]]:
    """An empty stack with the configuration of `name`: its file, and the engine's environment.

    Raises:
        RefusedError: the stack is unknown, or what the engine needs cannot be made.
    """
    content = read_stack(name)
    with tempfile.TemporaryDirectory(prefix="pgkeep-preview-") as folder:
        scratch = Path(folder)
        environment = offline_environment(scratch / "state")
        with ThreadPoolExecutor(max_workers=1) as beside:
            made = beside.submit(_make_stack, name, content, scratch, environment)
            with step("Functions archive"):
                build_archive(_architecture(name, content))
            made.result()
        yield scratch / f"Pulumi.{name}.yaml", environment


def _make_stack(
    name: str, content: dict[str, Any], scratch: Path, environment: dict[str, str]
) -> None:
    """Makes an empty stack with the configuration of the real one in the scratch folder."""
    # A project of the same name, so that `stack init` writes its salt here and not in stacks/.
    (scratch / "Pulumi.yaml").write_text("name: pgkeep\nruntime: python\n")
    (scratch / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": content["config"]}))
    made = subprocess.run(
        ["pulumi", "--non-interactive", "stack", "init", name],
        cwd=scratch,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise RefusedError(f"the scratch stack could not be made: {made.stderr.strip()}")
