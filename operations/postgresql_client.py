"""Starts pg_dump, pg_restore and psql: from the Lambda layer, or those installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from operations.errors import OperationError

#: Where the layer lands in Lambda; PGKEEP_POSTGRESQL_CLIENT names another unpacked layer.
LAYER_FOLDER = Path("/opt/pg")


def command(program: str) -> list[str]:
    """The words that start `program`; `OperationError` when there is none.

    The layer carries its own C library, so its programs start through its own dynamic loader.
    """
    layer = Path(os.environ.get("PGKEEP_POSTGRESQL_CLIENT", LAYER_FOLDER))
    binary = layer / "bin" / program
    if binary.is_file():
        libraries = layer / "lib"
        loader = next(iter(sorted(libraries.glob("ld-linux*"))), None)
        if loader is None:
            raise OperationError(f"{libraries} holds no dynamic loader; rebuild the client layer")
        return [str(loader), "--library-path", str(libraries), str(binary)]
    installed = shutil.which(program)
    if installed is None:
        raise OperationError(
            f"{program} is neither in {layer / 'bin'} nor on PATH; attach the PostgreSQL client "
            "layer or install postgresql-client-17"
        )
    return [installed]
