"""Names that Pulumi knew resources by before: a renamed resource is then kept and not made anew.

To Pulumi another name is another resource: it would delete the old one, with its data, and make a
new one. Whoever renames a resource, or moves it to another component, adds a line here and leaves
it for as long as a stack exists that was last deployed before. A rename in AWS itself (`name=` or
`identifier=`) is another matter: most types are replaced by it, alias or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi


@dataclass(frozen=True)
class Former:
    """What a resource was once: its Pulumi name, and its type where that has changed."""

    name: str
    type: str | None = None

    @property
    def alias(self) -> pulumi.Alias:
        """For Pulumi; the parent is taken to be the same."""
        return (
            pulumi.Alias(name=self.name)
            if self.type is None
            else pulumi.Alias(name=self.name, type_=self.type)
        )


# (type, name today) → what it was. Types are tokens such as `aws:rds/instance:Instance`; components
# (`pgkeep:components:Network`) take their children's names along.
FORMER: Mapping[tuple[str, str], tuple[Former, ...]] = {}


def keep_renamed(
    former: Mapping[tuple[str, str], tuple[Former, ...]] = FORMER,
) -> pulumi.ResourceTransformation:
    """The transformation that adds aliases; for the options of the outermost component."""

    def transform(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult | None:
        found = former.get((args.type_, args.name))
        if found is None:
            return None
        change = pulumi.ResourceOptions(aliases=[one.alias for one in found])
        return pulumi.ResourceTransformationResult(
            args.props, pulumi.ResourceOptions.merge(args.opts, change)
        )

    return transform
