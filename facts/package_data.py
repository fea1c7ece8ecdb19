"""Files that other Python packages carry as data, found without importing the package.

Importing cfn-lint or botocore only to read a JSON file would cost more than the file.
"""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


class FactsMissingError(Exception):
    """A package whose data the facts are read from is missing or has another layout."""


@cache
def package_folder(package: str) -> Path:
    """The folder of an installed top-level package.

    Raises:
        FactsMissingError: if the package is not installed.
    """
    found = find_spec(package)
    if found is None or found.origin is None:
        raise FactsMissingError(f"the Python package {package} is missing; run: uv sync")
    return Path(found.origin).parent


@cache
def text(package: str, path: str) -> str:
    """A text file of a package, by its path below the package's folder.

    Raises:
        FactsMissingError: if it is not there.
    """
    file = package_folder(package) / path
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise FactsMissingError(
            f"{package} has no {path} ({error.strerror}); run: uv sync"
        ) from None


def json_file(package: str, path: str) -> Any:
    """A JSON file of a package."""
    return json.loads(text(package, path))


def gzipped_json_file(package: str, path: str) -> Any:
    """A JSON file of a package that is compressed with gzip."""
    file = package_folder(package) / path
    try:
        return json.loads(gzip.decompress(file.read_bytes()))
    except OSError as error:
        raise FactsMissingError(
            f"{package} has no {path} ({error.strerror}); run: uv sync"
        ) from None


def member(package: str, path: str, name: str) -> Any:
    """The value of one member at the top of a large JSON object, without parsing the others.

    Returns None if the object has no such member.
    """
    content = text(package, path)
    # A member at any depth matches; the names asked for (regions) stand only at the top.
    match = re.search(rf'"{re.escape(name)}"\s*:\s*', content)
    if match is None:
        return None
    value, _ = json.JSONDecoder().raw_decode(content, match.end())
    return value
