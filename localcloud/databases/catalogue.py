"""Answers about what RDS offers: engine versions and orderable instance classes."""

from typing import Any

from localcloud.databases.certificates import CERTIFICATE_AUTHORITIES
from localcloud.databases.engine import MAJOR_VERSION
from localcloud.databases.instance import ENGINE
from localcloud.databases.instance_classes import all_classes
from localcloud.databases.parameters import FAMILY

_STORAGE_TYPES = ("gp2", "gp3", "io1", "io2")


def engine_versions(
    version: str, engine: str | None, wanted: str | None, family: str | None
) -> list[dict[str, Any]]:
    """The DBEngineVersions of DescribeDBEngineVersions: the one engine of the base image."""
    if engine not in (None, ENGINE) or family not in (None, FAMILY):
        return []
    if wanted not in (None, str(MAJOR_VERSION), version):
        return []
    return [
        {
            "Engine": ENGINE,
            "MajorEngineVersion": str(MAJOR_VERSION),
            "EngineVersion": version,
            "DBParameterGroupFamily": FAMILY,
            "DBEngineDescription": "PostgreSQL",
            "DBEngineVersionDescription": f"PostgreSQL {version}",
            "ValidUpgradeTarget": [],
            "ExportableLogTypes": ["postgresql", "upgrade"],
            "SupportsLogExportsToCloudwatchLogs": True,
            "SupportsReadReplica": True,
            "SupportedFeatureNames": [],
            "Status": "available",
            "SupportsParallelQuery": False,
            "SupportsGlobalDatabases": False,
            "SupportsBabelfish": False,
            "SupportsCertificateRotationWithoutRestart": True,
            "SupportedCACertificateIdentifiers": list(CERTIFICATE_AUTHORITIES),
            "SupportsLocalWriteForwarding": False,
        }
    ]


def orderable_options(
    version: str, region: str, engine: str | None, wanted: str | None, class_name: str | None
) -> list[dict[str, Any]]:
    """The OrderableDBInstanceOptions: every class with every storage type."""
    if engine != ENGINE or wanted not in (None, str(MAJOR_VERSION), version):
        return []
    zones = [{"Name": f"{region}{letter}"} for letter in "abc"]
    return [
        {
            "Engine": ENGINE,
            "EngineVersion": version,
            "DBInstanceClass": instance_class.name,
            "LicenseModel": "postgresql-license",
            "AvailabilityZones": zones,
            "MultiAZCapable": True,
            "ReadReplicaCapable": True,
            "Vpc": True,
            "SupportsStorageEncryption": True,
            "StorageType": storage_type,
            "SupportsIops": storage_type in ("gp3", "io1", "io2"),
            "SupportsStorageThroughput": storage_type == "gp3",
            "SupportsEnhancedMonitoring": True,
            "SupportsIAMDatabaseAuthentication": True,
            "SupportsPerformanceInsights": True,
            "MinStorageSize": 100 if storage_type.startswith("io") else 20,
            "MaxStorageSize": 65536,
            "SupportsStorageAutoscaling": True,
            "SupportedNetworkTypes": ["IPV4"],
            "SupportsClusters": False,
        }
        for instance_class in all_classes()
        if class_name in (None, instance_class.name)
        for storage_type in _STORAGE_TYPES
    ]
