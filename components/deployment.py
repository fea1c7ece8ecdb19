"""Where a stack is deployed: account, partition, region and zones, with names and tags for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pulumi
import pulumi_aws as aws

from stacks.governance_settings import OWN_TAG_PREFIX
from stacks.settings import Settings

# Of the service principals that are the same in every partition.
_UNIVERSAL_SUFFIX = "amazonaws.com"
_COMMERCIAL_PARTITION = "aws"


@dataclass(frozen=True)
class Deployment:
    """The settings together with what AWS says about the place they are deployed to."""

    settings: Settings
    account_id: str
    partition: str
    dns_suffix: str
    """Of the partition's service names: `amazonaws.com`, or `amazonaws.com.cn` in China."""
    region: str
    zones: tuple[str, ...]
    other_region: str | None = None
    """Argument `region` of resources outside the stack's own region."""

    def in_region(self, region: str) -> Deployment:
        """The same stack's names, tags and ARNs in another region, whose zones are not known."""
        return replace(self, region=region, other_region=region, zones=())

    @classmethod
    def discover(cls, settings: Settings) -> Deployment:
        """Ask AWS for account, partition, region and as many zones as the settings want.

        Raises:
            pulumi.RunError: when AWS does not answer, or the region has fewer zones.
        """
        try:
            return cls._ask(settings)
        except pulumi.RunError:
            raise
        except Exception as error:
            # The SDK raises a bare Exception when an invoke fails; its text says what AWS said.
            raise pulumi.RunError(str(error)) from None

    @classmethod
    def _ask(cls, settings: Settings) -> Deployment:
        region = aws.get_region().region
        # Local zones and wavelength zones need an opt-in and have no RDS.
        available = aws.get_availability_zones(
            state="available",
            filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
        )
        zones = _choose_zones(
            settings, region, dict(zip(available.names, available.zone_ids, strict=True))
        )
        partition = aws.get_partition()
        _check_partition(settings, partition.partition)
        return cls(
            settings=settings,
            account_id=aws.get_caller_identity().account_id,
            partition=partition.partition,
            dns_suffix=partition.dns_suffix,
            region=region,
            zones=zones,
        )

    def name(self, *parts: str) -> str:
        """A name in AWS: `pgkeep-prod-backup`."""
        return "-".join((self.settings.prefix, *parts))

    def tags(self, name: str) -> dict[str, str]:
        """Tags of a resource, with `name` as its display name."""
        tags = self.settings.tags
        own = {
            "owner": tags.owner,
            "data-classification": tags.data_classification,
            "cost-centre": tags.cost_centre,
            "environment": self.settings.environment,
            "stack": self.settings.prefix,
        }
        return {
            "Name": name,
            **{f"{OWN_TAG_PREFIX}{key}": value for key, value in own.items() if value is not None},
            **tags.extra,
        }

    def service_principal(self, service: str) -> str:
        """The service as IAM knows it: `lambda.amazonaws.com`.

        Most services have one name in every partition; EC2 and CloudWatch Logs have the
        partition's own, and CloudWatch Logs one a region.
        AWS CloudWatch Logs user guide: encrypt log data; AWS China: IAM roles for EC2.
        """
        if service == "logs":
            return f"logs.{self.region}.{self.dns_suffix}"
        return f"{service}.{self.dns_suffix if service == 'ec2' else _UNIVERSAL_SUFFIX}"

    def via(self, service: str) -> dict[str, dict[str, str]]:
        """A condition: the key is used only through this service of this region."""
        name = f"{service}.{self.region}.{self.dns_suffix}"
        return {"StringEquals": {"kms:ViaService": name}}

    def global_arn(self, service: str, resource: str) -> str:
        """An ARN without region and account, as S3 buckets and AWS's own policies have."""
        account = "aws" if service == "iam" else ""
        return f"arn:{self.partition}:{service}::{account}:{resource}"

    @property
    def permissions_boundary(self) -> str | None:
        """ARN of the policy that bounds every role."""
        boundary = self.settings.permissions_boundary
        if boundary is None or boundary.startswith("arn:"):
            return boundary
        return f"arn:{self.partition}:iam::{self.account_id}:policy/{boundary}"

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region, known before the resource exists."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    @property
    def account_root(self) -> str:
        """The account as a principal."""
        return self.root_of(self.account_id)

    def root_of(self, account_id: str) -> str:
        """Another account of the partition as a principal."""
        return f"arn:{self.partition}:iam::{account_id}:root"

    @property
    def protected(self) -> bool:
        """Whether Pulumi must refuse to delete what holds or unlocks data."""
        return self.settings.database.deletion_protection


def _check_partition(settings: Settings, partition: str) -> None:
    """Refuses what another partition than the settings' authors thought of does not have.

    Raises:
        pulumi.RunError: for an image that nobody has named, or a boundary of another partition.
    """
    if partition != _COMMERCIAL_PARTITION and settings.pooler.image_id is None:
        raise pulumi.RunError(
            f"pooler.image_id: null refused, required in partition {partition}: only in the "
            "commercial partition is the account known that publishes Debian's images. "
            "Set it to an image of Debian 13."
        )
    boundary = settings.permissions_boundary or ""
    if boundary.startswith("arn:") and boundary.split(":")[1] != partition:
        raise pulumi.RunError(
            f"permissions_boundary: {boundary!r} refused, must be of partition {partition}: "
            "IAM cannot see policies of another one. Give the policy's name alone."
        )


def _choose_zones(settings: Settings, region: str, available: dict[str, str]) -> tuple[str, ...]:
    """Names of the zones to use, out of those available (name → id).

    Raises:
        pulumi.RunError: when the region has fewer zones than the VPC wants, or not the named ones.
    """
    network = settings.network
    if network.availability_zones is None:
        wanted = network.availability_zone_count
        if len(available) < wanted and network.existing is None:
            raise pulumi.RunError(
                f"network.availability_zone_count: {wanted} zones refused, {region} has "
                f"{len(available)}: every tier needs a subnet in each zone. "
                f"Set it to {len(available)} or choose another region."
            )
        return tuple(sorted(available)[:wanted])
    names = {**{id_: name for name, id_ in available.items()}, **{name: name for name in available}}
    missing = [zone for zone in network.availability_zones if zone not in names]
    if missing:
        known = ", ".join(f"{name} ({id_})" for name, id_ in sorted(available.items()))
        raise pulumi.RunError(
            f"network.availability_zones: {missing[0]!r} refused, {region} has {known}: "
            "subnets can be only in zones that are open to this account. Name some of these."
        )
    chosen = tuple(names[zone] for zone in network.availability_zones)
    if len(set(chosen)) < len(chosen):
        raise pulumi.RunError(
            f"network.availability_zones: {list(network.availability_zones)} refused, they are "
            f"{', '.join(chosen)}: a zone named twice is one zone. Name different ones."
        )
    return chosen
