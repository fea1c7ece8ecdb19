"""Judges programs, states and plans, and gives what was found as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, cast

from pgkeep.check.documents import Document, read_plan, read_state
from pgkeep.failures import CommandError, ExitCode
from pgkeep.stack_files import StackFile, read_stack, stack_names
from policies.catalogue import RULES
from policies.coverage import NotCovered, covered_types, not_covered
from policies.database.migrations import MIGRATIONS
from policies.evaluation import EXEMPTIONS_RULE, Judge, Kind, Verdict
from policies.existing import evaluate_existing
from policies.inventory import Resource, Stack
from policies.rules import Context, Enforcement, Environment, Phase, Rule, Severity
from policies.stack_config import environment

PROJECT: Final = "pgkeep"
INTEGRITY_RULE: Final = Rule(
    id="policy-state-intact",
    title="The state names every resource once",
    what="No two resources of an exported state that are both alive have one URN.",
    why="What refers to the URN may mean either of the two, so that no join can be trusted.",
    remediation="repair the state (pulumi stack export, pulumi state repair) and check it again.",
    severity=Severity.HIGH,
    catalogue=(),
    controls=(),
    types=(),
    never_exempt_in=frozenset(Environment),
)
# Besides the pack's own: what is about the input instead of a resource.
FRAME_RULES: Final = (EXEMPTIONS_RULE, INTEGRITY_RULE)
RULES_BY_ID: Final = {rule.id: rule for rule in (*RULES, *FRAME_RULES)}


@dataclass(frozen=True)
class Options:
    """What the command line says about how to judge."""

    environment: Environment | None = None
    exemptions: list[object] | None = None
    thresholds: Mapping[str, Mapping[str, object]] = field(
        default_factory=dict[str, Mapping[str, object]]
    )
    overrides: Mapping[str, Enforcement] = field(default_factory=dict[str, Enforcement])


@dataclass(frozen=True)
class Finding:
    """One verdict as plain data, which can be handed from process to process."""

    kind: Kind
    rule_id: str
    urn: str
    severity: str
    enforcement: str
    message: str
    """What was found and what must be."""
    unknown: str = ""
    controls: tuple[str, ...] = ()
    """The ids of outside sources that are not held."""

    @property
    def rule(self) -> Rule:
        """The rule that found it."""
        return RULES_BY_ID[self.rule_id]

    @property
    def blocks(self) -> bool:
        """Whether the engine would stop."""
        return self.kind is Kind.VIOLATION and self.enforcement == Enforcement.MANDATORY


@dataclass
class Judged:
    """What the rules say about one stack, state or plan."""

    source: str
    environment: str
    resource_count: int
    findings: list[Finding]
    not_covered: list[NotCovered]
    left_out: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """URN and reason of resources that a rule would judge, and that were not judged."""
    stack_file: StackFile | None = None
    """Where exemptions and settings stand, if it is a stack of this repository."""

    def of_kind(self, kind: Kind) -> list[Finding]:
        """The findings of one kind, in the order in which they are shown."""
        return [finding for finding in self.findings if finding.kind is kind]

    @property
    def refused(self) -> bool:
        """Whether a mandatory rule is violated."""
        return any(finding.blocks for finding in self.findings)


def judge_stack(name: str, options: Options) -> Judged:
    """Run the program of a stack of this repository under mocks, and judge what it declares.

    Raises:
        CommandError: there is no such stack, or its settings are refused.
    """
    import pulumi

    from pgkeep.program import UnansweredError, run
    from stacks.settings import SettingsError

    file = read_stack(name)
    try:
        declared = run(file.load(), file.region or "eu-west-1").resources
    except (SettingsError, pulumi.RunError) as error:
        first, *others = str(error).splitlines()
        more = f" ({len(others)} more: pgkeep settings --check {name})" if others else ""
        raise CommandError(
            f"{file.label} cannot be deployed: {first}{more}", ExitCode.REFUSED
        ) from None
    except UnansweredError as error:
        raise CommandError(f"{name}: {error}.") from None
    document = Document(name, name, PROJECT)
    for one in declared:
        if not one.custom:
            continue
        resource = Resource.of(
            type=one.type,
            name=one.name,
            urn=one.urn,
            properties=one.inputs,
            property_dependencies=one.property_dependencies,
            protect=one.protect,
        )
        if one.external:
            document.left_out.append((resource, "is only read, and was not judged"))
        else:
            document.resources.append(resource)
    from pgkeep.check.sql import of_workload

    # The engine never sees what the migrations say: they travel in the functions' archive.
    document.resources.append(of_workload(file.load().workload))
    # The settings know the environment; the stack's name says it too.
    return _judged(document, options, Phase.PREVIEW, file, Environment(file.load().environment))


def judge_sql(paths: Sequence[str], options: Options) -> list[Judged]:
    """Judge SQL files, in the order in which they are applied; each is a source of its own.

    Raises:
        CommandError: a file is unusable.
    """
    from pgkeep.check.sql import doors

    judged: dict[str, Judged] = {}
    for door in doors(paths):
        document = Document(door.files[0], "", "", [door.resource])
        whole = _judged(document, options, Phase.PREVIEW, None, None)
        rest = list(whole.findings)
        for file in door.files:
            own = [one for one in rest if one.urn.rpartition(":")[0] == file]
            judged[file] = Judged(file, whole.environment, 1, own, [])
            rest = [one for one in rest if one not in own]
        # What is said of no statement (an exemption that nothing needs) is told of the first.
        judged[door.files[0]].findings += rest
    return list(judged.values())


def judge_state(path: str, options: Options) -> Judged:
    """Judge a state of `pulumi stack export`.

    Raises:
        CommandError: the file is unusable.
    """
    document = read_state(path)
    return _judged(document, options, Phase.STATE, _own_file(document), None)


def judge_plan(path: str, options: Options) -> Judged:
    """Judge a `pulumi preview --json`.

    Raises:
        CommandError: the file is unusable.
    """
    document = read_plan(path)
    return _judged(document, options, Phase.PREVIEW, _own_file(document), None)


def _own_file(document: Document) -> StackFile | None:
    """The stack's file, if the document is of a stack of this repository."""
    own = document.project == PROJECT and document.stack in stack_names()
    return read_stack(document.stack) if own else None


