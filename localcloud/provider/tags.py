"""Tags: every AWS service has its own form for the same thing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jmespath

from localcloud.provider import shapes
from localcloud.provider.operations import Operation

if TYPE_CHECKING:
    from localcloud.provider.context import Context


@dataclass(frozen=True)
class Tags:
    """How a type's tags are given at creation, changed and read.

    `form` is "list" (Key, Value), "kms" (TagKey, TagValue), "map" or "ec2" (TagSpecifications).
    `tag` and `untag` take the tags in `tag_member` and `untag_member`.
    """

    tag: Operation
    untag: Operation
    form: str = "list"
    create_member: str = "Tags"
    tag_member: str = "Tags"
    untag_member: str = "TagKeys"
    # JMESPath to the tags in the read object, or an operation of its own that lists them.
    read: str = "Tags"
    list_with: Operation | None = None
    # EC2's resource type in TagSpecifications.
    ec2_type: str = ""
    service: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def in_create(self, tags: Mapping[str, str]) -> dict[str, Any]:
        """The create request's part."""
        if not self.create_member:
            return {}
        if self.form == "ec2":
            return {
                "TagSpecifications": [
                    {"ResourceType": self.ec2_type, "Tags": shapes.key_values(tags)}
                ]
            }
        return {self.create_member: self._value(tags)}

    def _value(self, tags: Mapping[str, str]) -> Any:
        if self.form == "map":
            return dict(tags)
        if self.form == "kms":
            return [{"TagKey": key, "TagValue": value} for key, value in sorted(tags.items())]
        return shapes.key_values(tags)

    def apply(self, context: "Context", old: Mapping[str, str], new: Mapping[str, str]) -> None:
        """Changes the tags from old to new."""
        service = self.service or context.service
        removed = sorted(old.keys() - new.keys())
        if removed:
            keys = [{"Key": key} for key in removed] if self.form == "ec2" else removed
            parameters = context.fill(self.untag.parameters) | {self.untag_member: keys}
            context.call(service, self.untag.name, **parameters)
        changed = {key: value for key, value in new.items() if old.get(key) != value}
        if changed:
            parameters = context.fill(self.tag.parameters) | {self.tag_member: self._value(changed)}
            context.call(service, self.tag.name, **parameters)

    def observe(self, context: "Context", found: Mapping[str, Any]) -> dict[str, str] | None:
        """The tags that AWS reports, without AWS's own; None when they cannot be seen."""
        if self.list_with is not None:
            service = self.service or context.service
            response = context.call(
                service, self.list_with.name, **context.fill(self.list_with.parameters)
            )
            raw = jmespath.search(self.list_with.result, response)
        elif self.read:
            raw = jmespath.search(self.read, dict(found))
        else:
            return None
        tags = dict(raw or {}) if isinstance(raw, dict) else shapes.from_key_values(raw or [])
        return {key: value for key, value in tags.items() if not key.startswith("aws:")}
