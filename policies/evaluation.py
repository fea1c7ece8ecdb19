"""Runs rules over resources: in the engine resource by resource, or over a whole stack at once.

Nothing that a rule does can make a resource pass by accident: a crash is a mandatory violation
that names the rule, and a value that is still unknown at apply is a violation.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path

from .catalogue import RULES
from .exemptions import Exemption, parse
from .inventory import Resource, Stack
from .rules import (
    Context,
    Enforcement,
    Outcome,
    Phase,
    ResourceCheck,
    Rule,
    Severity,
    StackCheck,
    Unverified,
    Violation,
)

EXEMPTIONS_RULE = Rule(
    id="policy-exemptions-valid",
    title="Policy exemptions are valid and used",
    what="Every exemption names rule, resource, reason, owner and a date within 180 days, and "
    "is used.",
    why="An exemption that nobody needs or answers for hides the next mistake.",
    remediation="Correct or remove the entry in pgkeep:settings.policy_exemptions.",
    severity=Severity.HIGH,
    catalogue=(),
    controls=(),
    types=(),
)


class Kind(Enum):
    """What a verdict means for the update."""

    VIOLATION = "violation"
    NOT_VERIFIED = "not verified"
    NOT_COVERED = "not covered"
    EXEMPTED = "exempted"


@dataclass(frozen=True)
class Verdict:
    """One thing to tell the user. `urn` is empty for the stack as a whole."""

    kind: Kind
    rule: Rule
    urn: str
    enforcement: Enforcement
    message: str
    finding: str
    """What was found and what must be, without the rule's id and remedy."""
    # Of what is not verified: the resource and the value that is not known yet.
    unknown: str = ""
    controls: tuple[str, ...] = ()
    """The ids of outside sources that are not held: some or all of the rule's."""

    @property
    def blocks(self) -> bool:
        """Whether the preview or update must stop."""
        return self.enforcement is Enforcement.MANDATORY