def _judged(
    document: Document,
    options: Options,
    phase: Phase,
    file: StackFile | None,
    known: Environment | None,
) -> Judged:
    # A name that says nothing is judged as prod, the strictest.
    where = options.environment or known or environment({}, document.stack, {})
    context = Context(environment=where, phase=phase, thresholds=options.thresholds)
    own: object = file.mapping.get("policy_exemptions") if file else None
    judge = Judge(
        context,
        options.exemptions if options.exemptions is not None else own,
        overrides=dict(options.overrides),
        repeats=True,
    )
    resources = document.resources
    if phase is Phase.STATE:
        verdicts = evaluate_existing(resources, judge)
    else:
        stack = Stack(resources)
        verdicts = [one for resource in resources for one in judge.resource(resource, stack)]
        verdicts += judge.stack(stack)
    problems = [
        Finding(
            Kind.VIOLATION,
            INTEGRITY_RULE.id,
            urn,
            str(INTEGRITY_RULE.severity),
            str(Enforcement.MANDATORY),
            f"{urn} {problem}",
        )
        for urn, problem in document.problems
    ]
    known_types = covered_types(RULES)
    left_out = [
        (resource.urn, reason)
        for resource, reason in document.left_out
        if resource.type in known_types
    ]
    return Judged(
        source=document.source,
        environment=where,
        resource_count=len({one.urn for one in resources if one.type != MIGRATIONS}),
        findings=sorted([*map(_finding, verdicts), *problems], key=_rank),
        # Programs declare in no certain order.
        not_covered=sorted(
            not_covered([*resources, *(one for one, _ in document.left_out)]),
            key=lambda one: one.urn,
        ),
        left_out=[*document.notes, *sorted(left_out)],
        stack_file=file,
    )


