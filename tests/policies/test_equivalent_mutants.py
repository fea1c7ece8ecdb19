"""The list of mutants that are no other program is of this code, and gives reasons."""

from __future__ import annotations

from benchmarks.mutation import equivalent, rule_files, stale
from benchmarks.mutation_sites import mutants


def test_what_is_listed_is_a_mutant_of_this_code() -> None:
    assert stale(rule_files()) == []


def test_every_one_has_a_reason() -> None:
    assert all(len(reason) > 20 for reason in equivalent().values())


def test_every_condition_is_a_mutant() -> None:
    found = [one for file in rule_files() for one in mutants(file)]
    assert len({(one.path, one.site) for one in found}) == len(found)
    assert len(found) > 2_000
