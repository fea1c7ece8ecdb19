"""`pgkeep backup prune`: what retention lets go, each with its reason."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.markup import escape

from operations.backup import expiry, exports
from operations.backup.expiry import Marking
from operations.restore import report
from pgkeep.backup.access import console, print_json, refusals_as_lines, store
from pgkeep.deployed import DeployedStack


def run(stack_name: str, *, dry_run: bool, as_json: bool) -> None:
    """Explain every keep and removal; mark what goes unless `dry_run`.

    S3's lifecycle removes what is marked, within a day or two; the bucket is versioned, so that it
    can be brought back until its versions expire.
    """
    import contextlib
    import sys

    stack = DeployedStack.find(stack_name)
    with (
        refusals_as_lines("what was marked stays marked; run it again, it goes on from there"),
        # The log lines are for CloudWatch.
        contextlib.redirect_stdout(sys.stderr),
    ):
        s3 = stack.client("s3")
        marking = expiry.decide(
            store(stack).find(brief=True),
            report.proven(s3, stack.bucket),
            datetime.now(UTC),
            exports.find(s3, stack.bucket),
        )
        if not dry_run:
            marking = expiry.apply(marking, s3=s3, bucket=stack.bucket)
    if as_json:
        print_json(_document(marking, dry_run))
        return
    for one in marking.decisions:
        word = "[green]keep[/green]" if one.keep else "[red]remove[/red]"
        console.print(f"{word} {one.backup.id} ({one.backup.backup_class}): {one.reason}")
    for other in marking.abandoned:
        told = escape(f"{other.folder}: {other.reason}")
        console.print(f"[red]remove[/red] {told}", soft_wrap=True)
    kept = len(expiry.kept(marking))
    removed = len(marking.decisions) - kept + len(marking.abandoned)
    if dry_run:
        console.print(f"{kept} kept, {removed} would be marked for removal.")
    else:
        console.print(
            f"{kept} kept, {removed} marked for removal ({len(marking.marked)} of them now); S3 "
            "removes what is marked and past its class's retention within a day or two."
        )


def _document(marking: Marking, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "decisions": [
            {
                "id": one.backup.id,
                "class": one.backup.backup_class,
                "keep": one.keep,
                "reason": one.reason,
            }
            for one in marking.decisions
        ],
        "abandoned": [
            {"folder": other.folder, "reason": other.reason} for other in marking.abandoned
        ],
        "marked": list(marking.marked),
        "unmarked": list(marking.unmarked),
    }
