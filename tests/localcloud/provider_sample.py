"""What an example of a resource type is, and what the examples share."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.provider.wire import Archive, Asset
from tests.localcloud.provider_engine import Made

Built = Mapping[str, Made]
TAGS = {"Name": "pgkeep", "environment": "test"}
NEW_TAGS = {"Name": "pgkeep", "owner": "data"}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


def policy(action: str = "s3:GetObject", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": [action], "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass
class Sample:
    key: str
    kind: str
    build: Callable[[Built], dict[str, Any]]
    change: Callable[[Built], dict[str, Any]] | None = None
    calls: tuple[str, ...] = ()
    replace: dict[str, Any] = field(default_factory=dict)
    stays: bool = False  # What a delete leaves behind by design.
    # What moto 5.2.5 alone does wrong at the update; the local cloud mends it and tests it there.
    moto_defect: str = ""


def code(text: str) -> Archive:
    handler = f"def handler(event, context):\n    return {text!r}\n"
    return Archive(members={"index.py": Asset(text=handler, hash=text)}, hash=f"hash-of-{text}")
