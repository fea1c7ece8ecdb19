"""ModifyDBInstance: what changes at once, what waits for the maintenance window, what restarts."""

from collections.abc import Callable, Mapping
from typing import Any

from moto.rds.exceptions import InvalidParameterCombination, RDSClientError
from moto.rds.utils import valid_preferred_maintenance_window

from localcloud.databases import backups, roles, standby, upgrade
from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.node import Node
from localcloud.databases.parameters import family_of
from localcloud.databases.plane import Plane
from localcloud.databases.regional import Regional
from localcloud.databases.upgrade import Upgrade
from localcloud.databases.validation import validate_common, validate_references

# Without ApplyImmediately these wait for the maintenance window (AWS, "Schedule modifications
# setting"); input -> name in PendingModifiedValues.
_DEFERRED = {
    "allocated_storage": "AllocatedStorage",
    "ca_certificate_identifier": "CACertificateIdentifier",
    "db_instance_class": "DBInstanceClass",
    "db_port_number": "Port",
    "iops": "Iops",
    "multi_az": "MultiAZ",
    "storage_throughput": "StorageThroughput",
    "storage_type": "StorageType",
}
# Inputs that only change what is shown, and need no work behind.
_ATTRIBUTES = (
    "auto_minor_version_upgrade",
    "backup_retention_period",
    "copy_tags_to_snapshot",
    "db_instance_class",
    "db_parameter_group_name",
    "deletion_protection",
    "license_model",
    "multi_az",
    "preferred_backup_window",
    "preferred_maintenance_window",
    "vpc_security_group_ids",
)
_REFUSED = {
    "db_subnet_group_name": "moving an instance to another DB subnet group",
    "new_db_instance_identifier": "renaming an instance",
    "domain": "Active Directory domains",
    "manage_master_user_password": "changing who manages the master password",
    "rotate_master_user_password": "rotating a managed master password",
}


def modify(backend: Regional, instance: LocalDBInstance, inputs: dict[str, Any]) -> None:
    """Check and make the changes of one ModifyDBInstance call."""
    backend.require(instance, ("available", "incompatible-parameters"))
    wanted = upgrade.requested(backend, instance, inputs)
    if wanted is not None:
        backend.require(instance, ("available",))
    _check(backend, instance, inputs, wanted)
    if wanted is not None:
        inputs.pop("db_parameter_group_name", None)  # The upgrade takes it, and not before.
    if not inputs.get("apply_immediately"):
        _defer(instance, inputs)
        if wanted is not None:
            instance.pending_modified_values["EngineVersion"] = wanted.version
            instance.pending_parameter_group = wanted.parameter_group
            wanted = None
    _apply(backend.plane, instance, inputs, wanted)


def _apply(
    plane: Plane, instance: LocalDBInstance, inputs: Mapping[str, Any], wanted: Upgrade | None
) -> None:
    before = dict(vars(instance))
    _set_attributes(instance, inputs)
    steps = _steps(plane, instance, inputs, before)
    if wanted is not None:
        steps.append(upgrade.begin(plane, instance, wanted))
    password = inputs.get("master_user_password")
    if not steps:
        return

    def work(node: Node) -> None:
        for step in steps:
            step(node)
        for kind in _events(instance, inputs, before):
            instance.record(kind, name=str(instance.db_parameter_group_name))

    status = "resetting-master-credentials" if password and len(steps) == 1 else "modifying"
    status = "upgrading" if wanted is not None else status
    plane.change(instance, status, work)
    if instance.backup_retention_period and not before["_backup_retention_period"]:
        backups.back_up(plane, instance)


def apply_pending(plane: Plane, instance: LocalDBInstance) -> None:
    """Make the changes that waited for the maintenance window."""
    pending = dict(instance.pending_modified_values)
    inputs = {name: pending[shown] for name, shown in _DEFERRED.items() if shown in pending}
    wanted = None
    if version := pending.get("EngineVersion"):
        group, present = instance.pending_parameter_group, str(instance.db_parameter_group_name)
        wanted = Upgrade(version, str(group), present)
        instance.pending_parameter_group = None
    _apply(plane, instance, inputs, wanted)


