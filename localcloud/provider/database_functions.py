"""The invokes (data sources) about databases that the program may use."""

from collections.abc import Mapping
from typing import Any

from localcloud.provider.aws import Aws


def get_instance(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """`getInstance`: an instance by its identifier, with the values that pulumi-aws gives."""
    found = aws.call(
        "rds",
        "DescribeDBInstances",
        {"DBInstanceIdentifier": args["dbInstanceIdentifier"]},
        subject=f"getInstance {args['dbInstanceIdentifier']}",
        region=region,
    )["DBInstances"][0]
    endpoint = found.get("Endpoint") or {}
    address, port = endpoint.get("Address", ""), endpoint.get("Port", 0)
    return {
        "id": found["DBInstanceIdentifier"],
        "address": address,
        "allocatedStorage": found["AllocatedStorage"],
        "availabilityZone": found.get("AvailabilityZone", ""),
        "dbClusterIdentifier": found.get("DBClusterIdentifier", ""),
        "dbInstanceArn": found["DBInstanceArn"],
        "dbInstanceClass": found["DBInstanceClass"],
        "dbName": found.get("DBName", ""),
        "dbParameterGroups": [
            group["DBParameterGroupName"] for group in found.get("DBParameterGroups") or []
        ],
        "dbSubnetGroup": (found.get("DBSubnetGroup") or {}).get("DBSubnetGroupName", ""),
        "endpoint": f"{address}:{port}" if address else "",
        "engine": found["Engine"],
        "engineVersion": found["EngineVersion"],
        "kmsKeyId": found.get("KmsKeyId", ""),
        "masterUsername": found["MasterUsername"],
        "multiAz": found["MultiAZ"],
        "port": port,
        "replicateSourceDb": found.get("ReadReplicaSourceDBInstanceIdentifier", ""),
        "resourceId": found["DbiResourceId"],
        "storageEncrypted": found["StorageEncrypted"],
        "storageType": found["StorageType"],
        "vpcSecurityGroups": [
            group["VpcSecurityGroupId"] for group in found.get("VpcSecurityGroups") or []
        ],
    }


def get_subnet_group(aws: Aws, region: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """`getSubnetGroup`: a DB subnet group by name."""
    found = aws.call(
        "rds",
        "DescribeDBSubnetGroups",
        {"DBSubnetGroupName": args["name"]},
        subject=f"getSubnetGroup {args['name']}",
        region=region,
    )["DBSubnetGroups"][0]
    return {
        "id": found["DBSubnetGroupName"],
        "arn": found.get("DBSubnetGroupArn", ""),
        "description": found.get("DBSubnetGroupDescription", ""),
        "status": found.get("SubnetGroupStatus", ""),
        "subnetIds": sorted(subnet["SubnetIdentifier"] for subnet in found["Subnets"]),
        "supportedNetworkTypes": found.get("SupportedNetworkTypes") or [],
        "vpcId": found["VpcId"],
    }
