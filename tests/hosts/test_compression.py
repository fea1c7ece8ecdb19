"""User data as gzip: what any gunzip reads, and always the same bytes."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from hosts import cloud_init
from hosts.compression import compress

REPETITIVE = "".join(f"line {n % 7} of a text that repeats itself\n" for n in range(200))


@pytest.mark.parametrize("text", ["", "a", "größe 日本\n", REPETITIVE, "a" * 70_000], ids=len)
def test_any_gunzip_gives_the_text_back(text: str) -> None:
    assert gzip.decompress(compress(text)).decode() == text


def test_the_bytes_are_those_of_every_machine() -> None:
    """Written down once: other bytes would replace every host of every stack."""
    digest = hashlib.sha256(compress(REPETITIVE)).hexdigest()
    assert digest == "b39d0e96feb2b0ce37704db99dbc58297e4bb2dbbfb310f286795a58301bf6f9"


def test_it_is_shorter_than_zlibs() -> None:
    text = Path(cloud_init.__file__).read_text(encoding="utf-8")
    assert len(compress(text)) <= 0.99 * len(gzip.compress(text.encode(), 9))
