"""A resource type as a table entry: which operations of AWS's API carry it out, and how.

`Resource` is all that a regular type needs. Where AWS's API is irregular, a subclass in
`localcloud.provider.resources` overrides one of the steps (`create`, `observe`, `update`, `delete`)
and leaves the rest to the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import jmespath

from localcloud.provider import sdk_types, shapes
from localcloud.provider.aws import Aws
from localcloud.provider.context import (
    NO_NAMES,
    Context,
    Names,
    call_until_free,
    keeping,
    names,
)
from localcloud.provider.errors import NotFoundError, ProviderError
from localcloud.provider.operations import Operation, Ready, Update
from localcloud.provider.tags import Tags


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource type. Property sets hold pulumi names; see the fields' comments."""

    kind: str
    service: str
    create_with: Operation
    # JMESPath over {"inputs", "result"} that gives the id.
    identifier: str
    read_with: Operation
    delete_with: Operation | None = None
    updates: tuple[Update, ...] = ()
    # Path of a property → request member, where the names differ; dotted to reach inside.
    renames: Mapping[str, str] = field(default_factory=dict[str, str])
    # Properties that creation does not take: an update sends them right after it.
    later: Names = NO_NAMES
    # Properties that only the provider itself uses (forceDestroy, skipFinalSnapshot).
    local: Names = NO_NAMES
    # Properties a subclass carries out itself.
    special: Names = NO_NAMES
    # Properties that a subclass changes in place although creation takes them too.
    in_place: Names = NO_NAMES
    # The update sends the resource as a whole: every property can change in place.
    whole: bool = False
    replaces: Names = NO_NAMES
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    # The property that gets the resource's name and a random suffix when it is not given.
    autoname: str = ""
    autoname_limit: int = 64
    # Output → JMESPath into the read object, and output → text with {region}, {account}, {id}.
    computed: Mapping[str, str] = field(default_factory=dict[str, str])
    formats: Mapping[str, str] = field(default_factory=dict[str, str])
    json_properties: Names = NO_NAMES
    unordered: Names = NO_NAMES
    # Inputs that cannot be seen by reading: they never count as drift.
    unobserved: Names = NO_NAMES
    # Inputs that an import is given although AWS does not report them (pulumi-aws's importers).
    imported: Mapping[str, Any] = field(default_factory=dict[str, Any])
    # Outputs that an update changes.
    moving: Names = NO_NAMES
    # Properties that never land in outputs.
    write_only: Names = NO_NAMES
    not_found: Names = NO_NAMES
    tags: Tags | None = None
    ready: Ready | None = None
    wait_gone: bool = False
    wait_seconds: float = 600.0
    # Error codes of a delete that succeed by themselves once something else has let go.
    delete_retries: Names = NO_NAMES
    delete_before_replace: bool = False

    # Provider-wide properties that no operation takes.
    common: ClassVar[Names] = names("region tags tagsAll timeouts")

    @cached_property
    def supported(self) -> Names:
        """Properties that the local cloud carries out; the rest are refused by name."""
        return self.local | self.special | self.later | self._in_create

    @cached_property
    def _in_create(self) -> Names:
        skipped = self.later | self.local | self.special | self.common
        return frozenset(sdk_types.input_types(self.kind)) - skipped

    def request(self, aws: Aws, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The properties' part of the create request."""
        shape = aws.input_shape(self.service, self.create_with.name)
        chosen = {k: v for k, v in inputs.items() if k in self._in_create}
        return shapes.to_request(shape, chosen, self.renames)

    def plan(self, aws: Aws, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Builds every request that the inputs lead to, so that what cannot be carried out is
        refused before anything is made."""
        requests = [self.request(aws, inputs)]
        for update in self.updates:
            shape = aws.input_shape(self.service, update.operation)
            chosen = {k: v for k, v in inputs.items() if k in update.properties & self.later}
            requests.append(shapes.to_request(shape, chosen, self.renames))
        # Auto Scaling groups have a list of tags that are part of their requests.
        if isinstance(inputs.get("tags"), Mapping) and self.tags is None:
            raise ProviderError(f"{self.kind} takes no tags on AWS")
        return requests

    def check(self, inputs: Mapping[str, Any]) -> list[sdk_types.Failure]:
        """Rules between a type's own properties; none for a regular type."""
        del inputs
        return []

    def check_new(self, inputs: Mapping[str, Any]) -> list[sdk_types.Failure]:
        """Rules that count only when the resource is made; none for a regular type."""
        del inputs
        return []

    def replaced_by(self, inputs: Mapping[str, Any]) -> Names:
        """The properties whose change means another resource."""
        del inputs
        return self.replaces

    # --- the four steps -------------------------------------------------------------------------

    def create(self, context: Context) -> dict[str, Any]:
        """Makes the resource, sets `context.id`, returns its outputs."""
        self.start(context)
        return self.settle(context)

    def start(self, context: Context) -> None:
        """The create request and what creation does not take."""
        parameters = self.request(context.aws, context.inputs)
        parameters |= context.fill(self.create_with.parameters)
        tags = context.inputs.get("tags") or {}
        if tags and self.tags:
            parameters |= self.tags.in_create(tags)
        response = context.call(self.service, self.create_with.name, **parameters)
        result = jmespath.search(self.create_with.result, response)
        context.id = str(
            jmespath.search(self.identifier, {"inputs": context.inputs, "result": result})
        )
        with keeping(context):
            changed = frozenset(k for k in self.later if context.inputs.get(k) is not None)
            self.apply_updates(context, changed)

    def settle(self, context: Context) -> dict[str, Any]:
        """Waits until the resource is ready and reads its outputs."""
        with keeping(context):
            if self.ready is not None:
                self.wait_ready(context, self.ready)
            return self.observe(context)

    def observe(self, context: Context) -> dict[str, Any]:
        """The outputs as AWS reports them; raises NotFoundError when the resource is gone."""
        return self.outputs(context, self.read(context))

    def read(self, context: Context) -> dict[str, Any]:
        """The resource's object in AWS's own form."""
        response = context.call(
            self.service, self.read_with.name, **context.fill(self.read_with.parameters)
        )
        found = jmespath.search(self.read_with.result, response)
        if found in (None, [], {}):
            raise NotFoundError(f"{context.subject} ({context.id}) does not exist")
        return found if isinstance(found, dict) else {"value": found}

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs in the SDK's names and types from an object in AWS's."""
        types = {
            k: v
            for k, v in sdk_types.output_types(self.kind).items()
            if k not in ("tags", "tagsAll")
        }
        values = shapes.from_response(types, found, self.renames)
        for name, expression in self.computed.items():
            value = jmespath.search(expression, dict(found))
            if value is not None:
                values[name] = value
        for name, template in self.formats.items():
            values[name] = context.format(template)
        context.observed = values
        if self.tags is not None:
            observed = self.tags.observe(context, found)
            if observed is not None:
                values["tags"] = observed
        return values

    def update(self, context: Context, changed: Names) -> dict[str, Any]:
        """Carries out the changed properties, returns the outputs."""
        self.apply_updates(context, changed)
        if "tags" in changed and self.tags is not None:
            old = context.old_inputs.get("tags") or {}
            self.tags.apply(context, old, context.inputs.get("tags") or {})
        return self.settle(context)

    def refuse_ignored(self, changed: Names) -> None:
        """Refuses a change that no operation carries out, rather than ignore it."""
        carried = self.in_place | self.later | self.special | self.local | self.common
        for update in self.updates:
            carried |= update.properties
        ignored = sorted(changed - carried)
        if ignored and not self.whole:
            raise ProviderError(
                f"property {ignored[0]} of {self.kind} cannot be changed by the local cloud; "
                "`pulumi up --replace` with the resource's URN makes it anew"
            )

    def apply_updates(self, context: Context, changed: Names) -> None:
        """The table's update operations for the changed properties."""
        for update in self.updates:
            touched = changed & update.properties
            if not touched:
                continue
            shape = context.aws.input_shape(self.service, update.operation)
            groups = [{name} for name in sorted(touched)] if update.each else [update.properties]
            for group in groups:
                chosen = {k: v for k, v in context.inputs.items() if k in group}
                parameters = shapes.to_request(shape, chosen, self.renames)
                parameters |= context.fill(update.parameters)
                context.call(self.service, update.operation, **parameters)

    def delete(self, context: Context) -> None:
        """Removes the resource; one that is gone already is fine."""
        if self.delete_with is None:
            return
        parameters = context.fill(self.delete_with.parameters)
        operation = self.delete_with.name
        call_until_free(
            context, self.service, operation, parameters, retry_codes=self.delete_retries
        )
        if self.wait_gone:
            context.wait(lambda: self.still_there(context), self.wait_seconds)

    def still_there(self, context: Context) -> str | None:
        """None when the resource is gone, else its status."""
        try:
            found = self.read(context)
        except NotFoundError:
            return None
        status = jmespath.search(self.ready.status, found) if self.ready else None
        return f"it is {status or 'still there'}"

    def wait_ready(self, context: Context, ready: Ready) -> None:
        """Waits for the status that lets the program go on."""

        def probe() -> str | None:
            status = str(jmespath.search(ready.status, self.read(context)))
            if status in ready.failed:
                raise ProviderError(f"{context.subject} ({context.id}) failed: it is {status}")
            return None if status in ready.done else f"it is {status}"

        context.wait(probe, self.wait_seconds)
