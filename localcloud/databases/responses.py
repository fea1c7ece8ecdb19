"""Actions of the RDS API that moto lacks or answers with less than AWS."""

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.models import DBParameterGroup
from moto.rds.responses import RDSResponse

from localcloud.authorities import Authority
from localcloud.databases import (
    catalogue,
    certificates,
    log_files,
    responses_backups,
    responses_blue_green,
    responses_events,
    responses_exports,
)
from localcloud.databases.parameters import Parameter, is_system_default
from localcloud.databases.parameters import catalogue as parameter_catalogue
from localcloud.databases.responses_backups import backend_of, page

_SOURCE_USER, _SOURCE_SYSTEM, _SOURCE_ENGINE = "user", "system", "engine-default"


def install(rds_authority: Authority) -> None:
    """Add the actions to moto's dispatcher."""

    def describe_certificates(self: RDSResponse) -> ActionResult:
        wanted = self.params.get("CertificateIdentifier")
        found = [
            certificate
            for certificate in certificates.describe(rds_authority, self.region)
            if wanted in (None, certificate["CertificateIdentifier"])
        ]
        return ActionResult(
            {
                "DefaultCertificateForNewLaunches": certificates.CERTIFICATE_AUTHORITIES[0],
                "Certificates": found,
            }
        )

    RDSResponse.describe_certificates = describe_certificates  # type: ignore[attr-defined]
    for action in (
        describe_db_engine_versions,
        describe_db_parameters,
        describe_engine_default_parameters,
        describe_orderable_db_instance_options,
        describe_db_log_files,
        download_db_log_file_portion,
        reset_db_parameter_group,
        reboot_db_instance,
        *responses_backups.ACTIONS,
        *responses_blue_green.ACTIONS,
        *responses_events.ACTIONS,
        *responses_exports.ACTIONS,
    ):
        setattr(RDSResponse, action.__name__, action)


def describe_db_engine_versions(self: RDSResponse) -> ActionResult:
    """DescribeDBEngineVersions: the versions of the local cloud."""
    found = catalogue.engine_versions(
        backend_of(self).plane.versions,
        self.params.get("Engine"),
        self.params.get("EngineVersion"),
        self.params.get("DBParameterGroupFamily"),
    )
    return page(self, "DBEngineVersions", found)


def describe_orderable_db_instance_options(self: RDSResponse) -> ActionResult:
    """DescribeOrderableDBInstanceOptions for the one engine."""
    found = catalogue.orderable_options(
        backend_of(self).plane.versions,
        self.region,
        self.params.get("Engine"),
        self.params.get("EngineVersion"),
        self.params.get("DBInstanceClass"),
    )
    return page(self, "OrderableDBInstanceOptions", found)


def describe_db_parameters(self: RDSResponse) -> ActionResult:
    """DescribeDBParameters: the whole family with the group's own values, or one Source."""
    backend = backend_of(self)
    name = self.params.get("DBParameterGroupName")
    group = backend.db_parameter_groups[backend.known_parameter_group(name)]
    wanted = self.params.get("Source")
    found = [
        _describe(parameter, group) for parameter in parameter_catalogue(str(group.family)).values()
    ]
    chosen = [parameter for parameter in found if wanted in (None, "", parameter["Source"])]
    return page(self, "Parameters", chosen)


def describe_engine_default_parameters(self: RDSResponse) -> ActionResult:
    """DescribeEngineDefaultParameters of a family."""
    family = str(self.params.get("DBParameterGroupFamily"))
    found = [_describe(parameter, None) for parameter in parameter_catalogue(family).values()]
    return ActionResult({"EngineDefaults": {"DBParameterGroupFamily": family, "Parameters": found}})


def reset_db_parameter_group(self: RDSResponse) -> ActionResult:
    """ResetDBParameterGroup: some parameters, or all."""
    backend = backend_of(self)
    name = backend.known_parameter_group(self.params.get("DBParameterGroupName"))
    changes = [change.original_dict() for change in self.params.get("Parameters", [])]
    group = backend.reset_db_parameter_group(
        name, changes, bool(self.params.get("ResetAllParameters"))
    )
    return ActionResult({"DBParameterGroupName": group.name})


def reboot_db_instance(self: RDSResponse) -> ActionResult:
    """RebootDBInstance, with ForceFailover."""
    instance = backend_of(self).reboot_db_instance(
        str(self.params.get("DBInstanceIdentifier")), bool(self.params.get("ForceFailover"))
    )
    return ActionResult({"DBInstance": instance})


def describe_db_log_files(self: RDSResponse) -> ActionResult:
    """DescribeDBLogFiles: the server's real log files."""
    folder = backend_of(self).log_folder(self.params["DBInstanceIdentifier"])
    found = log_files.describe(
        folder, self.params.get("FilenameContains"), self.params.get("FileLastWritten")
    )
    return ActionResult({"DescribeDBLogFiles": found})


def download_db_log_file_portion(self: RDSResponse) -> ActionResult:
    """DownloadDBLogFilePortion."""
    folder = backend_of(self).log_folder(self.params["DBInstanceIdentifier"])
    return ActionResult(
        log_files.portion(
            folder,
            self.params["LogFileName"],
            self.params.get("Marker"),
            self.params.get("NumberOfLines"),
        )
    )


def _describe(parameter: Parameter, group: DBParameterGroup | None) -> dict[str, Any]:
    own = group.parameters.get(parameter.name, {}) if group is not None else {}
    value = own.get("ParameterValue")
    source = _SOURCE_SYSTEM if is_system_default(parameter.name) else _SOURCE_ENGINE
    return {
        "ParameterName": parameter.name,
        "ParameterValue": parameter.default if value is None else value,
        "Description": parameter.description,
        "Source": source if value is None else _SOURCE_USER,
        "ApplyType": "static" if parameter.static else "dynamic",
        "DataType": {"bool": "boolean", "real": "float", "enum": "string"}.get(
            parameter.type, parameter.type
        ),
        "AllowedValues": parameter.allowed_values,
        "IsModifiable": parameter.modifiable,
        "ApplyMethod": own.get("ApplyMethod") or "pending-reboot",
    }
