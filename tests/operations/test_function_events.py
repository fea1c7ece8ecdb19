"""Functions invoked by hand: an event without fields is refused with a word, not with a traceback."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest

from operations import functions
from operations.errors import OperationError

MODULES = sorted(
    name
    for _, name, _ in pkgutil.iter_modules(functions.__path__)
    if hasattr(importlib.import_module(f"operations.functions.{name}"), "handler")
)


def test_every_function_is_asked() -> None:
    assert len(MODULES) == 8


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("event", "found"),
    [
        ([{"class": "daily"}], "an array"),
        ("daily", "a string"),
        (None, "null"),
        (True, "a boolean"),
        (7, "a number"),
        (0.5, "a number"),
    ],
)
def test_an_event_that_is_no_object_is_refused(module: str, event: Any, found: str) -> None:
    handler = importlib.import_module(f"operations.functions.{module}").handler
    with pytest.raises(OperationError) as refused:
        handler(event, None)
    assert str(refused.value) == (
        f"the event is {found}; it must be a JSON object, with the fields that "
        f"operations.functions.{module} names. Nothing was changed"
    )
