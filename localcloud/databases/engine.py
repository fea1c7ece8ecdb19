"""The PostgreSQL engine of the base image, made to behave as the one RDS installs.

The base image is a read-only lower layer. What RDS changes in the engine stands in one small layer
above it: extension control files, so that `rds_superuser` may create the extensions RDS supports
without being a superuser. Each instance sees both as its own root through a read-only overlay.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from localcloud.errors import LocalCloudError

# What an instance gets that asks for no version; earlier_engine.py has the other one.
MAJOR_VERSION = 17
BINARIES = Path(f"/usr/lib/postgresql/{MAJOR_VERSION}/bin")
_EXTENSIONS = Path(f"usr/share/postgresql/{MAJOR_VERSION}/extension")

# Extensions of PostgreSQL itself and pgaudit that RDS for PostgreSQL 17 supports (its parameter
# `rds.extensions`). Missing on purpose, as on RDS: file_fdw, pg_surgery, xml2 (they reach the
# operating system or bypass the server's own checks).
SUPPORTED_EXTENSIONS = frozenset({
    "amcheck", "autoinc", "bloom", "btree_gin", "btree_gist", "citext", "cube", "dblink",
    "dict_int", "dict_xsyn", "earthdistance", "fuzzystrmatch", "hstore", "insert_username",
    "intagg", "intarray", "isn", "lo", "ltree", "moddatetime", "pageinspect", "pg_buffercache",
    "pg_freespacemap", "pg_prewarm", "pg_stat_statements", "pg_trgm", "pg_visibility",
    "pg_walinspect", "pgaudit", "pgcrypto", "pgrowlocks", "pgstattuple", "plpgsql",
    "postgres_fdw", "refint", "seg", "sslinfo", "tablefunc", "tcn", "tsm_system_rows",
    "tsm_system_time", "unaccent", "uuid-ossp",
})  # fmt: skip

# What may stand in `shared_preload_libraries`: RDS allows a fixed list, the image holds these.
PRELOAD_LIBRARIES = frozenset({"auto_explain", "pg_prewarm", "pg_stat_statements", "pgaudit"})

# Functions that an extension keeps from PUBLIC are meant for administrators, which on RDS is
# rds_superuser. Runs at the end of CREATE EXTENSION, so pg_dump counts it as the extension's own.
_GRANT_TO_RDS_SUPERUSER = """
DO $grant$
DECLARE
    routine regprocedure;
BEGIN
    FOR routine IN
        SELECT d.objid FROM pg_catalog.pg_depend d
        JOIN pg_catalog.pg_extension e ON d.refobjid = e.oid
        WHERE e.extname = '{extension}' AND d.deptype = 'e'
            AND d.refclassid = 'pg_catalog.pg_extension'::regclass
            AND d.classid = 'pg_catalog.pg_proc'::regclass
    LOOP
        EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO rds_superuser', routine);
    END LOOP;
