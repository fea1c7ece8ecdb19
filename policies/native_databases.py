"""Databases of aws-native in the provider aws (see `native_types.py`)."""

from __future__ import annotations

from typing import Final

from .native import Companion, Fields, Translation

# The Cloud Control API has no word for it; AWS's handler asks CloudFormation's DeletionPolicy.
_SNAPSHOT: Final = {"skipFinalSnapshot": False, "finalSnapshotIdentifier": "(cannot be said)"}
_NO_SNAPSHOT: Final = "cannot say whether its deletion leaves a snapshot: use the provider aws"
_ORIGIN: Final = "sourceRegion useLatestRestorableTime"
_AUTHENTICATION: Final = (
    "enableIamDatabaseAuthentication>iamDatabaseAuthenticationEnabled "
    "enableCloudwatchLogsExports>enabledCloudwatchLogsExports"
)


def _copied_backups(_value: object, fields: Fields) -> list[dict[str, object]]:
    key = fields.get("automaticBackupReplicationKmsKeyId")
    return [{} if key is None else {"kmsKeyId": key}]


_CLUSTER_INSTANCE: Final = Translation(
    "aws:rds/clusterInstance:ClusterInstance",
    "autoMinorVersionUpgrade availabilityZone caCertificateIdentifier>caCertIdentifier "
    "copyTagsToSnapshot customIamInstanceProfile dbClusterIdentifier>clusterIdentifier "
    "dbInstanceClass>instanceClass dbInstanceIdentifier>identifier "
    "dbParameterGroupName dbSubnetGroupName enablePerformanceInsights>performanceInsightsEnabled "
    "engine engineVersion monitoringInterval monitoringRoleArn performanceInsightsKmsKeyId "
    "performanceInsightsRetentionPeriod preferredBackupWindow preferredMaintenanceWindow "
    "promotionTier publiclyAccessible tags>tags:tags",
    # The cluster has these for all of its instances.
    ignored="allocatedStorage allowMajorVersionUpgrade applyImmediately backupRetentionPeriod "
    "dbName deleteAutomatedBackups deletionProtection enableCloudwatchLogsExports "
    "enableIamDatabaseAuthentication engineLifecycleSupport iops kmsKeyId licenseModel "
    "masterUsername maxAllocatedStorage multiAz networkType optionGroupName port "
    f"storageEncrypted storageThroughput storageType vpcSecurityGroups {_ORIGIN}",
    attributes="dbInstanceArn>arn",
)
DATABASES: Final[dict[str, Translation]] = {
    "aws-native:rds:DbInstance": Translation(
        "aws:rds/instance:Instance",
        "allocatedStorage allowMajorVersionUpgrade applyImmediately autoMinorVersionUpgrade "
        "availabilityZone backupRetentionPeriod backupTarget "
        "caCertificateIdentifier>caCertIdentifier characterSetName copyTagsToSnapshot "
        "customIamInstanceProfile databaseInsightsMode dbInstanceClass>instanceClass "
        "dbInstanceIdentifier>identifier dbName dbParameterGroupName>parameterGroupName "
        "dbSnapshotIdentifier>snapshotIdentifier dbSubnetGroupName dedicatedLogVolume "
        "deleteAutomatedBackups deletionProtection domain domainAuthSecretArn domainDnsIps "
        "domainFqdn domainIamRoleName domainOu "
        "enablePerformanceInsights>performanceInsightsEnabled engine engineLifecycleSupport "
        "engineVersion iops kmsKeyId licenseModel manageMasterUserPassword "
        "masterUserPassword>password masterUserSecret>masterUserSecretKmsKeyId:key "
        "masterUsername>username maxAllocatedStorage monitoringInterval monitoringRoleArn multiAz "
        "networkType optionGroupName performanceInsightsKmsKeyId "
        "performanceInsightsRetentionPeriod port preferredBackupWindow>backupWindow "
        "preferredMaintenanceWindow>maintenanceWindow publiclyAccessible replicaMode "
        "sourceDbInstanceIdentifier>replicateSourceDb storageEncrypted storageThroughput "
        "storageType tags>tags:tags timezone vpcSecurityGroups>vpcSecurityGroupIds "
        f"{_AUTHENTICATION}",
        ignored="automaticBackupReplicationKmsKeyId automaticBackupReplicationRetentionPeriod "
        "certificateRotationRestart dbSystemId ncharCharacterSetName processorFeatures "
        "promotionTier restoreTime sourceDbInstanceAutomatedBackupsArn sourceDbiResourceId "
        f"useDefaultProcessorFeatures {_ORIGIN}",
        attributes="dbInstanceArn>arn",
        fixed=_SNAPSHOT,
        unsaid=_NO_SNAPSHOT,
        unless="dbClusterIdentifier",
        otherwise=_CLUSTER_INSTANCE,
        companions=(
            Companion(
                "aws:rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication",
                "automaticBackupReplicationRegion",
                _copied_backups,
                ("sourceDbInstanceArn", "arn"),
            ),
        ),
    ),
    "aws-native:rds:DbCluster": Translation(
        "aws:rds/cluster:Cluster",
        "allocatedStorage availabilityZones backtrackWindow backupRetentionPeriod "
        "clusterScalabilityType copyTagsToSnapshot databaseInsightsMode databaseName "
        "dbClusterIdentifier>clusterIdentifier dbClusterInstanceClass dbClusterParameterGroupName "
        "dbInstanceParameterGroupName dbSubnetGroupName dbSystemId deleteAutomatedBackups "
        "deletionProtection domain domainIamRoleName enableGlobalWriteForwarding "
        "enableHttpEndpoint enableLocalWriteForwarding engine engineLifecycleSupport engineMode "
        "engineVersion globalClusterIdentifier iops kmsKeyId manageMasterUserPassword "
        "masterUserPassword>masterPassword masterUserSecret>masterUserSecretKmsKeyId:key "
        "masterUsername monitoringInterval monitoringRoleArn networkType "
        "performanceInsightsEnabled performanceInsightsKmsKeyId "
        "performanceInsightsRetentionPeriod port preferredBackupWindow preferredMaintenanceWindow "
        "replicationSourceIdentifier scalingConfiguration "
        "serverlessV2ScalingConfiguration>serverlessv2ScalingConfiguration snapshotIdentifier "
        "storageEncrypted storageType tags>tags:tags vpcSecurityGroupIds "
        f"{_AUTHENTICATION}",
        ignored="autoMinorVersionUpgrade restoreToTime restoreType sourceDbClusterIdentifier "
        f"sourceDbClusterResourceId {_ORIGIN}",
        attributes="dbClusterArn>arn",
        fixed=_SNAPSHOT,
        unsaid=_NO_SNAPSHOT,
    ),
    "aws-native:rds:DbParameterGroup": Translation(
        "aws:rds/parameterGroup:ParameterGroup",
        "dbParameterGroupName>name description family parameters>parameters:parameters "
        "tags>tags:tags",
    ),
    "aws-native:rds:DbClusterParameterGroup": Translation(
        "aws:rds/clusterParameterGroup:ClusterParameterGroup",
        "dbClusterParameterGroupName>name description family parameters>parameters:parameters "
        "tags>tags:tags",
    ),
    "aws-native:rds:DbSubnetGroup": Translation(
        "aws:rds/subnetGroup:SubnetGroup",
        "dbSubnetGroupDescription>description dbSubnetGroupName>name subnetIds tags>tags:tags",
    ),
    "aws-native:rds:EventSubscription": Translation(
        "aws:rds/eventSubscription:EventSubscription",
        "enabled eventCategories snsTopicArn>snsTopic sourceIds sourceType subscriptionName>name "
        "tags>tags:tags",
    ),
    "aws-native:rds:GlobalCluster": Translation(
        "aws:rds/globalCluster:GlobalCluster",
        "deletionProtection engine engineLifecycleSupport engineVersion globalClusterIdentifier "
        "sourceDbClusterIdentifier storageEncrypted tags>tags:tags",
    ),
    "aws-native:rds:DbProxy": Translation(
        "aws:rds/proxy:Proxy",
        "auth>auths dbProxyName>name debugLogging defaultAuthScheme endpointNetworkType "
        "engineFamily idleClientTimeout requireTls roleArn tags>tags:tags "
        "targetConnectionNetworkType vpcSecurityGroupIds vpcSubnetIds",
        attributes="dbProxyArn>arn",
    ),
    "aws-native:rds:DbProxyEndpoint": Translation(
        "aws:rds/proxyEndpoint:ProxyEndpoint",
        "dbProxyEndpointName dbProxyName tags>tags:tags targetRole vpcSecurityGroupIds "
        "vpcSubnetIds",
        ignored="endpointNetworkType",
        attributes="dbProxyEndpointArn>arn",
    ),
    "aws-native:rds:DbProxyTargetGroup": Translation(
        "aws:rds/proxyDefaultTargetGroup:ProxyDefaultTargetGroup",
        "dbProxyName",
        ignored="connectionPoolConfigurationInfo dbClusterIdentifiers dbInstanceIdentifiers tags "
        "targetGroupName",
    ),
}
