"""What every part of the RDS API of one region shares."""

from typing import Any

from moto.rds.exceptions import (
    DBInstanceAlreadyExists,
    DBInstanceNotFoundError,
    InvalidParameterCombination,
    RDSClientError,
)

from localcloud.databases import validation
from localcloud.databases.instance import LocalDBInstance
from localcloud.databases.parameter_groups import ParameterGroups
from localcloud.errors import LocalCloudError


class Regional(ParameterGroups):
    """The instances of one region and their parameter groups."""

    def instance(self, identifier: str) -> LocalDBInstance:
        """The instance of that identifier. Raises DBInstanceNotFound."""
        found = self.databases.get(identifier)
        if not isinstance(found, LocalDBInstance):
            raise DBInstanceNotFoundError(identifier)
        return found

    def instance_anywhere(self, identifier_or_arn: str) -> LocalDBInstance:
        """The instance of an identifier in this region, or of an ARN in its own region.

        Raises DBInstanceNotFound.
        """
        if not identifier_or_arn.startswith("arn:"):
            return self.instance(identifier_or_arn)
        parts = identifier_or_arn.split(":")
        if len(parts) != 7 or parts[2] != "rds" or parts[5] != "db":
            raise RDSClientError(
                "InvalidParameterValue", f"Invalid DB instance ARN: {identifier_or_arn}"
            )
        backend = self.get_backend("rds", parts[3], parts[4])
        found = backend.databases.get(parts[6])
        if not isinstance(found, LocalDBInstance):
            raise DBInstanceNotFoundError(identifier_or_arn)
        return found

    def choose_version(self, requested: str | None) -> str:
        """The engine version that is asked for, whose engine is there afterwards.

        Raises InvalidParameterCombination for one that the local cloud has not or cannot download.
        """
        version = validation.choose_version(requested, self.plane.versions)
        try:
            self.plane.engine_of(version)
        except LocalCloudError as error:
            raise InvalidParameterCombination(str(error)) from error
        return version

    def require(self, instance: LocalDBInstance, statuses: tuple[str, ...]) -> None:
        """Refuse the action in any other status."""
        if instance.status not in statuses:
            raise RDSClientError(
                "InvalidDBInstanceState",
                f"Database instance {instance.db_instance_identifier} is not in "
                f"{' or '.join(statuses)} state: it is {instance.status}.",
            )

    def new_identifier(self, inputs: dict[str, Any]) -> str:
        """The identifier of an instance that is to be made, in lower case also in `inputs`."""
        identifier = str(inputs["db_instance_identifier"]).lower()
        self._validate_db_identifier(identifier)
        if identifier in self.databases:
            raise DBInstanceAlreadyExists
        inputs["db_instance_identifier"] = identifier
        return identifier

    def storage_key(self, key_id: str | None) -> str:
        """ARN of the key that encrypts storage: the given one, or the account's for RDS."""
        if key_id:
            return self._validate_kms_key(key_id)
        return self.default_key

    @property
    def default_key(self) -> str:
        """The AWS managed key for RDS of this region."""
        return f"arn:{self.partition}:kms:{self.region_name}:{self.account_id}:alias/aws/rds"
