"""Rules of names: every name that the program makes of the settings must fit AWS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stacks.naming import NAME_LIMITS
from stacks.schema import Refusal

if TYPE_CHECKING:
    from stacks.settings import Settings


def refusals(settings: Settings) -> Iterator[Refusal]:
    """The name whose limit is passed furthest, and the first that begins with reserved words."""
    named = [(limit, limit.longest(settings)) for limit in NAME_LIMITS]
    excess, name, limit = max(
        ((len(name) - limit.most, name, limit) for limit, name in named), key=lambda one: one[0]
    )
    if excess > 0:
        yield Refusal(
            "name",
            settings.name,
            f"{name} would have {len(name)} characters, a {limit.kind} has at most {limit.most}",
            f"AWS refuses longer names ({limit.source})",
            f"Shorten it to {len(settings.name) - excess} characters or fewer.",
        )
    for limit, name in named:
        if not limit.fits(name):
            yield Refusal(
                "name",
                settings.name,
                f"a {limit.kind} cannot be called {name}",
                f"AWS keeps such names for itself ({limit.source})",
                "Choose another name.",
            )
            return