def _finding(verdict: Verdict) -> Finding:
    return Finding(
        kind=verdict.kind,
        rule_id=verdict.rule.id,
        urn=verdict.urn,
        severity=str(verdict.rule.severity),
        enforcement=str(verdict.enforcement),
        message=verdict.finding,
        unknown=verdict.unknown,
        controls=verdict.controls,
    )


_SEVERITIES: Final = ("critical", "high", "medium")


def _rank(finding: Finding) -> tuple[Any, ...]:
    """Mandatory before advisory, then the gravest first; the rest only makes the order certain."""
    return (
        not finding.blocks,
        _SEVERITIES.index(finding.severity),
        finding.rule_id,
        finding.urn,
        finding.message,
    )


def judge_all(names: Sequence[str], options: Options) -> list[Judged]:
    """`judge_stack` for each name, on as many processes as help."""
    from pgkeep.check.processes import in_processes

    if len(names) > 1:
        # Once, instead of in each process: what a stack's run imports.
        for module in ("components.platform", "pgkeep.program"):
            import_module(module)
    return in_processes([(name, lambda name=name: judge_stack(name, options)) for name in names])


def read_config(parsed: object, source: str) -> tuple[dict[str, Any], dict[str, Enforcement]]:
    """Thresholds and enforcement levels of a policy pack configuration, as Pulumi's engine has it.

    Raises:
        CommandError: it names no rule, no setting of a rule, or a value that the setting refuses.
    """
    if not isinstance(parsed, dict):
        raise CommandError(f"{source} is no mapping of rule ids.")
    thresholds: dict[str, Any] = {}
    overrides: dict[str, Enforcement] = {}
    for rule_id, entry in cast("dict[object, object]", parsed).items():
        if rule_id not in RULES_BY_ID and rule_id != "all":
            raise CommandError(
                f"{source} names the rule {rule_id!r}, which there is not; see `pgkeep explain`."
            )
        names = list(RULES_BY_ID) if rule_id == "all" else [str(rule_id)]
        fields = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
        level = fields.get("enforcementLevel") if isinstance(entry, dict) else entry
        if level is not None:
            if level not in list(Enforcement):
                raise CommandError(
                    f"{source}, {rule_id}: enforcementLevel {level!r} refused: choose "
                    f"{', '.join(Enforcement)}."
                )
            overrides |= dict.fromkeys(names, Enforcement(level))
        settings = {key: value for key, value in fields.items() if key != "enforcementLevel"}
        for key, value in settings.items():
            _check_setting(source, str(rule_id), key, value)
        if settings:
            thresholds[str(rule_id)] = settings
    return thresholds, overrides


def _check_setting(source: str, rule_id: str, key: str, value: object) -> None:
    rule = RULES_BY_ID.get(rule_id)
    schema = rule.settings_schema if rule else {}
    if key not in schema:
        raise CommandError(
            f"{source}, {rule_id}: {key!r} is no setting of this rule; it has "
            f"{', '.join(schema) or 'none'}."
        )
    least, most = schema[key].get("minimum"), schema[key].get("maximum")
    if schema[key].get("type") == "array":
        items = cast("list[object]", value) if isinstance(value, list) else [None]
        if not all(isinstance(item, str) for item in items):
            raise CommandError(f"{source}, {rule_id}: {key} = {value!r} refused: a list of texts.")
    if schema[key].get("type") == "integer":
        fits = isinstance(value, int) and not isinstance(value, bool)
        low = not isinstance(least, int) or (fits and cast("int", value) >= least)
        high = not isinstance(most, int) or (fits and cast("int", value) <= most)
        if not (fits and low and high):
            raise CommandError(
                f"{source}, {rule_id}: {key} = {value!r} refused: a whole number from {least} to "
                f"{most}."
            )
