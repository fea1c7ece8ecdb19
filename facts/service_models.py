"""botocore's service models: what AWS's APIs take, by service, operation and member.

Ranges, lengths, patterns and choices stand in the models' shapes; RDS and other services of AWS's
older protocol write the choices into the member's documentation ("Valid Values: ...") instead.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from facts import package_data


class UnknownMemberError(LookupError):
    """The service has no such operation or member."""


@dataclass(frozen=True)
class Member:
    """What an operation takes for one of its inputs."""

    type: str
    """`string`, `integer`, `list`, ..."""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    """Of a number, or of the length of a string or list."""
    maximum: float | None = None
    pattern: str | None = None
    documentation: str = ""
    """AWS's text without markup."""

    @property
    def documented_choices(self) -> tuple[str, ...]:
        """The choices that the documentation lists, empty if it lists none."""
        # "Valid Values: 0 | 1 | 5 Default: 0" and "Possible values are: 1, 3, and 5. To set ...".
        found = re.search(
            r"(?:Valid Values|Possible values are|Valid values):? "
            r"([^:]*?)(?: Default| Constraints| Example|\. |$)",
            self.documentation,
        )
        if found is None:
            return ()
        values = re.split(r"\||,(?: and)?", found[1])
        return tuple(value.strip() for value in values if value.strip())

    @property
    def documented_range(self) -> tuple[int, int] | None:
        """The bounds of `Must be a value from 0 to 35.` in the documentation."""
        found = re.search(
            r"(?:value|range)?\s*(?:from|between) (\d+) (?:to|and) (\d+)", self.documentation
        )
        return None if found is None else (int(found[1]), int(found[2]))


@cache
def member(service: str, operation: str, path: str) -> Member:
    """What `operation` of `service` takes at `path`, such as `Tags.Key`; lists are looked into.

    Raises:
        UnknownMemberError: if the model has no such operation or member.
    """
    model = _model(service)
    try:
        shape_name = model["operations"][operation]["input"]["shape"]
        documentation = ""
        for name in path.split("."):
            members = _structure(model, shape_name)["members"]
            shape_name = members[name]["shape"]
            documentation = members[name].get("documentation", "")
    except KeyError as error:
        raise UnknownMemberError(f"{service} {operation} has no {path} ({error})") from None
    shape: dict[str, Any] = model["shapes"][shape_name]
    # Of a list, what its members may be.
    of_one = model["shapes"][shape["member"]["shape"]] if shape["type"] == "list" else shape
    return Member(
        type=shape["type"],
        choices=tuple(of_one.get("enum", ())),
        minimum=shape.get("min"),
        maximum=shape.get("max"),
        pattern=shape.get("pattern"),
        documentation=_plain(documentation or shape.get("documentation", "")),
    )


def _structure(model: dict[str, Any], shape_name: str) -> dict[str, Any]:
    shape = model["shapes"][shape_name]
    while shape["type"] == "list":
        shape = model["shapes"][shape["member"]["shape"]]
    return shape


@cache
def _model(service: str) -> dict[str, Any]:
    folder = package_data.package_folder("botocore") / "data" / service
    versions = sorted(path.parent.name for path in folder.glob("*/service-2.json.gz"))
    if not versions:
        raise UnknownMemberError(f"botocore knows no service {service}")
    return package_data.gzipped_json_file(
        "botocore", f"data/{service}/{versions[-1]}/service-2.json.gz"
    )


def _plain(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
