"""RDS: parameter groups, subnet groups and instances. Defaults and replacements as in pulumi-aws 7
(the AWS Terraform provider 6: internal/service/rds)."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.aws import Aws
from localcloud.provider.errors import NotFoundError
from localcloud.provider.context import NO_NAMES, Context, Names, call_until_free, keeping, names
from localcloud.provider.resource import Operation, Ready, Resource, Update
from localcloud.provider.sdk_types import Failure
from localcloud.provider.shapes import member_for, to_request
from localcloud.provider.tags import Tags
from localcloud.provider.wire import Unknown

# RDS takes at most 20 parameters a request.
_PARAMETERS_A_REQUEST = 20


def _tags(read: str = "") -> Tags:
    return Tags(
        tag=Operation("AddTagsToResource", {"ResourceName": "$arn"}),
        untag=Operation("RemoveTagsFromResource", {"ResourceName": "$arn"}),
        read=read,
        list_with=None if read else Operation("ListTagsForResource", {"ResourceName": "$arn"}),
    )


class _ParameterGroup(Resource):
    """Parameters are sent in portions; one that is no longer given goes back to its default."""

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "parameters" not in changed:
            return
        old = {p["name"]: _parameter(p) for p in context.old_inputs.get("parameters") or []}
        new = {p["name"]: _parameter(p) for p in context.inputs.get("parameters") or []}
        setting = [item for name, item in new.items() if old.get(name) != item]
        resetting = [
            {k: v for k, v in item.items() if k != "ParameterValue"}
            for name, item in old.items()
            if name not in new
        ]
        for operation, items in (
            ("ModifyDBParameterGroup", setting),
            ("ResetDBParameterGroup", resetting),
        ):
            for start in range(0, len(items), _PARAMETERS_A_REQUEST):
                context.call(
                    "rds",
                    operation,
                    DBParameterGroupName=context.id,
                    Parameters=items[start : start + _PARAMETERS_A_REQUEST],
                )

    def observe(self, context: Context) -> dict[str, Any]:
        values = super().observe(context)
        given = {p["name"]: p for p in context.inputs.get("parameters") or []}
        found: list[dict[str, Any]] = []
        marker: dict[str, str] = {}
        while True:
            answer = context.call(
                "rds", "DescribeDBParameters", DBParameterGroupName=context.id, **marker
            )
            found += answer["Parameters"]
            if not answer.get("Marker"):
                break
            marker = {"Marker": answer["Marker"]}
        values["parameters"] = [
            {
                "name": item["ParameterName"],
                "value": item["ParameterValue"],
                # RDS reports when a change takes effect in other words than it was asked in.
                "applyMethod": given.get(item["ParameterName"], {}).get("applyMethod")
                or item.get("ApplyMethod", "immediate"),
            }
            for item in found
            if "ParameterValue" in item
            and (item.get("Source") == "user" or item["ParameterName"] in given)
        ]
        return values

    def delete(self, context: Context) -> None:
        if not context.inputs.get("skipDestroy"):
            super().delete(context)

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        seen: set[str] = set()
        parameters = inputs.get("parameters")
        for item in parameters if isinstance(parameters, list) else []:
            name = item.get("name") if isinstance(item, dict) else None
            if isinstance(name, str) and name in seen:
                return [Failure("parameters", f"{name} is given twice")]
            if isinstance(name, str):
                seen.add(name)
        return []


def _parameter(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ParameterName": item["name"],
        "ParameterValue": item["value"],
        "ApplyMethod": item.get("applyMethod") or "immediate",
    }


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
        # An instance reports the name of its password-free master secret, never the password.
        request = super().request(aws, self._for_operation(inputs))
        if inputs.get("passwordWo") is not None:
            request["MasterUserPassword"] = inputs["passwordWo"]
        return request

    def _for_operation(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in inputs.items() if k != "replicateSourceDb"}

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        required = names("restoreToPointInTime s3Import snapshotIdentifier replicateSourceDb")
        if not required & inputs.keys():
            for name in ("engine", "username", "allocatedStorage"):
                if inputs.get(name) is None:
                    return [Failure(name, "is required for an instance that is not a copy")]
            passwords = ("password", "passwordWo", "manageMasterUserPassword")
            if not any(inputs.get(name) for name in passwords):
                return [Failure("password", f"one of {', '.join(passwords)} is required")]
        final = inputs.get("finalSnapshotIdentifier")
        skip = inputs.get("skipFinalSnapshot")
        replica = inputs.get("replicateSourceDb")
        if skip is False and final is None and not replica:
            reason = "is required to destroy the instance while skipFinalSnapshot is false"
            return [Failure("finalSnapshotIdentifier", reason)]
        if inputs.get("passwordWo") is not None and inputs.get("passwordWoVersion") is None:
            return [Failure("passwordWoVersion", "is required with passwordWo")]
        identifier = inputs.get("identifier")
        if isinstance(identifier, str) and identifier != identifier.lower():
            return [Failure("identifier", f"{identifier!r} must be in lower case")]
        interval = inputs.get("monitoringInterval")
        if interval not in (None, 0, 1, 5, 10, 15, 30, 60) and not isinstance(interval, Unknown):
            reason = f"{interval} is not one of 0, 1, 5, 10, 15, 30, 60 seconds"
            return [Failure("monitoringInterval", reason)]
        return []

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
            parameters["FinalDBSnapshotIdentifier"] = inputs.get("finalSnapshotIdentifier")
        busy = names("InvalidDBInstanceState")
        call_until_free(context, "rds", "DeleteDBInstance", parameters, busy, 1800)
        context.wait(lambda: self.still_there(context), self.wait_seconds)

    def still_there(self, context: Context) -> str | None:
        try:
            return f"it is {self.read(context).get('DBInstanceStatus')}"
        except NotFoundError:
            return None


RESOURCES: tuple[Resource, ...] = (
    _ParameterGroup(
        kind="aws:rds/parameterGroup:ParameterGroup",
        service="rds",
        create_with=Operation("CreateDBParameterGroup", result="DBParameterGroup"),
        identifier="result.DBParameterGroupName",
        read_with=Operation(
            "DescribeDBParameterGroups", {"DBParameterGroupName": "$id"}, "DBParameterGroups[0]"
        ),
        delete_with=Operation("DeleteDBParameterGroup", {"DBParameterGroupName": "$id"}),
        renames={
            "name": "DBParameterGroupName",
            "family": "DBParameterGroupFamily",
            "arn": "DBParameterGroupArn",
        },
        later=names("parameters"),
        local=names("skipDestroy"),
        replaces=names("name namePrefix family description"),
        defaults={"description": "Managed by Pulumi", "skipDestroy": False},
        autoname="name",
        autoname_limit=255,
        unordered=names("parameters"),
        tags=_tags(),
        not_found=names("DBParameterGroupNotFound DBParameterGroupNotFoundFault"),
        delete_retries=names("InvalidDBParameterGroupState"),
    ),
    Resource(
        kind="aws:rds/subnetGroup:SubnetGroup",
        service="rds",
        create_with=Operation("CreateDBSubnetGroup", result="DBSubnetGroup"),
        identifier="result.DBSubnetGroupName",
        read_with=Operation(
            "DescribeDBSubnetGroups", {"DBSubnetGroupName": "$id"}, "DBSubnetGroups[0]"
        ),
        delete_with=Operation("DeleteDBSubnetGroup", {"DBSubnetGroupName": "$id"}),
        updates=(
            Update(
                "ModifyDBSubnetGroup",
                names("description subnetIds"),
                {"DBSubnetGroupName": "$id"},
            ),
        ),
        renames={
            "name": "DBSubnetGroupName",
            "description": "DBSubnetGroupDescription",
            "arn": "DBSubnetGroupArn",
        },
        replaces=names("name namePrefix"),
        defaults={"description": "Managed by Pulumi"},
        autoname="name",
        autoname_limit=255,
        computed={"subnetIds": "Subnets[].SubnetIdentifier"},
        unordered=names("subnetIds"),
        tags=_tags(),
        not_found=names("DBSubnetGroupNotFoundFault DBSubnetGroupNotFound"),
        delete_retries=names("InvalidDBSubnetGroupStateFault InvalidDBSubnetGroupState"),
    ),
    _Instance(
        kind="aws:rds/instance:Instance",
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
        tags=_tags("TagList"),
        ready=_READY,
        # pulumi-aws waits 40 minutes for a new instance, 80 for a change, 60 for a delete.
        wait_seconds=3600,
        not_found=names("DBInstanceNotFound DBInstanceNotFoundFault"),
    ),
)
