"""DB parameter groups: what RDS refuses in them, and how a change reaches the servers."""

from collections.abc import Iterable
from typing import Any, ClassVar, cast

from moto.rds.exceptions import InvalidParameterValue, RDSClientError
from moto.rds.models import DBParameterGroup, RDSBackend

from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.node import Node
from localcloud.databases.parameters import FAMILIES, catalogue, default_group, refusal
from localcloud.databases.plane import Plane


class ParameterGroups(RDSBackend):
    """The parameter groups of one region."""

    plane: ClassVar[Plane]

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        for family in FAMILIES:
            name, description = default_group(family), f"Default parameter group for {family}"
            default = DBParameterGroup(self, name, description, family)
            self.db_parameter_groups[name] = cast(DBParameterGroup, default)

    def create_db_parameter_group(self, db_parameter_group_kwargs: Any) -> DBParameterGroup:
        family = db_parameter_group_kwargs.get("db_parameter_group_family")
        if family and family not in FAMILIES:
            raise InvalidParameterValue(
                f"ParameterGroupFamily {family} is not a valid parameter group family; the local "
                f"cloud has {' and '.join(FAMILIES)}."
            )
        return super().create_db_parameter_group(db_parameter_group_kwargs)

    def delete_db_parameter_group(self, db_parameter_group_name: str) -> DBParameterGroup:
        members = self._members(db_parameter_group_name)
        used = [instance.db_instance_identifier for instance in members]
        if used or db_parameter_group_name.startswith("default."):
            raise RDSClientError(
                "InvalidDBParameterGroupState",
                "One or more database instances are still members of this parameter group "
                f"{db_parameter_group_name}, so the group cannot be deleted: {', '.join(used)}",
            )
        return super().delete_db_parameter_group(db_parameter_group_name)

    def modify_db_parameter_group(
        self,
        db_parameter_group_name: str,
        db_parameter_group_parameters: Iterable[dict[str, Any]],
    ) -> DBParameterGroup:
        """Set parameters: dynamic ones reach the servers at once, static ones wait for a reboot."""
        changes = list(db_parameter_group_parameters)
        self._check_modifiable(db_parameter_group_name)
        family = self.db_parameter_groups[db_parameter_group_name].family
        for change in changes:
            refused = refusal(
                str(family),
                change["ParameterName"],
                change.get("ParameterValue"),
                change.get("ApplyMethod"),
            )
            if refused is not None:
                raise RDSClientError(*refused)
            change["ParameterName"] = change["ParameterName"].lower()
        group = super().modify_db_parameter_group(db_parameter_group_name, changes)
        immediate = {c["ParameterName"] for c in changes if c.get("ApplyMethod") == "immediate"}
        self._apply(group, immediate)
        return group

    def reset_db_parameter_group(
        self, name: str, changes: list[dict[str, Any]], everything: bool
    ) -> DBParameterGroup:
        """Give parameters their defaults again (moto lacks the action)."""
        self._check_modifiable(name)
        group = self.db_parameter_groups[name]
        names = {change["ParameterName"].lower() for change in changes}
        if everything:
            names = set(group.parameters)
        immediate = {
            change["ParameterName"].lower()
            for change in changes
            if change.get("ApplyMethod") == "immediate"
        }
        for parameter in names:
            if parameter not in catalogue(str(group.family)):
                raise InvalidParameterValue(f"Could not find parameter with name: {parameter}")
            group.parameters.pop(parameter, None)
        self._apply(group, immediate)
        return group

    def user_parameters(self, instance: LocalDBInstance) -> dict[str, str]:
        """The values the user has set in the instance's parameter group."""
        return self.values_of_group(str(instance.db_parameter_group_name))

    def values_of_group(self, name: str) -> dict[str, str]:
        """The values the user has set in a parameter group."""
        group = self.db_parameter_groups.get(name)
        return _user_values(group) if group is not None else {}

    def known_parameter_group(self, name: str | None) -> str:
        """The group's name if it exists. Raises DBParameterGroupNotFound."""
        if name is None or name not in self.db_parameter_groups:
            raise RDSClientError("DBParameterGroupNotFound", f"DBParameterGroup not found: {name}")
        return name

    def _apply(self, group: DBParameterGroup, immediate: set[str]) -> None:
        wanted = _user_values(group)
        known = catalogue(str(group.family))
        dynamic = {name for name in immediate if not known[name].static}

        def apply(node: Node) -> None:
            for name in dynamic:
                if name in wanted:
                    node.applied[name] = wanted[name]
                else:
                    node.applied.pop(name, None)
            waiting = node.applied != wanted
            try:
                if dynamic:
                    self.plane.reload(node)
            finally:
                node.instance.parameter_apply_status = "pending-reboot" if waiting else "in-sync"

        for instance in self._members(group.name):
            instance.parameter_apply_status = "applying"
            self.plane.in_background(instance, apply)

    def _members(self, group_name: str) -> list[LocalDBInstance]:
        return [
            instance
            for instance in self.databases.values()
            if isinstance(instance, LocalDBInstance)
            and instance.db_parameter_group_name == group_name
        ]

    def _check_modifiable(self, group_name: str) -> None:
        self.known_parameter_group(group_name)
        if group_name.startswith("default."):
            raise RDSClientError(
                "InvalidDBParameterGroupState",
                f"Default parameter group {group_name} cannot be modified.",
            )


def _user_values(group: DBParameterGroup) -> dict[str, str]:
    return {
        name: str(values["ParameterValue"])
        for name, values in group.parameters.items()
        if values.get("ParameterValue") is not None
    }
