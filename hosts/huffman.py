"""Huffman codes as DEFLATE wants them: of limited length, and in canonical order."""

from __future__ import annotations

from collections.abc import Sequence


def lengths(weights: Sequence[int], longest: int) -> list[int]:
    """Length in bits of each symbol's code, 0 for a weight of 0; the best there are.

    Package-merge (Larmore and Hirschberg, 1990). Equal weights, equal lengths on every machine:
    the sort is stable. `longest` bits must be enough for all symbols.
    """
    coins = sorted(
        ((weight, (symbol,)) for symbol, weight in enumerate(weights) if weight),
        key=lambda coin: coin[0],
    )
    found = [0] * len(weights)
    if len(coins) == 1:
        found[coins[0][1][0]] = 1
        return found
    packages: list[tuple[int, tuple[int, ...]]] = []
    for _ in range(longest):
        merged = sorted([*coins, *packages], key=lambda coin: coin[0])
        pairs = zip(merged[::2], merged[1::2], strict=False)
        packages = [(one[0] + two[0], one[1] + two[1]) for one, two in pairs]
    # What the first n - 1 packages of the last round are made of.
    for _, symbols in packages[: max(0, len(coins) - 1)]:
        for symbol in symbols:
            found[symbol] += 1
    return found


def codes(code_lengths: Sequence[int]) -> list[int]:
    """The canonical code of each symbol, RFC 1951 section 3.2.2; its first bit is the highest."""
    found = [0] * len(code_lengths)
    code = 0
    for length in range(1, max(code_lengths, default=0) + 1):
        for symbol, own in enumerate(code_lengths):
            if own == length:
                found[symbol] = code
                code += 1
        code <<= 1
    return found


def runs(code_lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """Code lengths as (symbol, extra bits' value, their count), RFC 1951 section 3.2.7."""
    found: list[tuple[int, int, int]] = []
    position = 0
    while position < len(code_lengths):
        value = code_lengths[position]
        count = 1
        while position + count < len(code_lengths) and code_lengths[position + count] == value:
            count += 1
        if value == 0 and count >= 11:
            count = min(count, 138)
            found.append((18, count - 11, 7))
        elif value == 0 and count >= 3:
            found.append((17, count - 3, 3))
        elif count >= 4:
            # The value itself, then repetitions of the one before.
            count = min(count, 7)
            found += [(value, 0, 0), (16, count - 4, 2)]
        else:
            found += [(value, 0, 0)] * count
        position += count
    return found
