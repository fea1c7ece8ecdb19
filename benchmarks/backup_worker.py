"""A backup, restore or proof of pgkeep in a process of its own: `ACTION DATABASE WORKERS [ID]`.

Reads libpq's and AWS's variables; prints one JSON line. It starts and ends as `pgkeep` and the
worker's program do.
"""

from __future__ import annotations

# ruff: noqa: E402
from operations import aws_clients
from operations.garbage import search_rarely

search_rarely()

import contextlib
import json
import os
import sys
from pathlib import Path

from operations.backup import BackupTarget, Options, run
from operations.backup.children import Login
from operations.database import Endpoint


def main() -> None:
    """Do what the arguments say."""
    action, database, workers = sys.argv[1], sys.argv[2], int(sys.argv[3])
    endpoint = Endpoint(
        os.environ["PGHOST"], int(os.environ["PGPORT"]), database,
        Path(os.environ["PGSSLROOTCERT"]),
    )  # fmt: skip
    user, password = os.environ["PGUSER"], os.environ["PGPASSWORD"]
    # Not imported from the site: each run would load all that starts one.
    bucket = os.environ["BENCHMARK_BUCKET"]
    with contextlib.redirect_stdout(sys.stderr):
        if action == "backup":
            made = run(
                "manual",
                endpoint,
                connect=lambda: endpoint.connect(user, password),
                target=BackupTarget(bucket, "benchmark", {}),
                s3=aws_clients.s3,
                options=Options(workers=workers),
            )
            result = {"id": made.id, "size_bytes": made.size_bytes}
        elif action == "prove":
            from operations.backup.store import Store
            from operations.restore.proof import prove

            s3 = aws_clients.s3()
            proof = prove(
                Store(s3, bucket).get(sys.argv[4]),
                connect=lambda: endpoint.connect(user, password),
                workers=workers,
            )
            if not proof.proven:
                raise SystemExit(f"not proven: {[one for one in proof.checks if not one.passed]}")
            result = {"checks": {one.name: one.seconds for one in proof.checks}}
        else:
            from operations.backup.store import Store
            from operations.restore import Options as RestoreOptions
            from operations.restore import restore

            s3 = aws_clients.s3()
            restored = restore(
                Store(s3, bucket).get(sys.argv[4]),
                s3=s3,
                bucket=bucket,
                login=Login(endpoint, user, password),
                connect=lambda: endpoint.connect(user, password),
                options=RestoreOptions(workers=workers),
            )
            result = {"steps": restored.steps}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
