"""Answers about what RDS offers: engine versions and orderable instance classes."""

from typing import Any

from localcloud.databases.certificates import CERTIFICATE_AUTHORITIES
from localcloud.databases.instance import ENGINE
from localcloud.databases.instance_classes import all_classes
from localcloud.databases.parameters import family_of

_STORAGE_TYPES = ("gp2", "gp3", "io1", "io2")


def engine_versions(
    versions: tuple[str, ...], engine: str | None, wanted: str | None, family: str | None
) -> list[dict[str, Any]]:
    """The DBEngineVersions of DescribeDBEngineVersions."""
    if engine not in (None, ENGINE):
        return []
    return [
        {
            "Engine": ENGINE,
            "MajorEngineVersion": version.partition(".")[0],
            "EngineVersion": version,
            "DBParameterGroupFamily": family_of(version),
            "DBEngineDescription": "PostgreSQL",
            "DBEngineVersionDescription": f"PostgreSQL {version}",
            "ValidUpgradeTarget": [
                {
                    "Engine": ENGINE,
                    "EngineVersion": later,
                    "Description": f"PostgreSQL {later}",
                    "AutoUpgrade": False,
                    "IsMajorVersionUpgrade": True,
                }
                for later in versions[number:]
            ],
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
        for number, version in enumerate(versions, 1)
        if wanted in (None, version, version.partition(".")[0])
        and family in (None, family_of(version))
    ]


def orderable_options(
    versions: tuple[str, ...],
    region: str,
    engine: str | None,
    wanted: str | None,
    class_name: str | None,
) -> list[dict[str, Any]]:
    """The OrderableDBInstanceOptions: every class with every storage type."""
    if engine != ENGINE:
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
        for version in versions
        if wanted in (None, version, version.partition(".")[0])
        for instance_class in all_classes()
        if class_name in (None, instance_class.name)
        for storage_type in _STORAGE_TYPES
    ]
