"""Clients of AWS's services with the host's own role; botocore is Debian's."""

import os
from typing import Any

from hosts.metadata import TIMEOUT_SECONDS


def client(service: str) -> Any:
    """A client that gives up soon: whoever calls tries again later."""
    from botocore.config import Config
    from botocore.session import Session

    settings = Config(
        connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, retries={"max_attempts": 2}
    )
    return Session().create_client(service, region_name=os.environ["AWS_REGION"], config=settings)
