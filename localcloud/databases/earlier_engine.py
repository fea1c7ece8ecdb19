"""PostgreSQL 16 beside the image's 17: for instances of that version, and for their upgrade.

A server of 16 sees both versions in its root, so that `pg_upgrade` of 17 finds the old programs and
the same root serves it afterwards. docs/local-cloud.md says what RDS's 16 has and this one lacks.
"""

import logging
import shutil
import threading
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from localcloud.databases.engine import (
    PRELOAD_LIBRARIES,
    SUPPORTED_EXTENSIONS,
    Engine,
    adapt_extensions,
)
from localcloud.image.postgresql_16 import PREFIX, VERSION, postgresql_16

_LOG = logging.getLogger(__name__)
EARLIER_MAJOR_VERSION = 16
_PROGRAMS = ("initdb", "pg_ctl", "postgres")
_LACKING = frozenset({"pgaudit"})

# The package has neither pg_controldata nor pg_resetwal, which pg_upgrade asks about the old data.
# 17's pg_controldata reads 16's control file (the same layout: its checksum fits). `pg_resetwal -n`
# says the same, and which segment comes after the last one: 16 MiB each, 256 a log number.
_RESET_WAL = r"""#!/bin/sh
set -eu
if [ "$1" = -V ]; then
    exec {newer}/pg_resetwal -V
fi
[ "$1" = -n ]
{newer}/pg_controldata "$2"
last=$(ls "$2/pg_wal" | grep -E '^[0-9A-F]{{24}}$' | cut -c9- | sort | tail -n 1)
next=$((0x${{last%????????}} * 256 + 0x${{last#????????}} + 1))
printf 'First log segment after reset:        00000001%08X%08X\n' $((next / 256)) $((next % 256))
"""


@dataclass(frozen=True)
class EarlierEngine(Engine):
    """PostgreSQL 16 above the engine of the image."""

    current: Engine
    _installing: threading.Lock = field(default_factory=threading.Lock, compare=False)

    @property
    def major(self) -> int:
        return EARLIER_MAJOR_VERSION

    @cached_property
    def version(self) -> str:
        """Version of the pinned package; known without it."""
        return VERSION

    @property
    def extensions(self) -> frozenset[str]:
        return SUPPORTED_EXTENSIONS - _LACKING

    @property
    def preload_libraries(self) -> frozenset[str]:
        return PRELOAD_LIBRARIES - _LACKING

    @property
    def layers(self) -> tuple[Path, ...]:
        return self._layer, postgresql_16(_LOG.info), *self.current.layers

    @property
    def _layer(self) -> Path:
        return self.folder / f"layer-{EARLIER_MAJOR_VERSION}"

    @property
    def environment(self) -> dict[str, str]:
        # The programs find their libraries from where they are ($ORIGIN, ld.so(8)), which the
        # loader cannot see in a root without /proc. Programs of 17 do not use it.
        return {"LD_ORIGIN_PATH": str(Path("/") / PREFIX / "bin")}

    def program(self, name: str) -> Path:
        """Of 16 what the package has; clients of 17 serve the older server too."""
        if name in _PROGRAMS:
            return Path("/") / PREFIX / "bin" / name
        return self.current.program(name)

    def install(self) -> None:
        """Download the package where it is not there yet, and write this home's layer once.

        Raises LocalCloudError.
        """
        with self._installing:
            if self._layer.exists():
                return
            package = postgresql_16(_LOG.info)
            unfinished = self._layer.with_name(f"{self._layer.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            extensions = PREFIX / "share/postgresql/extension"
            adapt_extensions(package / extensions, unfinished / extensions, self.extensions)
            programs = unfinished / PREFIX / "bin"
            programs.mkdir(parents=True)
            newer = self.current.program("pg_controldata")
            (programs / "pg_controldata").symlink_to(newer)
            script = programs / "pg_resetwal"
            script.write_text(_RESET_WAL.format(newer=newer.parent))
            script.chmod(0o755)
            unfinished.rename(self._layer)

    def discard(self) -> None:
        """Remove what an earlier daemon left."""
        shutil.rmtree(self._layer, ignore_errors=True)