class Judge:
    """Applies `rules` in one run of the engine. Safe to call from several threads."""

    def __init__(
        self,
        context: Context,
        exemptions: object = None,
        rules: Sequence[Rule] = RULES,
        overrides: dict[str, Enforcement] | None = None,
        *,
        repeats: bool = False,
    ) -> None:
        """`exemptions` is the raw list of the settings; `overrides` the pack's configuration.

        With `repeats` a fault of one resource is also told of every resource that it concerns (a
        bucket whose access block is open); the engine shows it once.
        """
        self._repeats = repeats
        self.context = context
        self.rules = rules
        self._overrides = overrides or {}
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], type[Outcome]] = {}
        self._used: set[Exemption] = set()
        self._exemptions: list[Exemption] = []
        self._problems: list[str] = []
        self._by_type: dict[str, list[tuple[Rule, ResourceCheck]]] = {}
        for rule in rules:
            if rule.check_resource is not None:
                for kind in rule.types:
                    self._by_type.setdefault(kind, []).append((rule, rule.check_resource))
        by_id = {rule.id: rule for rule in rules}
        for entry in parse(exemptions):
            if isinstance(entry, str):
                self._problems.append(entry)
            elif problem := entry.problem(by_id, context):
                self._problems.append(f"{entry.label} {problem}")
            else:
                self._exemptions.append(entry)

    def enforcement(self, rule: Rule) -> Enforcement:
        """How `rule` is enforced in this environment.

        The pack's configuration may change it, but not for a rule that cannot be exempted here.
        """
        own = rule.enforcement.get(self.context.environment, Enforcement.MANDATORY)
        if self.context.environment in rule.never_exempt_in:
            return own
        return self._overrides.get(rule.id, own)

    def resource(self, resource: Resource, stack: Stack | None = None) -> list[Verdict]:
        """What the resource rules say about one resource.

        With its `stack`, outside ids that judge a resource by its neighbours are named exactly.
        """
        verdicts: list[Verdict] = []
        for rule, check in self._by_type.get(resource.type, ()):
            verdicts += self._run(
                rule, lambda check=check: check(resource, self.context), resource.urn, stack
            )
        return verdicts

    def stack(self, stack: Stack) -> list[Verdict]:
        """What the stack rules say, and the exemptions that are wrong or that nothing needed."""
        return self.joins(stack) + self.exemption_problems(stack)

    def joins(self, stack: Stack) -> list[Verdict]:
        """What the stack rules say."""
        verdicts: list[Verdict] = []
        for rule in self.rules:
            if check := rule.check_stack:
                verdicts += self._run(
                    rule, lambda check=check: check(stack, self.context), "", stack
                )
        return verdicts

    def exemption_problems(self, stack: Stack) -> list[Verdict]:
        """The exemptions that are wrong or that nothing needed; to be asked at the end."""
        verdicts: list[Verdict] = []
        self._find_uses(stack)
        unused = [
            f"{entry.label} is not used: remove it"
            for entry in self._exemptions
            if entry not in self._used
        ]
        for problem in [*self._problems, *unused]:
            message = f"{EXEMPTIONS_RULE.id}: {problem}."
            verdicts.append(
                Verdict(
                    Kind.VIOLATION, EXEMPTIONS_RULE, "", Enforcement.MANDATORY, message, problem
                )
            )
        return verdicts

    def _find_uses(self, stack: Stack) -> None:
        """Marks exemptions that resources need which this run did not judge (`--target`)."""
        idle = {entry.rule for entry in self._exemptions if entry not in self._used}
        for rule in self.rules:
            if rule.id in idle and (check := rule.check_resource):
                for resource in stack.of_type(*rule.types):
                    self._run(
                        rule,
                        lambda check=check, one=resource: check(one, self.context),
                        resource.urn,
                    )

    def _run(
        self,
        rule: Rule,
        check: Callable[[], Iterable[Outcome]],
        urn: str,
        stack: Stack | None = None,
    ) -> list[Verdict]:
        if self.enforcement(rule) is Enforcement.DISABLED:
            return []
        verdicts: list[Verdict] = []
        try:
            told: set[Outcome] = set()
            for outcome in check():
                # Repeated outcomes say nothing new: an action that stands twice in a statement.
                if outcome not in told:
                    told.add(outcome)
                    verdicts += self._verdict(rule, outcome, stack)
        except Exception as error:
            verdicts.append(_crash(rule, urn, error))
        return verdicts

    def _told_at_cause(self, rule: Rule, outcome: Outcome) -> bool:
        """Whether the rule has said the same of the resource at fault; remembers what it says.

        A note there does not silence a violation here: the stack may know more than the inputs did.
        """
        with self._lock:
            cause = outcome.cause
            told = self._told.get((rule.id, cause.urn)) if cause is not None else None
            if told is Violation or (told is not None and told is type(outcome)):
                return True
            key = (rule.id, outcome.resource.urn)
            if self._told.get(key) is not Violation:
                self._told[key] = type(outcome)
            return False

    def _verdict(self, rule: Rule, outcome: Outcome, stack: Stack | None) -> list[Verdict]:
        # The parts of one resource (a bucket and its access block, in aws-native) repeat nothing.
        own = outcome.cause is not None and outcome.cause.urn == outcome.resource.urn
        if self._told_at_cause(rule, outcome) and (own or not self._repeats):
            return []
        urn = outcome.resource.urn
        if isinstance(outcome, Unverified):
            if self.context.phase is not Phase.APPLY:
                with self._lock:
                    self._used.update(
                        entry
                        for entry in self._exemptions
                        if entry.concerns(rule, outcome.resource)
                    )
                unknown = f"{outcome.resource.label}: {outcome.needs}"
                reason = unverified_reason(self.context.phase)
                when = " before apply" if self.context.phase is Phase.PREVIEW else ""
                message = f"{rule.id} could not be verified{when}: {unknown} {reason}."
                found = f"{unknown} {reason}"
                return [
                    Verdict(
                        Kind.NOT_VERIFIED,
                        rule,
                        urn,
                        Enforcement.ADVISORY,
                        message,
                        found,
                        unknown,
                        rule.controls,
                    )
                ]
            found = f"has {outcome.needs} still unknown at apply"
            outcome = Violation(outcome.resource, found, "be known to be verified")
        for exemption in self._exemptions:
            if exemption.matches(rule, outcome):
                with self._lock:
                    self._used.add(exemption)
                finding = (
                    f"{outcome.resource.label} {outcome.found}; exempted until "
                    f"{exemption.expires} by {exemption.owner}: {exemption.reason}"
                )
                message = f"{rule.id}: {finding}"
                return [Verdict(Kind.EXEMPTED, rule, urn, Enforcement.ADVISORY, message, finding)]
        finding = f"{outcome.resource.label} {outcome.found}; it must {outcome.limit}."
        message = f"{rule.id}: {finding} {rule.why} What to do: {rule.remediation}"
        controls = self._controls(rule, outcome, stack)
        level = self.enforcement(rule)
        return [Verdict(Kind.VIOLATION, rule, urn, level, message, finding, controls=controls)]

    def _controls(self, rule: Rule, violation: Violation, stack: Stack | None) -> tuple[str, ...]:
        """The outside ids that are not held: without those that ask for less, and are."""
        resource, context = violation.resource, self.context

        def held(control: str) -> bool:
            if check := rule.exact.get(control):
                return not any(isinstance(one, Violation) for one in check(resource, context))
            joined = rule.exact_joins.get(control)
            if stack is None or joined is None:
                return False
            return resource.urn not in stack.remembered(
                ("exact", rule.id, control), partial(_refused, joined, stack, context)
            )

        return tuple(control for control in rule.controls if not held(control))


def _refused(check: StackCheck, stack: Stack, context: Context) -> frozenset[str]:
    outcomes = check(stack, context)
    return frozenset(one.resource.urn for one in outcomes if isinstance(one, Violation))


def evaluate(
    stack: Stack,
    context: Context | None = None,
    exemptions: object = None,
    rules: Sequence[Rule] = RULES,
) -> list[Verdict]:
    """All verdicts on a stack, without the engine."""
    judge = Judge(context or Context(), exemptions, rules)
    verdicts = [verdict for resource in stack.resources for verdict in judge.resource(resource)]
    return verdicts + judge.stack(stack)


def unverified_reason(phase: Phase) -> str:
    """Why a value is missing, and when it is made up for; the end of a sentence."""
    if phase is Phase.STATE:
        return (
            "is encrypted or not known in this state; export it with --show-secrets to have it "
            "verified"
        )
    return "is known only after apply, and is verified then"


def not_verified_message(rule_ids: Sequence[str], unknown: str) -> str:
    """What rules could not verify at preview, and when it is made up for."""
    reason = unverified_reason(Phase.PREVIEW)
    return f"{', '.join(rule_ids)} could not be verified before apply: {unknown} {reason}."


def crash_message(error: BaseException) -> str:
    """Type and place of an error. Not its text, which may quote a secret property."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _crash(rule: Rule, urn: str, error: Exception) -> Verdict:
    finding = f"the rule itself failed ({crash_message(error)}), so that it could not be verified"
    message = (
        f"{rule.id}: {finding}; the change is refused. What to do: report the defect with this "
        "line."
    )
    return Verdict(
        Kind.VIOLATION,
        replace(rule, severity=Severity.CRITICAL),
        urn,
        Enforcement.MANDATORY,
        message,
        finding,
        controls=rule.controls,
    )
