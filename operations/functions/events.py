"""The event that a function is invoked with: what has no fields is refused with a word."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from operations.errors import OperationError

ContextT = TypeVar("ContextT")
Handler = Callable[[dict[str, Any], ContextT], dict[str, Any]]

# Python's types as JSON calls their values; None is no payload at all, or null.
_NAMES = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}


def of_objects(handler: Handler[ContextT]) -> Handler[ContextT]:
    """Refuse an event that is no JSON object, before the handler asks it for a field.

    Raises:
        OperationError: by the handler that is returned; without the event, which may hold anything.
    """

    @wraps(handler)
    def checked(event: Any, context: ContextT) -> dict[str, Any]:
        if not isinstance(event, dict):
            found = _NAMES.get(type(event), "a number")
            raise OperationError(
                f"the event is {found}; it must be a JSON object, with the fields that "
                f"{handler.__module__} names. Nothing was changed"
            )
        return handler(event, context)

    return checked
