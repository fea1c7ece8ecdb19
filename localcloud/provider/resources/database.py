"""RDS instances. Defaults and replacements as in pulumi-aws 7
(the AWS Terraform provider 6: internal/service/rds)."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.aws import Aws
from localcloud.provider.context import NO_NAMES, Context, Names, call_until_free, keeping, names
from localcloud.provider.errors import NotFoundError, ProviderError
from localcloud.provider.resource import Operation, Ready, Resource
from localcloud.provider.resources.database_groups import rds_tags
from localcloud.provider.sdk_types import Failure
from localcloud.provider.shapes import member_for, to_request

# What CreateDBInstanceReadReplica takes from its source instead of from the request.
_FROM_SOURCE = names(
    "allocatedStorage engine engineVersion username password passwordWo passwordWoVersion dbName "
    "characterSetName timezone manageMasterUserPassword storageEncrypted licenseModel "
    "allowMajorVersionUpgrade replicateSourceDb"
)
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
        copies = names("restoreToPointInTime s3Import snapshotIdentifier replicateSourceDb")
        if not copies & inputs.keys():
            for name in ("engine", "username", "allocatedStorage"):
                if inputs.get(name) is None:
                    found.append(Failure(name, "is required for an instance that is not a copy"))
            passwords = ("password", "passwordWo", "manageMasterUserPassword")
            if not any(inputs.get(name) for name in passwords):
                found.append(Failure("password", f"one of {', '.join(passwords)} is required"))
        if inputs.get("passwordWo") is not None and inputs.get("passwordWoVersion") is None:
            found.append(Failure("passwordWoVersion", "is required with passwordWo"))
        identifier = inputs.get("identifier")
        if isinstance(identifier, str) and identifier != identifier.lower():
            found.append(Failure("identifier", f"{identifier!r} must be in lower case"))
        interval = inputs.get("monitoringInterval")
        if isinstance(interval, int) and interval not in (0, 1, 5, 10, 15, 30, 60):
            reason = f"{interval} is not one of 0, 1, 5, 10, 15, 30, 60 seconds"
            found.append(Failure("monitoringInterval", reason))
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
        source = context.inputs.get("replicateSourceDb")
        operation = "CreateDBInstanceReadReplica" if source else "CreateDBInstance"
        parameters = self.request(context.aws, context.inputs)
        later = NO_NAMES
        if source:
            allowed = context.aws.input_shape("rds", operation).members
            given = self._replica_settings(context)
            parameters = {k: v for k, v in parameters.items() if k in allowed and k in given}
            parameters["SourceDBInstanceIdentifier"] = source
            if ":" in str(source):
                parameters["SourceRegion"] = source.split(":")[3]
            # What the replica request cannot carry is changed once the replica is there.
            later = frozenset(name for member, name in given.items() if member not in allowed)
        tags = context.inputs.get("tags")
        if tags and self.tags:
            parameters |= self.tags.in_create(tags)
        made = context.call("rds", operation, **parameters)["DBInstance"]
        context.id = made.get("DbiResourceId") or context.inputs["identifier"]
        if later:
            with keeping(context):
                self.wait_ready(context, _READY)
                self.apply_updates(context, later)

    def _replica_settings(self, context: Context) -> dict[str, str]:
        # Request member → property, for what a replica does not take from its source.
        shape = context.aws.input_shape("rds", "CreateDBInstance")
        given: dict[str, str] = {}
        for name, value in context.inputs.items():
            member = self.renames.get(name) or member_for(shape, name)
            if (member and name not in _FROM_SOURCE and value not in (None, 0, False, [])) or (
                member and name in _REPLICA_SWITCHES
            ):
                given[member] = name
        return given

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "replicateSourceDb" in changed and not context.inputs.get("replicateSourceDb"):
            context.call("rds", "PromoteReadReplica", **self._key(context))
            self.wait_ready(context, _READY)
        chosen = {k: v for k, v in context.inputs.items() if k in changed & _CHANGEABLE}
        shape = context.aws.input_shape("rds", "ModifyDBInstance")
        parameters = to_request(shape, chosen, {**self.renames, "port": "DBPortNumber"})
        if "passwordWoVersion" in changed and context.inputs.get("passwordWo") is not None:
            parameters["MasterUserPassword"] = context.inputs["passwordWo"]
        if "enabledCloudwatchLogsExports" in changed:
            old = set(context.old_inputs.get("enabledCloudwatchLogsExports") or [])
            new = set(context.inputs.get("enabledCloudwatchLogsExports") or [])
            parameters["CloudwatchLogsExportConfiguration"] = {
                "EnableLogTypes": sorted(new - old),
                "DisableLogTypes": sorted(old - new),
            }
        if not parameters:
            return
        # AWS changes an engine's version and other disruptive things in the maintenance window
        # unless it is asked to do it now; pulumi-aws asks only with applyImmediately.
        parameters["ApplyImmediately"] = bool(context.inputs.get("applyImmediately"))
        context.call("rds", "ModifyDBInstance", **self._key(context), **parameters)

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        values = super().outputs(context, found)
        address = values.get("address")
        if address and values.get("port"):
            values["endpoint"] = f"{address}:{values['port']}"
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
            "passwordWoVersion allowMajorVersionUpgrade"
        ),
        special=names("passwordWo replicateSourceDb"),
        write_only=names("passwordWo"),
        replaces=names(
            "availabilityZone backupTarget characterSetName dbName engine identifierPrefix "
            "kmsKeyId ncharCharacterSetName storageEncrypted timezone username snapshotIdentifier "
            "customIamInstanceProfile identifier"
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
        # In the maintenance window changes are pending; until then AWS reports the old value.
        unobserved=names(
            "password replicateSourceDb kmsKeyId performanceInsightsKmsKeyId "
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
