"""pgBackRest beside pgkeep: a physical backup of the same server to the same S3, and back.

Debian's package, installed into the server's own root, which goes with it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.backup_site import BUCKET, KEY, REGION, SECRET, BackupSite, Timing
from localcloud.image import mirrors, recipe
from tests.operations.postgres_server import SUPERUSER
from toolchain.steps import RefusedError

_CONFIGURATION = """
[global]
repo1-type = s3
repo1-path = /pgbackrest
repo1-bundle = y
repo1-s3-bucket = {bucket}
repo1-s3-endpoint = {host}
repo1-storage-port = {port}
repo1-storage-ca-file = /s3-ca.pem
repo1-s3-region = {region}
repo1-s3-uri-style = path
repo1-s3-key = {key}
repo1-s3-key-secret = {secret}
compress-type = zst
compress-level = 1
process-max = {workers}
start-fast = y
archive-mode-check = n
archive-check = n
log-level-file = off
log-level-console = warn

[main]
pg1-path = /data
pg1-port = {pg_port}
pg1-socket-path = /socket
pg1-user = {user}
"""


class PgBackRest:
    """Installed beside a running server. WAL is not archived: only the backup itself is timed."""

    def __init__(self, site: BackupSite, workers: int) -> None:
        """Install and configure it, and make its repository.

        Raises:
            RefusedError: the package or the repository could not be had.
        """
        self._site = site
        self._root = site.server.log_file.parent / "overlay" / "root"
        url = urlsplit(site.endpoint_url)
        self._write("/s3-ca.pem", site.s3_ca_bundle.read_text())
        self._write("/etc/apt/sources.list", "\n".join(mirrors.sources(recipe.SUITE)) + "\n")
        self._write("/etc/resolv.conf", Path("/etc/resolv.conf").read_text())
        install = "apt-get -qq install --no-install-recommends -y pgbackrest"
        self._run(f"exec > /dev/null; apt-get -qq update && {install}")
        self._write(
            "/etc/pgbackrest.conf",
            _CONFIGURATION.format(
                bucket=BUCKET, host=url.hostname, port=url.port, region=REGION, key=KEY,
                secret=SECRET, workers=workers, pg_port=site.server.endpoint.port, user=SUPERUSER,
            ),
        )  # fmt: skip
        self._run(f"chown postgres /etc/pgbackrest.conf && {_as_postgres('stanza-create')}")

    def backup(self) -> Timing:
        """A full backup of the whole server."""
        return self._time(_as_postgres("--type=full backup"))

    def restore(self) -> Timing:
        """The files of the newest one in an empty folder; the server is not started on them."""
        self._run("rm -rf /restored && install -d -m 700 -o postgres /restored")
        return self._time(_as_postgres("--pg1-path=/restored restore"))

    def _words(self, line: str) -> list[str]:
        server = str(self._site.server.process.pid)
        inside = ["chroot", str(self._root), "bash", "-euc", line]
        return ["nsenter", "--target", server, "--mount", *inside]

    def _time(self, line: str) -> Timing:
        return self._site.time(self._words(line), dict(os.environ))

    def _run(self, line: str, text: str | None = None) -> None:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            self._words(line),
            check=False,
            input=text,
            env=environment,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RefusedError(f"pgBackRest: {line} ended with {done.returncode}: {done.stderr}")

    def _write(self, path: str, text: str) -> None:
        self._run(f"rm -f {path} && cat > {path}", text)


def _as_postgres(words: str) -> str:
    return f"su postgres -c 'pgbackrest --stanza=main {words}'"