def _check(
    backend: Regional,
    instance: LocalDBInstance,
    inputs: dict[str, Any],
    wanted: Upgrade | None,
) -> None:
    for name, what in _REFUSED.items():
        present = instance.subnet_group_name if name == "db_subnet_group_name" else None
        if inputs.get(name) not in (None, present):
            raise InvalidParameterCombination(f"{what} is not emulated by the local cloud.")
    kind = inputs.get("storage_type") or instance.storage_type
    validate_common({**inputs, "storage_type": kind})
    family = family_of(wanted.version) if wanted is not None else instance.family
    group = getattr(instance, "db_subnet_group", None)
    if group is not None:
        validate_references(backend, inputs, group.vpc_id, family)
    size = inputs.get("allocated_storage")
    if size is not None and size < instance.allocated_storage:
        raise InvalidParameterCombination(
            f"The storage of a DB instance cannot shrink: it has {instance.allocated_storage} GiB, "
            f"{size} were asked for."
        )
    if inputs.get("master_user_password") and instance.is_replica:
        raise RDSClientError(
            "InvalidDBInstanceState",
            "The master password of a read replica is its source's; change it there.",
        )
    if inputs.get("backup_retention_period") == 0 and instance.replicas:
        raise RDSClientError(
            "InvalidDBInstanceState",
            "Automated backups cannot be disabled while the instance has read replicas.",
        )
    message = valid_preferred_maintenance_window(
        inputs.get("preferred_maintenance_window", instance.preferred_maintenance_window),
        inputs.get("preferred_backup_window", instance.preferred_backup_window),
    )
    if message:
        raise RDSClientError("InvalidParameterValue", message)
    interval = inputs.get("monitoring_interval")
    if interval and not (inputs.get("monitoring_role_arn") or instance.monitoring_role_arn):
        raise InvalidParameterCombination(
            "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other "
            "than 0."
        )


def _defer(instance: LocalDBInstance, inputs: dict[str, Any]) -> None:
    for name, shown in _DEFERRED.items():
        value = inputs.pop(name, None)
        present = instance.port if name == "db_port_number" else getattr(instance, name, None)
        if value is not None and value != present:
            instance.pending_modified_values[shown] = value


def _set_attributes(instance: LocalDBInstance, inputs: Mapping[str, Any]) -> None:
    for name in _ATTRIBUTES:
        if inputs.get(name) is not None:
            setattr(instance, name, inputs[name])
    if inputs.get("db_port_number") is not None:
        instance.port = inputs["db_port_number"]
    instance.keep(inputs)
    if any(
        inputs.get(name) is not None
        for name in ("storage_type", "allocated_storage", "max_allocated_storage", "iops",
                     "storage_throughput")
    ):  # fmt: skip
        instance.update_storage(inputs)
    exports = inputs.get("cloudwatch_logs_export_configuration") or {}
    enabled = set(instance.enabled_cloudwatch_logs_exports)
    enabled -= set(exports.get("DisableLogTypes", ()))
    enabled |= set(exports.get("EnableLogTypes", ()))
    instance.enabled_cloudwatch_logs_exports = sorted(enabled)
    for name, shown in _DEFERRED.items():
        if inputs.get(name) is not None:
            instance.pending_modified_values.pop(shown, None)


def _steps(
    plane: Plane,
    instance: LocalDBInstance,
    inputs: Mapping[str, Any],
    before: Mapping[str, Any],
) -> list[Callable[[Node], None]]:
    """The work behind the changed attributes, in order."""

    def changed(attribute: str) -> bool:
        return getattr(instance, attribute) != before[attribute]

    steps: list[Callable[[Node], None]] = []
    password = inputs.get("master_user_password")
    if password is not None:
        username = str(instance.master_username)
        steps.append(lambda node: roles.set_password(node.server, username, password))
    if changed("vpc_security_group_ids"):
        steps.append(plane.set_security_groups)
    if changed("db_parameter_group_name"):
        # RDS: the new group's values, dynamic ones too, count from the next reboot.
        instance.parameter_apply_status = "pending-reboot"
    if changed("ca_certificate_identifier"):
        steps += [plane.renew_certificate, plane.reload]
    if changed("multi_az"):
        steps.append(lambda node: standby.adapt(plane, node))
    retention, before_retention = (
        instance.backup_retention_period,
        before["_backup_retention_period"],
    )
    if before_retention and not retention:
        steps.append(backups.forget)
    # A replica archives only when it was started to (archive_mode).
    archives = instance.is_replica and bool(retention) != bool(before_retention)
    if changed("db_instance_class") or changed("port") or archives:
        steps += [plane.restart_unchanged, plane.reload_replicas]
    elif changed("_backup_retention_period"):
        steps.append(plane.reload)
    return steps


def _events(
    instance: LocalDBInstance, inputs: Mapping[str, Any], before: Mapping[str, Any]
) -> list[str]:
    """What RDS tells of the changes once they are made."""
    found = ["password"] if inputs.get("master_user_password") is not None else []
    if instance.db_instance_class != before["db_instance_class"]:
        found.append("class-finished")
    if instance.db_parameter_group_name != before["db_parameter_group_name"]:
        found.append("parameter-group")
    if instance.multi_az != before["multi_az"]:
        found.append("multi-az" if instance.multi_az else "single-az")
    if instance.allocated_storage != before["_allocated_storage"]:
        found.append("storage")
    if bool(instance.backup_retention_period) != bool(before["_backup_retention_period"]):
        found.append("backups-enabled" if instance.backup_retention_period else "backups-disabled")
    return found
