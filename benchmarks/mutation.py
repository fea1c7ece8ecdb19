"""Mutation tests of the policy rules: every condition turned round, one at a time.

    python -m benchmarks.mutation [--again] [--table] [--sample NUMBER] [--seed NUMBER] [FILE…]

Specs that still pass do not hold the condition: the mutant survived, and is printed with its line.
Mutants that cannot be told from the module itself stand in `equivalent_mutants.toml` with the
reason; one that is listed and noticed, or is no mutant any more, is an error too. Each mutant lives
in a forked process only; no file is changed.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from toolchain.environment import REPOSITORY

from .mutation_runner import Specs, collected, fails_without, survives
from .mutation_sites import Mutant, mutants

_PACK = REPOSITORY / "policies"
_SPECS = REPOSITORY / "tests" / "policies"
EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")
RESULTS = Path(__file__).with_name("mutation_results.json")
PAGE = REPOSITORY / "docs" / "mutation.md"
# Not rules: the engine's protocol, the documentation, this pack's entry points.
_LEFT_OUT = frozenset({"__init__", "__main__", "analyzer", "catalogue", "documentation"})
# They start engines, databases or processes, or take minutes for what others show too.
_LEFT_OUT_SPECS = frozenset(
    {
        *("test_engine", "test_engine_bad_changes", "test_database_fuzz", "test_documentation"),
        *("test_stack_fuzz", "test_sql_cases_postgres"),
    }
)
_SAVED_EVERY = 25
_Name = tuple[str, str, str]


def _name(mutant: Mutant) -> _Name:
    return mutant.path, mutant.function, mutant.change


def equivalent() -> dict[_Name, str]:
    """Mutants that are no other program, by file, function and change, with the reason."""
    listed = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("mutant", [])
    return {(one["file"], one["function"], one["change"]): one["reason"] for one in listed}


class Score:
    """What became of each mutant, over all runs: `mutation_results.json` keeps it."""

    def __init__(self) -> None:
        self.results: dict[str, dict[str, str]] = (
            json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        )

    def keep(self, mutant: Mutant, result: str) -> None:
        """Remember one."""
        self.results.setdefault(mutant.path, {})[_label(mutant)] = result

    def known(self, mutant: Mutant) -> str:
        """What became of it in an earlier run; empty if it was in none."""
        return self.results.get(mutant.path, {}).get(_label(mutant), "")

    def save(self) -> None:
        """Forget what is no mutant any more, and write the rest."""
        for path, known in list(self.results.items()):
            file = REPOSITORY / path
            labels = {_label(one) for one in mutants(file)} if file.exists() else set[str]()
            self.results[path] = {key: one for key, one in known.items() if key in labels}
        ordered = {key: self.results[key] for key in sorted(self.results) if self.results[key]}
        RESULTS.write_text(json.dumps(ordered, indent=0) + "\n", encoding="utf-8")

    def table(self) -> str:
        """Every module that was run, and the sum."""
        head = "| module | mutants | run | noticed | equivalent | survived | score |"
        rows: list[str] = []
        total: Counter[str] = Counter()
        for file in rule_files():
            path = file.relative_to(REPOSITORY).as_posix()
            labels = {_label(one) for one in mutants(file)}
            count = Counter(one for key, one in self.results.get(path, {}).items() if key in labels)
            count["all"] = len(labels)
            total += count
            if labels:
                rows.append(_row(f"`{path}`", count))
        return "\n".join([head, "|---" * 7 + "|", *rows, _row("all", total)]) + "\n"


def _row(name: str, count: Counter[str]) -> str:
    noticed, equal, left = count["noticed"], count["equivalent"], count["survived"]
    share = f"{100 * noticed / (noticed + left):.1f} %" if noticed + left else ""
    run = noticed + equal + left
    return f"| {name} | {count['all']} | {run} | {noticed} | {equal} | {left} | {share} |"


def _label(mutant: Mutant) -> str:
    which = f" ({mutant.nth})" if mutant.nth > 1 else ""
    return f"{mutant.function}: {mutant.change}{which}"


def judge(specs: Specs, found: Iterable[Mutant], score: Score) -> None:
    """Run mutants and count them; survivors are printed at once."""
    for name in specs.failed:
        print(f"fails without a mutant, and is left out: {name}", flush=True)
    listed = equivalent()
    for number, mutant in enumerate(found):
        if number % _SAVED_EVERY == 0:
            score.save()
        if not survives(specs, mutant):
            score.keep(mutant, "noticed")
            if _name(mutant) in listed:
                print(f"listed as equivalent, and noticed: {mutant.path}:{mutant.line}", flush=True)
        elif _name(mutant) in listed:
            score.keep(mutant, "equivalent")
        else:
            score.keep(mutant, "survived")
            where = mutant.function or "(module)"
            place = f"{mutant.path}:{mutant.line}"
            print(f"survived: {place} {where}: {mutant.change[:160]}", flush=True)
    for path in specs.noticing:
        if name := fails_without(specs, path):
            score.results.pop(path, None)
            print(f"fails without a mutant, so that {path} has no result: {name}", flush=True)


def stale(files: Iterable[Path]) -> list[_Name]:
    """What is listed as equivalent in these files and is no mutant of them."""
    known = {_name(one) for file in files for one in mutants(file)}
    paths = {file.relative_to(REPOSITORY).as_posix() for file in files}
    return [name for name in equivalent() if name[0] in paths and name not in known]


def rule_files() -> list[Path]:
    """The modules of the pack that have rules or what they are made of."""
    return [path for path in sorted(_PACK.rglob("*.py")) if path.stem not in _LEFT_OUT]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints survivors and the score of each module; 1 if a mutant survived."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutation")
    parser.add_argument("files", nargs="*", type=Path, help="modules of policies/; all")
    parser.add_argument("--specs", nargs="*", type=Path, help="spec files; all that are quick")
    parser.add_argument("--sample", type=int, help="so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=17, help="of the draw")
    parser.add_argument("--again", action="store_true", help="only what survived, or is new")
    parser.add_argument("--table", action="store_true", help="write the table of docs/mutation.md")
    options = parser.parse_args(arguments)
    files = [path.resolve() for path in options.files] or rule_files()
    score = Score()
    found = [mutant for file in files for mutant in mutants(file)]
    if options.again:
        found = [mutant for mutant in found if score.known(mutant) in ("", "survived")]
    if options.sample is not None and options.sample < len(found):
        drawn = random.Random(options.seed).sample(range(len(found)), options.sample)  # noqa: S311
        found = [found[number] for number in sorted(drawn)]
    specs = options.specs or [
        path for path in sorted(_SPECS.glob("test_*.py")) if path.stem not in _LEFT_OUT_SPECS
    ]
    collected(specs, {one.file for one in found}, lambda measured: judge(measured, found, score))
    score.save()
    wrong = stale(files)
    for path, function, change in wrong:
        print(f"listed as equivalent, and is no mutant: {path} {function}: {change}")
    print(score.table())
    if options.table:
        before, mark, _ = PAGE.read_text(encoding="utf-8").partition("| module |")
        PAGE.write_text((before if mark else before + "\n") + score.table(), encoding="utf-8")
    left = [one for one in found if score.known(one) not in ("noticed", "equivalent")]
    return int(bool(left or wrong))


if __name__ == "__main__":
    sys.exit(main())
