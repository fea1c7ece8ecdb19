"""Methods of moto's backends with something of ours before, after or around them.

Hooks are put on moto's own classes, so they also hold for backends that other data planes derive
from them.
"""

import functools
from collections.abc import Callable
from typing import Any

Original = Callable[..., Any]
_ABSENT = object()


class Hooks:
    """A set of hooks that can be taken off again."""

    def __init__(self) -> None:
        self._replaced: list[tuple[type[Any], str, object]] = []

    def around(self, owner: type[Any], name: str, replacement: Callable[..., Any]) -> None:
        """Call `replacement(original, backend, *args, **kwargs)` in the method's place."""
        original: Original = getattr(owner, name)

        @functools.wraps(original)
        def method(backend: Any, *args: Any, **kwargs: Any) -> Any:
            bound = functools.partial(original, backend)
            return replacement(bound, backend, *args, **kwargs)

        # An inherited method becomes inherited again when the hooks are removed.
        self._replaced.append((owner, name, owner.__dict__.get(name, _ABSENT)))
        setattr(owner, name, method)

    def after(self, owner: type[Any], names: tuple[str, ...], action: Callable[[], None]) -> None:
        """Call `action` after each of these methods, unless the method raised."""

        def then(original: Original, _backend: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            action()
            return result

        for name in names:
            self.around(owner, name, then)

    def remove(self) -> None:
        """Restore every method, last hooked first."""
        for owner, name, method in reversed(self._replaced):
            if method is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, method)
        self._replaced = []
