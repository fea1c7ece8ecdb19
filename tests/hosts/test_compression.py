"""gzip of our own: what any gunzip reads, and always the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import random

import pytest

from hosts.compression import compress

SEEDS = range(40)


def noise(seed: int) -> bytes:
    chosen = random.Random(seed)
    alphabet = chosen.choice([b"ab", b"abc\x90\xff", bytes(range(256))])
    return bytes(chosen.choice(alphabet) for _ in range(chosen.randrange(2_000)))


@pytest.mark.parametrize("seed", SEEDS)
def test_any_gunzip_gives_the_text_back(seed: int) -> None:
    text = noise(seed)
    assert gzip.decompress(compress(text)) == text


@pytest.mark.parametrize(
    "text", [b"", b"a", b"ab" * 2, b"a" * 70_000, bytes(range(256)) * 200], ids=len
)
def test_edges_of_lengths_and_distances(text: bytes) -> None:
    assert gzip.decompress(compress(text)) == text


def test_matches_reach_as_far_as_deflate_lets_them() -> None:
    """A repetition 32768 bytes back is found; one byte farther is too far."""
    filler = bytes(random.Random(1).choices(range(256), k=32_768 - 40))
    for extra in (0, 1):
        text = b"x" * 40 + filler + b"y" * extra + b"x" * 40
        assert gzip.decompress(compress(text)) == text


def test_the_bytes_are_those_of_every_machine() -> None:
    """Written down once: other bytes would replace every host of every stack."""
    text = b"".join(b"line %d of a text that repeats itself\n" % (n % 7) for n in range(200))
    digest = hashlib.sha256(compress(text)).hexdigest()
    assert digest == "7675c20b87e283b43e0bcde1ae6b50febbc438586a5d7d056c1781c693532d01"
