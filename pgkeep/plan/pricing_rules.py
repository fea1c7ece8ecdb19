"""What AWS charges for each type of resource: a pure function from its inputs to charges.

A type that is not here costs nothing by itself (roles, subnets, security groups, gateway
endpoints, EC2 Instance Connect endpoints). Rules follow AWS's pricing pages of each service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from facts.prices import HOURS_PER_MONTH, vcpus
from pgkeep.plan.model import Properties
from pgkeep.plan.values import UNKNOWN

# Storage of RDS gp3 below this size is one volume with a fixed baseline of 3,000 IOPS and
# 125 MiB/s; from it on four volumes with 12,000 IOPS and 500 MiB/s. Source: RDS user guide,
# "General Purpose SSD storage", engines other than SQL Server.
GP3_STRIPED_GIB = 400
GP3_BASELINE = {False: (3000, 125), True: (12000, 500)}
# Performance Insights keeps 7 days without charge. Source: RDS user guide, "Pricing and data
# retention for Performance Insights".
FREE_INSIGHTS_DAYS = 7
DAYS_PER_INSIGHTS_MONTH = 31


@dataclass(frozen=True)
class Charge:
    """A fixed charge: so many units of an item in a month."""

    what: str
    item: str
    quantity: Decimal


@dataclass(frozen=True)
class Usage:
    """Something that is paid by use."""

    what: str
    item: str
    assumption: str = ""


@dataclass(frozen=True)
class Inventory:
    """All inputs of one side of the plan, for charges that need a second resource."""

    by_urn: Mapping[str, Properties]

    def beside(self, urn: str, type_: str) -> Properties | None:
        """The one resource of the type in the same component; None if there are none or several."""
        place = urn.rsplit("::", 1)[0].rsplit("$", 1)[0]
        found = [
            inputs
            for other, inputs in self.by_urn.items()
            if other.rsplit("::", 1)[0] == f"{place}${type_}"
        ]
        return found[0] if len(found) == 1 else None

    def source_of_replica(self, inputs: Properties) -> Properties:
        """The primary that a replica copies, by identifier or ARN; what it inherits is there."""
        source = str(inputs.get("replicateSourceDb", "")).rsplit(":", 1)[-1]
        for urn, other in self.by_urn.items():
            if _type(urn) == "aws:rds/instance:Instance" and other.get("identifier") == source:
                return other
        primaries = [
            other
            for urn, other in self.by_urn.items()
            if _type(urn) == "aws:rds/instance:Instance" and not other.get("replicateSourceDb")
        ]
        return primaries[0] if len(primaries) == 1 else {}


def _type(urn: str) -> str:
    return urn.split("::")[2].rsplit("$", 1)[-1]


Rule = Callable[[str, Properties, Inventory], Iterable[Charge | Usage]]


def region_of(inputs: Mapping[str, object], default: str) -> str:
    """Where the resource is: its own `region`, else its provider's."""
    region = inputs.get("region")
    return region if isinstance(region, str) and region and UNKNOWN not in region else default


def _number(value: Any, default: int = 0) -> int:
    return int(value) if isinstance(value, (int, float)) else default


def _database(_urn: str, inputs: Properties, inventory: Inventory) -> Iterator[Charge | Usage]:
    inherited = inventory.source_of_replica(inputs) if inputs.get("replicateSourceDb") else {}

    def value(name: str) -> Any:
        own = inputs.get(name)
        return inherited.get(name) if own is None else own

    zones = "multi-az" if inputs.get("multiAz") else "single-az"
    shown = "Multi-AZ" if inputs.get("multiAz") else "Single-AZ"
    instance_class = str(value("instanceClass"))
    yield Charge(
        f"{instance_class} {shown}", f"rds.instance/{instance_class}/{zones}", HOURS_PER_MONTH
    )
    gib = _number(value("allocatedStorage"))
    kind = str(value("storageType") or "gp2")
    if gib:
        yield Charge(f"{gib:,} GiB {kind} {shown}", f"rds.storage/{kind}/{zones}", Decimal(gib))
    yield from _performance(
        kind, zones, gib, _number(value("iops")), _number(value("storageThroughput"))
    )
    most = _number(value("maxAllocatedStorage"))
    if most > gib:
        yield Usage(
            f"RDS storage beyond the allocated, {kind} {shown}",
            f"rds.storage/{kind}/{zones}",
            f"{inputs.get('identifier') or 'the database'} may grow from {gib:,} to {most:,} GiB",
        )
    if _number(inputs.get("backupRetentionPeriod")) and not inputs.get("replicateSourceDb"):
        yield Usage(
            "RDS backups and snapshots beyond the size of the databases",
            "rds.backup-storage",
            f"{gib:,} GiB are free, {_number(inputs.get('backupRetentionPeriod'))} days are kept",
        )
    yield from _insights(instance_class, inputs)