END
$grant$;
"""


@dataclass(frozen=True)
class Engine:
    """The engine as installed in one base image, with this home's layer above it."""

    image: Path
    folder: Path  # this module's own folder in the home

    @property
    def major(self) -> int:
        """Major version of the server."""
        return MAJOR_VERSION

    @property
    def extensions(self) -> frozenset[str]:
        """What CREATE EXTENSION makes."""
        return SUPPORTED_EXTENSIONS

    @property
    def preload_libraries(self) -> frozenset[str]:
        """What the server can load at its start, of what a parameter group may name."""
        return PRELOAD_LIBRARIES

    @property
    def layers(self) -> tuple[Path, ...]:
        """Folders that a server's root is made of, the upper ones first."""
        return self._layer, self.image

    @property
    def _layer(self) -> Path:
        return self.folder / "layer"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that the engine's programs need."""
        return {}

    def program(self, name: str) -> Path:
        """Path of one of PostgreSQL's programs in a server's root."""
        return BINARIES / name

    @cached_property
    def version(self) -> str:
        """Version of the server binary, such as "17.6"."""
        program = str(BINARIES / "postgres")
        try:
            completed = subprocess.run(
                ["chroot", str(self.image), program, "--version"],
                check=True,
                capture_output=True,
                text=True,
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise LocalCloudError(
                f"no PostgreSQL {MAJOR_VERSION} in the base image {self.image} ({program}: "
                f"{error}): databases cannot run; build the image again."
            ) from error
        return completed.stdout.split()[2]

    @cached_property
    def owner(self) -> tuple[int, int]:
        """User and group number of `postgres` inside the image."""
        for line in (self.image / "etc/passwd").read_text().splitlines():
            name, _, user, group, *_rest = line.split(":")
            if name == "postgres":
                return int(user), int(group)
        raise LocalCloudError(
            f"the base image {self.image} has no user postgres: PostgreSQL is not installed in it; "
            "build the image again."
        )

    @cached_property
    def locale(self) -> str:
        """RDS makes its databases with en_US.UTF-8; an image without it gives C.UTF-8."""
        return "en_US.UTF-8" if (self.image / "usr/lib/locale/en_US.utf8").exists() else "C.UTF-8"

    def install(self) -> None:
        """Write the layer of this home, from scratch."""
        shutil.rmtree(self._layer, ignore_errors=True)
        for mount_point in ("rdsdbdata", "rdsprimary", "dev/shm", "tmp"):
            (self._layer / mount_point).mkdir(parents=True)
        adapt_extensions(self.image / _EXTENSIONS, self._layer / _EXTENSIONS, self.extensions)

    def mount(self, root: Path) -> None:
        """Mount the engine, read-only, at `root`."""
        root.mkdir(parents=True, exist_ok=True)
        # Colons and commas would end an option; the paths of a home and an image hold none.
        layers = f"lowerdir={':'.join(map(str, self.layers))}"
        _run("mount", "-t", "overlay", "-o", f"ro,{layers}", "overlay", str(root))


def adapt_extensions(source: Path, target: Path, supported: frozenset[str]) -> None:
    """Write to `target`, a layer above `source`, what makes RDS's extensions and hides the rest."""
    target.mkdir(parents=True)
    for control in sorted(source.glob("*.control")):
        if control.stem == "plpgsql":
            continue  # Part of every database from initdb on.
        if control.stem in supported:
            _support(control, target)
        else:
            # An overlayfs whiteout hides the file: CREATE EXTENSION says "not available".
            _whiteout(target / control.name)


def _support(control: Path, target: Path) -> None:
    extension, text = control.stem, control.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("trusted")]
    (target / control.name).write_text("\n".join([*lines, "trusted = true", ""]))
    found = re.search(r"^default_version\s*=\s*'([^']+)'", text, re.MULTILINE)
    if found is None:
        return
    # The scripts that end at the default version, the last ones CREATE EXTENSION runs.
    for script in control.parent.glob(f"{extension}--*.sql"):
        if script.stem.endswith(f"--{found.group(1)}"):
            grant = _GRANT_TO_RDS_SUPERUSER.format(extension=extension)
            (target / script.name).write_text(script.read_text() + grant)


def bind(source: Path, target: Path) -> None:
    """Bind-mount a folder."""
    _run("mount", "--bind", str(source), str(target))


def mount_memory(target: Path, size_mebibytes: int) -> None:
    """Mount an empty tmpfs (POSIX shared memory of one server)."""
    _run("mount", "-t", "tmpfs", "-o", f"size={size_mebibytes}m,mode=1777", "tmpfs", str(target))


def unmount_below(folder: Path) -> None:
    """Unmount everything mounted at or below a folder, the newest first."""
    # /proc/self/mounts writes blanks in paths as octal escapes.
    points = [
        line.split()[1].encode().decode("unicode_escape")
        for line in Path("/proc/self/mounts").read_text().splitlines()
    ]
    for point in reversed(points):
        if Path(point).is_relative_to(folder):
            _run("umount", "--lazy", point)


def _whiteout(path: Path) -> None:
    _run("mknod", str(path), "c", "0", "0")


def _run(*command: str) -> None:
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    if completed.returncode:
        raise LocalCloudError(
            f"`{' '.join(command)}` failed: {completed.stderr.strip()}; databases need root on "
            "Linux with overlayfs."
        )
