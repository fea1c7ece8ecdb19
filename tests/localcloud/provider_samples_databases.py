"""Keys, parameter groups and databases: one example of each type, each after what it needs."""

from tests.localcloud.provider_sample import NEW_TAGS, TAGS, Sample

SAMPLES = (
    Sample(
        "key",
        "aws:kms/key:Key",
        lambda _: {
            "description": "database",
            "enableKeyRotation": True,
            "deletionWindowInDays": 7,
            "tags": TAGS,
        },
        lambda _: {"description": "backups", "enableKeyRotation": False, "tags": NEW_TAGS},
        ("UpdateKeyDescription", "DisableKeyRotation", "TagResource", "UntagResource"),
        {"keyUsage": "SIGN_VERIFY"},
    ),
    Sample(
        "alias",
        "aws:kms/alias:Alias",
        lambda made: {"name": "alias/database", "targetKeyId": made["key"]["keyId"]},
        replace={"name": "alias/other"},
    ),
    Sample(
        "parameters",
        "aws:rds/parameterGroup:ParameterGroup",
        lambda _: {
            "family": "postgres17",
            "parameters": [
                {"name": "rds.force_ssl", "value": "1"},
                {"name": "max_connections", "value": "100", "applyMethod": "pending-reboot"},
            ],
            "tags": TAGS,
        },
        lambda _: {
            "parameters": [
                {"name": "rds.force_ssl", "value": "1"},
                {"name": "max_connections", "value": "200", "applyMethod": "pending-reboot"},
            ]
        },
        ("ModifyDBParameterGroup",),
        {"family": "postgres16"},
    ),
    Sample(
        "subnets",
        "aws:rds/subnetGroup:SubnetGroup",
        lambda made: {"name": "db", "subnetIds": [made["subnet-a"].id, made["subnet-b"].id]},
        lambda _: {"description": "private"},
        ("ModifyDBSubnetGroup",),
        {"name": "other"},
        moto_defect="modify_db_subnet_group removes the group",
    ),
    Sample(
        "database",
        "aws:rds/instance:Instance",
        lambda made: {
            "identifier": "orders",
            "engine": "postgres",
            "engineVersion": "17",
            "instanceClass": "db.t4g.micro",
            "allocatedStorage": 20,
            "maxAllocatedStorage": 100,
            "storageType": "gp3",
            "storageEncrypted": True,
            "kmsKeyId": made["key"]["arn"],
            "dbName": "orders",
            "username": "pgadmin",
            "passwordWo": "throwaway-password",
            "passwordWoVersion": 1,
            "parameterGroupName": made["parameters"].id,
            "dbSubnetGroupName": made["subnets"].id,
            "vpcSecurityGroupIds": [made["group"].id],
            "backupRetentionPeriod": 7,
            "backupWindow": "01:00-02:00",
            "maintenanceWindow": "sun:03:00-sun:04:00",
            "enabledCloudwatchLogsExports": ["postgresql"],
            "performanceInsightsEnabled": True,
            "copyTagsToSnapshot": True,
            "skipFinalSnapshot": True,
            "applyImmediately": True,
            "tags": TAGS,
        },
        lambda _: {"backupRetentionPeriod": 35, "tags": NEW_TAGS},
        ("ModifyDBInstance", "AddTagsToResource", "RemoveTagsFromResource"),
        {"engine": "mysql"},
    ),
    Sample(
        "replica",
        "aws:rds/instance:Instance",
        lambda made: {
            "identifier": "orders-replica",
            "replicateSourceDb": made["database"]["identifier"],
            "instanceClass": "db.t4g.micro",
            "skipFinalSnapshot": True,
            "applyImmediately": True,
        },
        lambda _: {"instanceClass": "db.t4g.small"},
        ("ModifyDBInstance",),
        {"identifier": "other"},
    ),
)