def _performance(
    kind: str, zones: str, gib: int, iops: int, throughput: int
) -> Iterator[Charge | Usage]:
    if kind == "gp3":
        free_iops, free_throughput = GP3_BASELINE[gib >= GP3_STRIPED_GIB]
        iops, throughput = max(0, iops - free_iops), max(0, throughput - free_throughput)
        if throughput:
            item = f"rds.throughput/gp3/{zones}"
            yield Charge(f"{throughput:,} MiB/s above the baseline", item, Decimal(throughput))
    if iops and kind in ("gp3", "io1", "io2"):
        above = " above the baseline" if kind == "gp3" else ""
        yield Charge(f"{iops:,} IOPS{above}", f"rds.iops/{kind}/{zones}", Decimal(iops))


def _insights(instance_class: str, inputs: Properties) -> Iterator[Charge]:
    """Database Insights, by vCPU.

    Advanced is paid by the hour and keeps 15 months. Standard keeps 7 days without charge; longer
    is paid by the month: the first one, and each further one, at the prices that Performance
    Insights had. Source: RDS user guide, "Pricing and data retention for Performance Insights".
    """
    days = _number(inputs.get("performanceInsightsRetentionPeriod"), FREE_INSIGHTS_DAYS)
    if not inputs.get("performanceInsightsEnabled") or days <= FREE_INSIGHTS_DAYS:
        return
    count = vcpus(instance_class)
    shown = f"{count} vCPU" if count else f"vCPU of {instance_class}"
    quantity = Decimal(count or 1)
    if inputs.get("databaseInsightsMode") == "advanced":
        item = "cloudwatch.database-insights" if count else "unknown"
        yield Charge(f"Database Insights Advanced, {shown}", item, quantity * HOURS_PER_MONTH)
        return
    months = -(-days // DAYS_PER_INSIGHTS_MONTH)
    item = "rds.performance-insights" if count else "unknown"
    yield Charge(f"Performance Insights, {shown}, first month", f"{item}/first-month", quantity)
    if months > 1:
        yield Charge(
            f"Performance Insights, {shown}, {months - 1} further months",
            f"{item}/additional-month",
            quantity * (months - 1),
        )


def _hosts(urn: str, inputs: Properties, inventory: Inventory) -> Iterator[Charge | Usage]:
    """Instances of an Auto Scaling group and their disks, as the template beside it says."""
    count = _number(inputs.get("desiredCapacity"), _number(inputs.get("minSize")))
    template = inventory.beside(urn, "aws:ec2/launchTemplate:LaunchTemplate")
    if template is None:
        yield Charge(
            f"{count} instances of an unknown type", "ec2.instance/unknown", Decimal(count)
        )
        return
    kind = str(template.get("instanceType"))
    yield Charge(f"{count} x {kind}", f"ec2.instance/{kind}", count * HOURS_PER_MONTH)
    for mapping in template.get("blockDeviceMappings") or ():
        disk = mapping.get("ebs") or {}
        gib, type_ = _number(disk.get("volumeSize")), str(disk.get("volumeType") or "gp2")
        if gib:
            yield Charge(
                f"{count} x {gib} GiB {type_}", f"ebs.storage/{type_}", Decimal(count * gib)
            )
    most = _number(inputs.get("maxSize"))
    if most > count:
        yield Usage(f"EC2 {kind}", f"ec2.instance/{kind}", f"up to {most} hosts during a refresh")


def _nat(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Charge | Usage]:
    yield Charge("NAT gateway", "nat.hour", HOURS_PER_MONTH)
    yield Usage("NAT gateway, data processed", "nat.gib")


def _address(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Charge]:
    yield Charge("public IPv4 address", "vpc.ipv4", HOURS_PER_MONTH)


def _load_balancer(
    _urn: str, inputs: Properties, _inventory: Inventory
) -> Iterator[Charge | Usage]:
    kind = str(inputs.get("loadBalancerType") or "application")
    yield Charge(f"{kind} load balancer", f"elb.{kind}/hour", HOURS_PER_MONTH)
    yield Usage(f"{kind} load balancer, capacity units", f"elb.{kind}/lcu")


def _endpoint(_urn: str, inputs: Properties, _inventory: Inventory) -> Iterator[Charge | Usage]:
    if inputs.get("vpcEndpointType") != "Interface":
        return
    service = str(inputs.get("serviceName", "")).rsplit(".", 1)[-1]
    subnets = inputs.get("subnetIds")
    zones = len(subnets) if isinstance(subnets, list) else 1
    what = f"endpoint {service} in {zones} zone{'s' if zones != 1 else ''}"
    yield Charge(what, "vpc.endpoint/hour", zones * HOURS_PER_MONTH)
    yield Usage("interface endpoints, data processed", "vpc.endpoint/gib")


def _key(_urn: str, inputs: Properties, _inventory: Inventory) -> Iterator[Charge | Usage]:
    yield Charge("key", "kms.key", Decimal(1))
    if inputs.get("enableKeyRotation"):
        yield Usage(
            "KMS key material", "kms.key", "each of a key's first two rotations adds one a month"
        )
    yield Usage("KMS requests", "kms.request")


def _secret(_urn: str, inputs: Properties, _inventory: Inventory) -> Iterator[Charge | Usage]:
    yield Charge("secret", "secretsmanager.secret", Decimal(1))
    replicas = inputs.get("replicas")
    if isinstance(replicas, list) and replicas:
        count = len(replicas)
        yield Charge(f"{count} replicas", "secretsmanager.secret", Decimal(count))
    yield Usage("Secrets Manager requests", "secretsmanager.request")


def _alarm(_urn: str, inputs: Properties, _inventory: Inventory) -> Iterator[Charge]:
    """An alarm is paid by the metrics that it watches."""
    queries = inputs.get("metricQueries")
    metrics = sum(1 for q in queries if q.get("metrics") or q.get("metric")) if queries else 1
    high = 0 < _number(inputs.get("period"), 60) < 60
    item = "cloudwatch.alarm/high-resolution" if high else "cloudwatch.alarm"
    yield Charge(
        "alarm" if metrics <= 1 else f"alarm on {metrics} metrics", item, Decimal(max(1, metrics))
    )


def _composite_alarm(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Charge]:
    yield Charge("composite alarm", "cloudwatch.alarm/composite", Decimal(1))


def _log_group(_urn: str, inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    yield Usage("CloudWatch Logs, written", "logs.ingestion")
    days = _number(inputs.get("retentionInDays"))
    yield Usage("CloudWatch Logs, kept", "logs.storage", f"{days} days" if days else "for ever")


def _flow_log(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    yield Usage("flow logs, written", "logs.ingestion/vended")


def _bucket(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    yield Usage("S3 storage", "s3.storage/STANDARD", "what is newly written")
    yield Usage("S3 writing requests", "s3.request/write")


def _lifecycle(_urn: str, inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    """The classes that objects move to have prices of their own."""
    for rule in inputs.get("rules") or ():
        for transition in rule.get("transitions") or ():
            kind = str(transition.get("storageClass"))
            after = f"{rule.get('id', 'objects')} after {_number(transition.get('days'))} days"
            yield Usage(f"S3 storage in {kind}", f"s3.storage/{kind}", after)


def _replication(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    yield Usage("S3 writing requests", "s3.request/write", "one for each replicated object")


def _inventory_report(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    yield Usage("S3 inventory", "s3.inventory", "each object, at each report")


def _function(_urn: str, inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    architectures = inputs.get("architectures")
    kind = architectures[0] if isinstance(architectures, list) and architectures else "x86_64"
    memory = _number(inputs.get("memorySize"), 128)
    yield Usage(
        f"Lambda {kind}, GiB-seconds",
        f"lambda.duration/{kind}",
        f"{inputs.get('name') or 'a function'} has {memory:,} MiB",
    )


def _schedule(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    yield Usage("EventBridge Scheduler", "scheduler.invocation", "14 million a month are free")


def _topic(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    yield Usage("SNS e-mails", "sns.email", "1,000 a month are free")


def _queue(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    yield Usage("SQS requests", "sqs.request", "1 million a month are free")


def _backup_replication(_urn: str, inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    days = _number(inputs.get("retentionPeriod"), 7)
    yield Usage(
        "RDS backups in the second region",
        "rds.backup-storage",
        f"{days} days of snapshots and WAL, and their transfer",
    )


def _snapshot(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    yield Usage("RDS snapshot", "rds.backup-storage", "by the size of what it holds")


def _vault(_urn: str, _inputs: Properties, _inventory: Inventory) -> Iterator[Usage]:
    yield Usage("AWS Backup, recovery points of RDS", "backup.rds", "by the size of what it holds")


_REPLICATED = "aws:rds/instanceAutomatedBackupsReplication"
RULES: Mapping[str, Rule] = {
    "aws:rds/instance:Instance": _database,
    f"{_REPLICATED}:InstanceAutomatedBackupsReplication": _backup_replication,
    "aws:rds/snapshot:Snapshot": _snapshot,
    "aws:rds/snapshotCopy:SnapshotCopy": _snapshot,
    "aws:backup/vault:Vault": _vault,
    "aws:autoscaling/group:Group": _hosts,
    "aws:ec2/natGateway:NatGateway": _nat,
    "aws:ec2/eip:Eip": _address,
    "aws:lb/loadBalancer:LoadBalancer": _load_balancer,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:ec2/flowLog:FlowLog": _flow_log,
    "aws:kms/key:Key": _key,
    "aws:kms/replicaKey:ReplicaKey": _key,
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:cloudwatch/compositeAlarm:CompositeAlarm": _composite_alarm,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": _lifecycle,
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": _replication,
    "aws:s3/inventory:Inventory": _inventory_report,
    "aws:lambda/function:Function": _function,
    "aws:scheduler/schedule:Schedule": _schedule,
    "aws:sns/topic:Topic": _topic,
    "aws:sqs/queue:Queue": _queue,
}
