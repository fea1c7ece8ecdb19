"""gzip of our own: what any gunzip reads, and always the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import random
from pathlib import Path

import pytest

from hosts import huffman
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


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_become_one_text(seed: int) -> None:
    """A part may be empty, and may repeat what stands in the one before."""
    parts = [noise(seed), b"", noise(seed), noise(seed + 1)]
    assert gzip.decompress(compress(*parts)) == b"".join(parts)


def test_what_looks_different_is_shorter_apart() -> None:
    text = Path(huffman.__file__).read_bytes()
    key = hashlib.shake_256(b"a key").hexdigest(2_000).encode()
    assert len(compress(text, key)) < len(compress(text + key)) - 100


def test_nothing_is_no_part() -> None:
    assert gzip.decompress(compress()) == b""


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
    assert digest == "25b95370cae7dcab725c37134032dd070ded3146adfcdd80289e23c024294ffc"


def test_it_is_shorter_than_zlibs() -> None:
    text = Path(huffman.__file__).read_bytes()
    assert len(compress(text)) <= 0.99 * len(gzip.compress(text, 9))


def test_codes_are_never_longer_than_they_may_be() -> None:
    """Weights like Fibonacci's numbers want codes as long as there are symbols."""
    weights = [1, 1]
    while len(weights) < 30:
        weights.append(weights[-1] + weights[-2])
    for longest in (5, 7, 15):
        found = huffman.lengths(weights, longest)
        assert max(found) == longest
        assert sum(2**-length for length in found) == 1
    assert huffman.lengths([5, 0, 1, 2, 0, 1], 15) == [1, 0, 3, 2, 0, 3]


@pytest.mark.parametrize("seed", SEEDS)
def test_runs_say_the_lengths_again(seed: int) -> None:
    chosen = random.Random(seed)
    wanted = [
        length
        for _ in range(20)
        for length in [chosen.choice([0, 0, 7, 15])]
        * chosen.choice([1, 2, 3, 4, 7, 8, 11, 139, 300])
    ]
    again: list[int] = []
    for symbol, extra, _ in huffman.runs(wanted):
        if symbol == 16:
            again += again[-1:] * (extra + 3)
        elif symbol in (17, 18):
            again += [0] * (extra + {17: 3, 18: 11}[symbol])
        else:
            again.append(symbol)
    assert again == wanted
