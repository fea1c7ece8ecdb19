"""Settings that a function gets through its environment variables."""

from __future__ import annotations

import os

from operations.errors import OperationError


def required(name: str) -> str:
    """The value of an environment variable; `OperationError` when it is absent or empty."""
    value = os.environ.get(name, "")
    if not value:
        raise OperationError(f"environment variable {name} is not set; set it on the function")
    return value


def optional(name: str) -> str | None:
    """The value of an environment variable; None when it is absent or empty."""
    return os.environ.get(name) or None


def required_int(name: str) -> int:
    """As `required`, for a whole number."""
    return _whole(name, required(name))


def optional_int(name: str) -> int | None:
    """As `optional`, for a whole number."""
    value = optional(name)
    return None if value is None else _whole(name, value)


def _whole(name: str, value: str) -> int:
    if not value.isdecimal():
        raise OperationError(f"environment variable {name} is {value!r}; it must be a whole number")
    return int(value)
