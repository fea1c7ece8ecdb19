"""What an organisation asks of every stack: tags."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from stacks import forms
from stacks.schema import SettingsGroup, setting

# AWS General Reference, "Tag naming limits and requirements".
MOST_TAGS = 50
LONGEST_TAG_KEY = 128
_TAG_CHARACTERS = r"[A-Za-z0-9 _.:/=+@-]"
_TAG_SOURCE = "AWS General Reference: tag naming limits and requirements"
_VALUE_WHY = "AWS takes 1 to 256 letters, digits, spaces and _ . : / = + - @"
# Tags that the program itself gives to everything (components/deployment.py).
OWN_TAG_PREFIX = "pgkeep:"
OWN_TAGS = 6


class TagSettings(SettingsGroup):
    """Tags on every resource, beside `Name`, `pgkeep:environment` and `pgkeep:stack`."""

    owner: str | None = setting(
        "Tag `pgkeep:owner`: the team, or its address, that answers for the stack",
        default=None,
        form=forms.TAG_VALUE,
        why=_VALUE_WHY,
        source=_TAG_SOURCE,
    )
    data_classification: Literal["public", "internal", "confidential", "restricted"] | None = (
        setting(
            "Tag `pgkeep:data-classification`: how sensitive the data is",
            default=None,
            why="one of the four levels that data policies and scanners commonly know",
            source="AWS whitepaper: Data Classification",
        )
    )
    cost_centre: str | None = setting(
        "Tag `pgkeep:cost-centre`: who pays",
        default=None,
        form=forms.TAG_VALUE,
        why=_VALUE_WHY,
        source="AWS whitepaper: Best Practices for Tagging AWS Resources",
    )
    extra: dict[str, str] = setting(
        "More tags under the organisation's own keys",
        default={},
        why="organisations have tag policies of their own; " + _VALUE_WHY,
        source=_TAG_SOURCE,
    )

    @field_validator("extra")
    @classmethod
    def _possible(cls, value: dict[str, str]) -> dict[str, str]:
        most = MOST_TAGS - OWN_TAGS
        if len(value) > most:
            raise PydanticCustomError(
                "tags",
                "at most {most} tags beside pgkeep's own {own}: AWS takes {all} a resource",
                {"most": most, "own": OWN_TAGS, "all": MOST_TAGS},
            )
        seen: dict[str, str] = {}
        for key, text in value.items():
            if not re.fullmatch(rf"{_TAG_CHARACTERS}{{1,{LONGEST_TAG_KEY}}}", key):
                raise PydanticCustomError(
                    "tags",
                    "keys of 1 to {longest} letters, digits, spaces and _ . : / = + - @, not {key}",
                    {"longest": LONGEST_TAG_KEY, "key": repr(key[:40])},
                )
            if not re.fullmatch(forms.TAG_VALUE.pattern, text):
                raise PydanticCustomError(
                    "tags",
                    "values that AWS takes, not {text} for {key}",
                    {"text": repr(text[:40]), "key": key},
                )
            low = key.lower()
            if low.startswith(("aws:", OWN_TAG_PREFIX)) or low == "name":
                raise PydanticCustomError(
                    "tags", "keys other than Name, aws:... and pgkeep:..., not {key}", {"key": key}
                )
            # IAM tells keys apart without regard to case and refuses two that differ only in it.
            if low in seen:
                raise PydanticCustomError(
                    "tags",
                    "keys that differ in more than case, not {key} beside {other}",
                    {"key": key, "other": seen[low]},
                )
            seen[low] = key
        return value
