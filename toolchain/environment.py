"""The environment in which the Pulumi engine runs, for the local stack and for offline previews."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from toolchain.pulumi_cli import ensure_pulumi
from toolchain.steps import RefusedError

REPOSITORY = Path(__file__).resolve().parent.parent
STACKS = REPOSITORY / "stacks"
PLUGINS = REPOSITORY / ".build" / "bin"
LOCAL_STACK = "local"
_HOST = "pulumi-language-python"
_HOST_MODULE = "toolchain.language_host"


def local_home() -> Path:
    """Folder of the local cloud, its state included; PGKEEP_LOCALCLOUD_HOME or `.localcloud`."""
    return Path(os.environ.get("PGKEEP_LOCALCLOUD_HOME") or REPOSITORY / ".localcloud").absolute()


def local_endpoint() -> str:
    """Where the local cloud's AWS API answers."""
    return f"http://127.0.0.1:{os.environ.get('PGKEEP_LOCALCLOUD_PORT') or 4780}"


def stack_names() -> list[str]:
    """The environments that have a `stacks/Pulumi.<name>.yaml`."""
    return sorted(file.name.split(".")[1] for file in STACKS.glob("Pulumi.*.yaml"))


def engine_environment(backend: Path) -> dict[str, str]:
    """Environment variables for a Pulumi engine whose state is the folder `backend`, made here.

    The plugins of this repository stand first on PATH. The passphrase is empty: this state is a
    folder of its owner alone and describes a cloud that lives in the folder beside it. Stacks on
    AWS use the user's own backend and secrets provider, never this one.
    """
    pulumi = ensure_pulumi()
    write_plugins(pulumi)
    home = backend / "home"
    _switch_log_off(home)
    environment = dict(os.environ)
    for variable in [name for name in environment if name.startswith("AWS_")]:
        # A profile or a region of the user's must not reach a stack that is not theirs.
        if variable != "AWS_CA_BUNDLE":
            del environment[variable]
    environment.update(
        PATH=os.pathsep.join(
            [str(PLUGINS), str(pulumi.parent), str(Path(sys.prefix) / "bin"), os.environ["PATH"]]
        ),
        PULUMI_BACKEND_URL=f"file://{backend}",
        PULUMI_CONFIG_PASSPHRASE="",
        # The user's own ~/.pulumi (logins, selected stacks) is neither read nor written.
        PULUMI_HOME=str(home),
        PULUMI_SKIP_UPDATE_CHECK="true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION="true",
    )
    return environment


def _switch_log_off(home: Path) -> None:
    """Keeps the engine from writing down every value that it passes on, twice with a policy pack.

    That log in `home`/logs is up to a third of its work, and holds what nobody asked to keep. No
    setting switches it off; a file in the folder's place does. `--logtostderr -v=9` still shows the
    same lines.
    """
    home.mkdir(parents=True, exist_ok=True)
    log = home / "logs"
    if not log.exists():
        log.touch()


def local_environment() -> dict[str, str]:
    """`engine_environment` for the stack `local`, its provider pointed at the local cloud."""
    home = local_home()
    backend = home / "pulumi"
    backend.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    return {
        **engine_environment(backend),
        "PGKEEP_LOCALCLOUD_HOME": str(home),
        "PGKEEP_LOCALCLOUD_ENDPOINT": local_endpoint(),
    }


def local_client_environment(region: str) -> dict[str, str]:
    """What makes an AWS client (boto3, the CLI) the administrator of the local cloud."""
    return {
        "AWS_ENDPOINT_URL": local_endpoint(),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",  # The local cloud's administrator has no secret.
        # boto3 and version 1 of the CLI read the second, everything newer the first.
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


def offline_environment(backend: Path) -> dict[str, str]:
    """`engine_environment` for previews with no AWS account and no local cloud."""
    return {**engine_environment(backend), "PGKEEP_OFFLINE_PREVIEW": "1"}


def user_environment() -> dict[str, str]:
    """The user's own environment, login and credentials, with a usable `pulumi` on PATH.

    An official CLI brings its language host and gets the AWS plugin by itself. One that was built
    here has no language host: the repository's own serves, and no other plugin of it.
    """
    pulumi = ensure_pulumi()
    path = [str(pulumi.parent), os.environ["PATH"]]
    if not (pulumi.parent / _HOST).exists() and not shutil.which(_HOST):
        folder = PLUGINS.parent / "language-host"
        _write_executable(folder / _HOST, _plugin(_HOST_MODULE))
        path.insert(0, str(folder))
    return {**os.environ, "PATH": os.pathsep.join(path)}


def write_plugins(pulumi: Path) -> None:
    """Writes the executables by which the engine finds this repository's plugins on PATH.

    The official CLI brings its own Python language host; only a CLI without one gets ours.
    """
    modules = {"pulumi-resource-aws": "localcloud.provider"}
    if (pulumi.parent / _HOST).exists():
        (PLUGINS / _HOST).unlink(missing_ok=True)
    else:
        modules[_HOST] = _HOST_MODULE
    for name, module in modules.items():
        _write_executable(PLUGINS / name, _plugin(module))


def _plugin(module: str) -> str:
    return f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -m {module} "$@"\n'


def _write_executable(path: Path, text: str) -> None:
    """Puts it there whole or not at all: an engine that runs beside may start it at any moment."""
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(text)
    temporary.chmod(0o755)
    temporary.rename(path)


def require_tool(name: str, package: str) -> None:
    """Raises `RefusedError` when `name` is not on PATH; `package` is the Debian package of it."""
    if not shutil.which(name):
        raise RefusedError(
            f"{name} is not on PATH; install it (Debian: apt-get install {package})."
        )
