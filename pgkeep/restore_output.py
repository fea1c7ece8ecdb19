"""What `pgkeep restore` says at its end: on the terminal, as JSON, and as a page in a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from operations.restore import html_page, page
from operations.restore.report import Report
from pgkeep.backup.access import console, print_json, progress_console
from pgkeep.failures import CommandError

_KINDS = {"dump": "Backup", "point-in-time": "Restore to", "snapshot": "Snapshot"}


def show(
    made: Report,
    *,
    as_json: bool,
    report_file: Path | None,
    stack: str = "",
    **more: object,
) -> None:
    """Print the report, and write its page where the user wants it.

    `stack` is for the way back of a restore over the present database.
    """
    if report_file is not None:
        as_page = html_page.html if _is_html(report_file) else page.markdown
        try:
            report_file.write_text(as_page(asdict(made)), encoding="utf-8")
        except OSError as error:
            progress_console.print(
                f"[yellow]The page was not written to {report_file} ({error.strerror}); it is in "
                f"the backup bucket, {made.page_keys[1]}[/yellow]",
                soft_wrap=True,
            )
    if as_json:
        print_json({**asdict(made), "report": made.key, **more})
    else:
        aside = more.get("set_aside_as")
        _print(made, None if aside is None else str(aside), stack)


def refuse_unusable(report_file: Path | None) -> None:
    """Before a restore of hours, not after it.

    Raises:
        CommandError: there is no such folder, or the name is a folder's.
    """
    if report_file is None:
        return
    if not report_file.absolute().parent.is_dir() or report_file.is_dir():
        raise CommandError(
            f"--report {report_file} refused: it must name a file in a folder that is there, such "
            "as restore.html (a page for a browser) or restore.md."
        )


def _is_html(report_file: Path) -> bool:
    return report_file.suffix.lower() in (".html", ".htm")


def _what(made: Report) -> str:
    return made.restored_to if made.kind == "point-in-time" else made.backup_id


def _print(made: Report, aside: str | None, stack: str) -> None:
    for name, seconds in made.steps.items():
        console.print(f"{name:<28} {seconds:>8.1f} s")
    for check in made.checks:
        mark = "[green]holds[/green]" if check["passed"] else "[red]broken[/red]"
        console.print(f"{mark:<22} {check['name']} ({check['examined']})")
        for finding in check["findings"]:
            console.print(f"       [red]{finding}[/red]", soft_wrap=True)
    for note in made.left_out:
        console.print(f"[yellow]not checked[/yellow] {note}", soft_wrap=True)
    state = "[green]proven[/green]" if made.proven else "[red]not what was backed up[/red]"
    console.print(
        f"{_KINDS[made.kind]} {_what(made)} in {made.target}: {state}. "
        f"RTO {made.rto_seconds:.0f} s, RPO {made.rpo_seconds:.0f} s.",
        soft_wrap=True,
    )
    for name, one in made.objectives.items():
        kept = "[green]kept[/green]" if one["met"] else "[yellow]missed[/yellow]"
        console.print(f"Objective {name.upper()} {one['objective_seconds']} s: {kept}")
    if aside is not None:
        console.print(
            f"The database before is {aside}. The way back: pgkeep restore --stack {stack} "
            f"--back-to {aside}",
            soft_wrap=True,
        )
