"""Where a stack is deployed: account, partition, region and zones, with names and tags for it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.settings import Settings


@dataclass(frozen=True)
class Deployment:
    """The settings together with what AWS says about the place they are deployed to."""

    settings: Settings
    account_id: str
    partition: str
    region: str
    zones: tuple[str, ...]

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
        wanted = settings.network.availability_zone_count
        # Local zones and wavelength zones need an opt-in and have no RDS.
        available = aws.get_availability_zones(
            state="available",
            filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
        ).names
        if len(available) < wanted:
            raise pulumi.RunError(
                f"network.availability_zone_count: {wanted} zones refused, {region} has "
                f"{len(available)}: every tier needs a subnet in each zone. "
                f"Set it to {len(available)} or choose another region."
            )
        return cls(
            settings=settings,
            account_id=aws.get_caller_identity().account_id,
            partition=aws.get_partition().partition,
            region=region,
            zones=tuple(sorted(available)[:wanted]),
        )

    def name(self, *parts: str) -> str:
        """A name in AWS: `pgkeep-prod-backup`."""
        return "-".join((self.settings.prefix, *parts))

    def tags(self, name: str) -> dict[str, str]:
        """Tags of a resource, with `name` as its display name."""
        return {
            "Name": name,
            "pgkeep:environment": self.settings.environment,
            "pgkeep:stack": self.settings.prefix,
        }

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region, known before the resource exists."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}:{resource}"

    @property
    def account_root(self) -> str:
        """The account as a principal."""
        return f"arn:{self.partition}:iam::{self.account_id}:root"

    @property
    def protected(self) -> bool:
        """Whether Pulumi must refuse to delete what holds or unlocks data."""
        return self.settings.database.deletion_protection
