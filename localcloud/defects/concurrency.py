"""Requests that moto breaks off because another thread changes what they walk through."""

from collections.abc import Callable
from typing import Any, Final

# Each look takes a moment, and the other request has ended long before the last.
_MOST_LOOKS: Final = 20
_MOVED: Final = ("changed size during iteration", "changed during iteration", "mutated during")


def settled(look: Callable[[], Any]) -> Any:
    """What `look` returns, run again when what it walked through was changed under it.

    moto holds its resources in plain dicts: listing those of a group while another request adds one
    ends as a RuntimeError. moto looks before it changes anything, so that a request which broke off
    has changed nothing. It has to wait for nobody, as with a lock, which a function that AWS calls
    within a request would never get.

    Raises:
        RuntimeError: it was changed each time. What else `look` raises comes through.
    """
    for _ in range(_MOST_LOOKS - 1):
        try:
            return look()
        except RuntimeError as error:
            if not any(words in str(error) for words in _MOVED):
                raise
    return look()
