"""The page of settings is the schema's."""

from __future__ import annotations

from stacks.reference import page
from tests.unit.recorder import REPOSITORY


def test_the_page_is_current() -> None:
    written = (REPOSITORY / "docs/settings.md").read_text()
    assert written == page(), "run: python -m stacks.reference > docs/settings.md"
