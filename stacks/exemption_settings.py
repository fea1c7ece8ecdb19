"""Written exceptions: from the guards of staging and prod, and from policies.

Of policies' exemptions here is only the shape; the policy pack judges and applies them.
"""

from __future__ import annotations

import datetime

from stacks import forms
from stacks.schema import SettingsGroup, setting

_WHY = "an exemption names rule, resource, reason, owner and expiry, or it does not count"
_SOURCE = "policies/exemptions.py"


class StatedException(SettingsGroup):
    """A guard that a stack does without."""

    field: str = setting(
        "Setting that may be weaker, such as `replicas.count`",
        form=forms.SETTING,
        why="an exception is for one setting",
    )
    reason: str = setting(
        "Why this stack does without", min_length=10, why="a reason is a sentence, not a word"
    )


class PolicyExemption(SettingsGroup):
    """A written, dated, owned exception for one rule on one resource."""

    rule: str = setting("Id of the rule", min_length=1, why=_WHY, source=_SOURCE)
    resource: str = setting(
        "`<type>::<name>` with `*` and `?`", min_length=1, why=_WHY, source=_SOURCE
    )
    covers: tuple[str, ...] = setting(
        "What in the resource is meant, for rules that judge several things",
        default=(),
        why=_WHY,
        source=_SOURCE,
    )
    reason: str = setting("Why", min_length=1, why=_WHY, source=_SOURCE)
    owner: str = setting("Who answers for it", min_length=1, why=_WHY, source=_SOURCE)
    expires: datetime.date = setting("Last day, YYYY-MM-DD", why=_WHY, source=_SOURCE)
