"""Actions that moto would answer without any database behind: refused instead."""

from typing import Any, NoReturn

from moto.rds.exceptions import RDSClientError
from moto.rds.models import RDSBackend


class NotEmulated(RDSBackend):
    """What the local cloud cannot do yet."""

    def stop_db_instance(self, *_: Any, **__: Any) -> NoReturn:
        raise _refusal("StopDBInstance")

    def create_db_cluster(self, *_: Any, **__: Any) -> NoReturn:
        raise _refusal("CreateDBCluster")


def _refusal(action: str) -> RDSClientError:
    return RDSClientError(
        "InvalidParameterCombination",
        f"{action} is not emulated by the local cloud yet; it runs single RDS for PostgreSQL "
        "instances, their snapshots and their read replicas.",
    )
