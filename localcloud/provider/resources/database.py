"""RDS instances. Defaults and replacements as in pulumi-aws 7
(the AWS Terraform provider 6: internal/service/rds)."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.aws import Aws
from localcloud.provider.context import NO_NAMES, Context, Names, call_until_free, keeping, names
from localcloud.provider.errors import NotFoundError, ProviderError
from localcloud.provider.operations import Operation, Ready
from localcloud.provider.resource import Resource
from localcloud.provider.resources.database_blue_green import BYPASSING, BlueGreenUpdate
from localcloud.provider.resources.database_groups import rds_tags
from localcloud.provider.sdk_types import Failure
from localcloud.provider.shapes import member_for, to_request

# What CreateDBInstanceReadReplica takes from its source instead of from the request.
_FROM_SOURCE = names(
    "allocatedStorage engine engineVersion username password passwordWo passwordWoVersion dbName "
    "characterSetName timezone manageMasterUserPassword storageEncrypted licenseModel "
    "allowMajorVersionUpgrade replicateSourceDb"
)
# What a restore finds in the data, or takes from the backup.
_FROM_BACKUP = names(
    "engine engineVersion username passwordWo passwordWoVersion dbName characterSetName timezone "
    "storageEncrypted kmsKeyId licenseModel allowMajorVersionUpgrade"
)
# pulumi-aws: how an instance is made that is not new.
_RESTORE_MEMBERS = {
    "restoreTime": "RestoreTime",
    "sourceDbInstanceAutomatedBackupsArn": "SourceDBInstanceAutomatedBackupsArn",
    "sourceDbInstanceIdentifier": "SourceDBInstanceIdentifier",
    "sourceDbiResourceId": "SourceDbiResourceId",
    "useLatestRestorableTime": "UseLatestRestorableTime",
}
# Switches that are sent even when they are off, because AWS has them on.
_REPLICA_SWITCHES = names(
    "autoMinorVersionUpgrade publiclyAccessible copyTagsToSnapshot deletionProtection"
)
_CHANGEABLE = names(
    "allocatedStorage allowMajorVersionUpgrade autoMinorVersionUpgrade backupRetentionPeriod "
    "backupWindow caCertIdentifier copyTagsToSnapshot dbSubnetGroupName deletionProtection "
    "engineVersion iamDatabaseAuthenticationEnabled instanceClass iops licenseModel "
    "maintenanceWindow manageMasterUserPassword masterUserSecretKmsKeyId maxAllocatedStorage "
    "monitoringInterval monitoringRoleArn multiAz networkType optionGroupName parameterGroupName "
    "password performanceInsightsEnabled performanceInsightsKmsKeyId "
    "performanceInsightsRetentionPeriod port publiclyAccessible storageThroughput storageType "
    "vpcSecurityGroupIds databaseInsightsMode dedicatedLogVolume"
)
_READY = Ready(
    "DBInstanceStatus",
    names("available storage-optimization"),
    names(
        "failed incompatible-network incompatible-option-group incompatible-parameters "
        "incompatible-restore restore-error storage-full deleting"
    ),
)


class _Instance(Resource):
    """A primary, or with `replicateSourceDb` a read replica; `replicateSourceDb` taken away
    promotes the replica."""

    def request(self, aws: Aws, inputs: Mapping[str, Any]) -> dict[str, Any]:
        request = super().request(aws, inputs)
        if inputs.get("passwordWo") is not None:
            request["MasterUserPassword"] = inputs["passwordWo"]
        return request

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        found: list[Failure] = []
        if inputs.get("passwordWo") is not None and inputs.get("passwordWoVersion") is None:
            found.append(Failure("passwordWoVersion", "is required with passwordWo"))
        identifier = inputs.get("identifier")
        if isinstance(identifier, str) and identifier != identifier.lower():
            found.append(Failure("identifier", f"{identifier!r} must be in lower case"))
        found += _origin_failures(inputs)
        interval = inputs.get("monitoringInterval")
        if isinstance(interval, int) and interval not in (0, 1, 5, 10, 15, 30, 60):
            reason = f"{interval} is not one of 0, 1, 5, 10, 15, 30, 60 seconds"
            found.append(Failure("monitoringInterval", reason))
        return found

    def check_new(self, inputs: Mapping[str, Any]) -> list[Failure]:
        found: list[Failure] = []
        copies = names("restoreToPointInTime s3Import snapshotIdentifier replicateSourceDb")
        if not copies & inputs.keys():
            for name in ("engine", "username", "allocatedStorage"):
                if inputs.get(name) is None:
                    found.append(Failure(name, "is required for an instance that is not a copy"))
            passwords = ("password", "passwordWo", "manageMasterUserPassword")
            if not any(inputs.get(name) for name in passwords):
                found.append(Failure("password", f"one of {', '.join(passwords)} is required"))
        return found

    @staticmethod
    def _key(context: Context) -> dict[str, str]:
        # The id is the DbiResourceId, which a rename does not change; the API wants the identifier.
        name = context.inputs.get("identifier") or context.state.get("identifier")
        return {"DBInstanceIdentifier": name or context.id}

    def read(self, context: Context) -> dict[str, Any]:
        found = context.call("rds", "DescribeDBInstances", **self._key(context))["DBInstances"]
        if not found:
            raise NotFoundError(f"{context.subject} ({context.id}) does not exist")
        return found[0]

    def start(self, context: Context) -> None:
        parameters, later = self._creation(context)
        operation = parameters.pop("Operation")
        tags = context.inputs.get("tags")
        if tags and self.tags:
            parameters |= self.tags.in_create(tags)
        made = context.call("rds", operation, **parameters)["DBInstance"]
        context.id = made.get("DbiResourceId") or context.inputs["identifier"]
        if later:
            with keeping(context):
                self.wait_ready(context, _READY)
                self.apply_updates(context, later)

    def _creation(self, context: Context) -> tuple[dict[str, Any], Names]:
        """The request with its `Operation`, and the properties that are changed after it."""
        inputs = context.inputs
        parameters = self.request(context.aws, inputs)
        if source := inputs.get("replicateSourceDb"):
            origin = {"SourceDBInstanceIdentifier": source}
            if ":" in str(source):
                origin["SourceRegion"] = source.split(":")[3]
            return self._copy(context, parameters, "CreateDBInstanceReadReplica", origin)
        if snapshot := inputs.get("snapshotIdentifier"):
            origin = {"DBSnapshotIdentifier": snapshot}
            return self._copy(context, parameters, "RestoreDBInstanceFromDBSnapshot", origin)
        if restore := inputs.get("restoreToPointInTime"):
            origin = {
                member: restore[name]
                for name, member in _RESTORE_MEMBERS.items()
                if restore.get(name) not in (None, "", False)
            }
            origin["TargetDBInstanceIdentifier"] = inputs["identifier"]
            return self._copy(context, parameters, "RestoreDBInstanceToPointInTime", origin)
        return {"Operation": "CreateDBInstance", **parameters}, NO_NAMES

    def _copy(
        self,
        context: Context,
        parameters: Mapping[str, Any],
        operation: str,
        origin: Mapping[str, Any],
    ) -> tuple[dict[str, Any], Names]:
        replica = operation == "CreateDBInstanceReadReplica"
        allowed = context.aws.input_shape("rds", operation).members
        given = self._own_settings(context, _FROM_SOURCE if replica else _FROM_BACKUP)
        if not replica:
            # A restore inherits more than a replica: what is given as zero or off counts too.
            given |= {
                member: name
                for member, name in self._members(context).items()
                if name not in _FROM_BACKUP and member in allowed
            }
        chosen = {k: v for k, v in parameters.items() if k in allowed and k in given}
        # What the request cannot carry is changed once the instance is there.
        later = {name for member, name in given.items() if member not in allowed}
        if not replica and context.inputs.get("passwordWo") is not None:
            later.add("passwordWoVersion")
        return {"Operation": operation, **chosen, **origin}, frozenset(later)

    def _members(self, context: Context) -> dict[str, str]:
        """Request member → property, for what is given."""
        shape = context.aws.input_shape("rds", "CreateDBInstance")
        found = {
            self.renames.get(name) or member_for(shape, name): name
            for name, value in context.inputs.items()
            if value is not None
        }
        return {member: name for member, name in found.items() if member}

    def _own_settings(self, context: Context, not_taken: Names) -> dict[str, str]:
        """Request member → property, for what is more than a default."""
        return {
            member: name
            for member, name in self._members(context).items()
            if (name not in not_taken and context.inputs[name] not in (0, False, []))
            or name in _REPLICA_SWITCHES
        }

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "replicateSourceDb" in changed and context.old_inputs:
            self._promote(context)
        chosen = {k: v for k, v in context.inputs.items() if k in changed & _CHANGEABLE}
        shape = context.aws.input_shape("rds", "ModifyDBInstance")
        parameters = to_request(shape, chosen, {**self.renames, "port": "DBPortNumber"})
        if "passwordWoVersion" in changed and context.inputs.get("passwordWo") is not None:
            parameters["MasterUserPassword"] = context.inputs["passwordWo"]
        if "engineVersion" in changed and context.old_inputs:
            # pulumi-aws says with the version whether it may be a major one.
            allowed = bool(context.inputs.get("allowMajorVersionUpgrade"))
            parameters["AllowMajorVersionUpgrade"] = allowed
        if "enabledCloudwatchLogsExports" in changed:
            old = set(context.old_inputs.get("enabledCloudwatchLogsExports") or [])
            new = set(context.inputs.get("enabledCloudwatchLogsExports") or [])
            parameters["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(new - old),
                "DisableLogTypes": sorted(old - new),
            }
        if not parameters:
            return
        blue_green = context.inputs.get("blueGreenUpdate") or {}
        if context.old_inputs and blue_green.get("enabled") and changed - BYPASSING:
            # pulumi-aws says it each time, so that green has it as blue has.
            protection = bool(context.inputs.get("deletionProtection"))
            parameters["DeletionProtection"] = protection
            update = BlueGreenUpdate(context, lambda name: self._wait_available(context, name))
            update.run(changed, parameters)
            return
        # AWS changes an engine's version and other disruptive things in the maintenance window
        # unless it is asked to do it now; pulumi-aws asks only with applyImmediately.
        # What a creation could not carry belongs to it, and does not wait.
        created = not context.old_inputs
        parameters["ApplyImmediately"] = created or bool(context.inputs.get("applyImmediately"))
        context.call("rds", "ModifyDBInstance", **self._key(context), **parameters)
        if "EngineVersion" in parameters and parameters["ApplyImmediately"] and not created:
            self._wait_upgraded(context, str(parameters["EngineVersion"]))

    def _wait_upgraded(self, context: Context, wanted: str) -> None:
        """An upgrade that RDS gave up leaves the version of before.

        pulumi-aws finds out when it deletes the old parameter group, and at the next run.
        """
        self.wait_ready(context, _READY)
        found = str(self.read(context)["EngineVersion"])
        if found != wanted and not found.startswith(f"{wanted}."):
            raise ProviderError(
                f"{context.subject} stays at engine version {found}: RDS gave up the upgrade to "
                f"{wanted}; the log file upgrade/pg_upgrade_precheck.log says why, mend that and "
                "run `pulumi up` again"
            )

    @staticmethod
    def _wait_available(context: Context, identifier: str) -> None:
        def probe() -> str | None:
            found = context.call("rds", "DescribeDBInstances", DBInstanceIdentifier=identifier)
            status = found["DBInstances"][0]["DBInstanceStatus"]
            if status in _READY.failed:
                raise ProviderError(f"{context.subject}: {identifier} is {status}")
            return None if status in _READY.done else f"{identifier} is {status}"

        context.wait(probe, 3600)

    def _promote(self, context: Context) -> None:
        inputs = context.inputs
        if inputs.get("replicateSourceDb"):
            raise ProviderError(
                f"{context.subject} cannot follow another source: replicateSourceDb may only be "
                "taken away, which promotes the replica"
            )
        given = {
            "BackupRetentionPeriod": inputs.get("backupRetentionPeriod"),
            "PreferredBackupWindow": inputs.get("backupWindow"),
        }
        chosen = {member: value for member, value in given.items() if value is not None}
        context.call("rds", "PromoteReadReplica", **self._key(context), **chosen)
        self.wait_ready(context, _READY)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        address = values.get("address")
        if address and values.get("port"):
            values["endpoint"] = f"{address}:{values['port']}"
        # An import names the instance; its id is what no rename changes.
        context.id = found.get("DbiResourceId") or context.id
        values["engineVersionActual"] = found.get("EngineVersion")
        asked = context.inputs.get("engineVersion")
        if isinstance(asked, str) and str(found.get("EngineVersion")).startswith(asked + "."):
            values["engineVersion"] = asked  # A major version follows its minor versions.
        values["vpcSecurityGroupIds"] = [
            group["VpcSecurityGroupId"] for group in found.get("VpcSecurityGroups") or []
        ]
        return values

    def delete(self, context: Context) -> None:
        inputs = context.inputs
        parameters: dict[str, Any] = {
            **self._key(context),
            "DeleteAutomatedBackups": inputs.get("deleteAutomatedBackups", True),
            "SkipFinalSnapshot": bool(inputs.get("skipFinalSnapshot")),
        }
        if inputs.get("replicateSourceDb"):
            parameters["SkipFinalSnapshot"] = True  # A replica has no snapshots of its own.
        elif not parameters["SkipFinalSnapshot"]:
            if not inputs.get("finalSnapshotIdentifier"):
                raise ProviderError(
                    f"DeleteDBInstance refused {context.subject}: skipFinalSnapshot is false and "
                    "finalSnapshotIdentifier is not set; set one of them and run `pulumi up` first"
                )
            parameters["FinalDBSnapshotIdentifier"] = inputs.get("finalSnapshotIdentifier")
        busy = names("InvalidDBInstanceState")
        call_until_free(context, "rds", "DeleteDBInstance", parameters, retry_codes=busy)
        context.wait(lambda: self.still_there(context), self.wait_seconds)

    def still_there(self, context: Context) -> str | None:
        try:
            return f"it is {self.read(context).get('DBInstanceStatus')}"
        except NotFoundError:
            return None


def _origin_failures(inputs: Mapping[str, Any]) -> list[Failure]:
    """What is wrong with the way the instance is to come to be."""
    found: list[Failure] = []
    ways = ("replicateSourceDb", "restoreToPointInTime", "s3Import", "snapshotIdentifier")
    given = [name for name in ways if inputs.get(name)]
    if len(given) > 1:
        found.append(Failure(given[0], f"cannot be given together with {given[1]}"))
    restore = inputs.get("restoreToPointInTime")
    if isinstance(restore, Mapping):
        # One of these is the source; a name that is not known yet counts as given.
        sources = [
            name for name in _RESTORE_MEMBERS if name.startswith("source") and restore.get(name)
        ]
        if len(sources) != 1:
            reason = f"one source is needed, {', '.join(sources) or 'none'} given"
            found.append(Failure("restoreToPointInTime", reason))
        if bool(restore.get("restoreTime")) == bool(restore.get("useLatestRestorableTime")):
            reason = "one of restoreTime and useLatestRestorableTime is needed"
            found.append(Failure("restoreToPointInTime", reason))
    return found


RESOURCES: tuple[Resource, ...] = (
    _Instance(
        kind="aws:rds/instance:Instance",
        in_place=_CHANGEABLE | names("enabledCloudwatchLogsExports"),
        service="rds",
        create_with=Operation("CreateDBInstance", result="DBInstance"),
        identifier="result.DbiResourceId",
        read_with=Operation("DescribeDBInstances"),
        renames={
            "identifier": "DBInstanceIdentifier",
            "arn": "DBInstanceArn",
            "instanceClass": "DBInstanceClass",
            "username": "MasterUsername",
            "password": "MasterUserPassword",
            "backupWindow": "PreferredBackupWindow",
            "maintenanceWindow": "PreferredMaintenanceWindow",
            "parameterGroupName": "DBParameterGroupName",
            "dbSubnetGroupName": "DBSubnetGroupName",
            "multiAz": "MultiAZ",
            "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication",
            "performanceInsightsEnabled": "EnablePerformanceInsights",
            "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
            "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports",
            "caCertIdentifier": "CACertificateIdentifier",
            "customerOwnedIpEnabled": "EnableCustomerOwnedIp",
            "domainFqdn": "DomainFqdn",
            "address": "Endpoint.Address",
            "endpoint": "Endpoint.None",
            "hostedZoneId": "Endpoint.HostedZoneId",
            "status": "DBInstanceStatus",
            "resourceId": "DbiResourceId",
            "replicas": "ReadReplicaDBInstanceIdentifiers",
            "listenerEndpoints": "ListenerEndpoint",
            "masterUserSecrets": "MasterUserSecret",
        },
        computed={
            "port": "Endpoint.Port",
            "dbSubnetGroupName": "DBSubnetGroup.DBSubnetGroupName",
            "parameterGroupName": "DBParameterGroups[0].DBParameterGroupName",
            "optionGroupName": "OptionGroupMemberships[0].OptionGroupName",
            "enabledCloudwatchLogsExports": "EnabledCloudwatchLogsExports",
            "iamDatabaseAuthenticationEnabled": "IAMDatabaseAuthenticationEnabled",
            "performanceInsightsEnabled": "PerformanceInsightsEnabled",
        },
        local=names(
            "applyImmediately deleteAutomatedBackups finalSnapshotIdentifier skipFinalSnapshot "
            "passwordWoVersion allowMajorVersionUpgrade blueGreenUpdate"
        ),
        special=names("passwordWo replicateSourceDb restoreToPointInTime snapshotIdentifier"),
        write_only=names("passwordWo"),
        replaces=names(
            "availabilityZone backupTarget characterSetName dbName engine identifierPrefix "
            "kmsKeyId ncharCharacterSetName storageEncrypted timezone username snapshotIdentifier "
            "customIamInstanceProfile identifier restoreToPointInTime"
        ),
        defaults={
            "autoMinorVersionUpgrade": True,
            "copyTagsToSnapshot": False,
            "dedicatedLogVolume": False,
            "deleteAutomatedBackups": True,
            "monitoringInterval": 0,
            "publiclyAccessible": False,
            "skipFinalSnapshot": False,
        },
        autoname="identifier",
        autoname_limit=63,
        unordered=names("enabledCloudwatchLogsExports vpcSecurityGroupIds"),
        imported={"deleteAutomatedBackups": True, "skipFinalSnapshot": True},
        # In the maintenance window changes are pending; until then AWS reports the old value.
        unobserved=names(
            "password replicateSourceDb restoreToPointInTime snapshotIdentifier kmsKeyId "
            "performanceInsightsKmsKeyId "
            "masterUserSecretKmsKeyId iops storageThroughput"
        ),
        moving=names("latestRestorableTime"),
        tags=rds_tags("TagList"),
        ready=_READY,
        # pulumi-aws waits 40 minutes for a new instance, 80 for a change, 60 for a delete.
        wait_seconds=3600,
        not_found=names("DBInstanceNotFound DBInstanceNotFoundFault"),
    ),
)
