"""Command line of the local cloud: `python -m localcloud --help` lists the commands."""

import sys
from typing import Annotated

import typer

from localcloud import launch
from localcloud.control.socket import call
from localcloud.errors import LocalCloudError
from localcloud.home import Home

# As `systemctl status` for a unit that does not run (LSB init script actions).
EXIT_NOT_RUNNING = 3

app = typer.Typer(
    help="A local AWS with real hosts, databases and functions behind it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_CLIENT_CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command()
def start() -> None:
    """Start the local cloud in the background and wait until it is ready."""
    launch.start(Home.from_environment(), _report)


@app.command()
def prepare() -> None:
    """Install the programs and build the base image that `start` needs; starts nothing."""
    launch.prepare(Home.from_environment(), _report)


@app.command()
def stop() -> None:
    """Stop the local cloud and remove everything it made, also after a crash."""
    launch.stop(Home.from_environment(), _report)


@app.command()
def status() -> None:
    """Say whether the local cloud runs, and what runs in it. Exit code 3: it does not run."""
    home = Home.from_environment()
    pid = launch.running_pid(home)
    if pid is None:
        typer.echo(f"No local cloud runs in {home.path}.")
        raise typer.Exit(EXIT_NOT_RUNNING)
    with call(home, {"do": "status"}) as answer:
        typer.echo(f"AWS API    {answer['endpoint']} (region {answer['region']}, process {pid})")
        for kind in ("hosts", "databases"):
            for name, state in sorted(answer[kind].items()):
                typer.echo(f"{kind:<10} {name}: {state}")


@app.command()
def run(
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
    security_group: Annotated[
        list[str], typer.Option(help="Id of a security group of the client; may be repeated.")
    ],
    subnet: Annotated[str | None, typer.Option(help="Id of the client's subnet.")] = None,
) -> None:
    """Run a command as a client inside the VPC: `run --security-group sg-... -- psql ...`."""
    from localcloud import clients  # boto3 is slow to import, and `start` needs none

    sys.exit(clients.run(Home.from_environment(), security_group, subnet, command))


@app.command()
def forward(
    target: Annotated[str, typer.Argument(help="HOST:PORT inside the VPC.")],
    security_group: Annotated[
        list[str], typer.Option(help="Id of a security group of the client; may be repeated.")
    ],
    subnet: Annotated[str | None, typer.Option(help="Id of the client's subnet.")] = None,
) -> None:
    """Forward a port of 127.0.0.1 into the VPC, until standard input ends; prints the port."""
    from localcloud import forwarding

    host, _, port = target.rpartition(":")
    if not host or not port.isdecimal():
        raise LocalCloudError(f"Target {target!r} refused: it must be HOST:PORT.")
    sys.exit(forwarding.forward(Home.from_environment(), security_group, subnet, host, int(port)))


@app.command()
def ssh(
    instance: Annotated[str, typer.Argument(help="Instance id of the host.")],
    command: Annotated[list[str] | None, typer.Argument(help="Command to run there.")] = None,
    security_group: Annotated[
        list[str] | None,
        typer.Option(help="Id of the client's security group (default: one the host admits)."),
    ] = None,
) -> None:
    """Log in to a host as `admin`, from a client inside the VPC."""
    from localcloud import clients

    home = Home.from_environment()
    sys.exit(clients.ssh(home, instance, security_group or [], command or []))


@app.command()
def connect(instance: Annotated[str, typer.Argument(help="Instance id of the host.")]) -> None:
    """Connect standard input and output with a host's SSH: what a ProxyCommand of ssh runs."""
    from localcloud import clients

    sys.exit(clients.connect(Home.from_environment(), instance))


@app.command()
def logs(
    instance: Annotated[
        str | None, typer.Argument(help="Instance id of a host, for its console.")
    ] = None,
) -> None:
    """Print the daemon's log, or the console of a host."""
    home = Home.from_environment()
    file = home.instances / instance / "console.log" if instance else home.log_file
    if not file.is_file():
        raise LocalCloudError(f"There is no log {file}; see `python -m localcloud status`.")
    typer.echo(file.read_text(errors="replace"), nl=False)


def main() -> None:
    """Run the command line; what is refused is one line on stderr and exit code 1."""
    try:
        app()
    except LocalCloudError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


def _report(line: str) -> None:
    typer.echo(line)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
