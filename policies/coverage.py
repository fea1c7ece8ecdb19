"""What no rule looks at although it matters: types that hold data or open access.

The tables below go by AWS's services: which of a service's resource types keep data (databases,
files, queues, streams, caches, indexes, backups, secrets) and which let somebody in (addresses,
gateways, shares, peerings, policies). A type that a rule judges is covered. `harmless.tsv` has what
holds nothing and opens nothing, such as a subnet group, with the reason. Every other type, also of
a service that did not exist when this was written, is not covered. Resources of other providers are
covered only if a rule knows them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .catalogue import RULES
from .inventory import Resource
from .rules import Enforcement, Environment, Rule, Severity

_HARMLESS_FILE: Final = Path(__file__).with_name("harmless.tsv")
# Packages that only compute values inside the program, and what of them is a secret in its state.
_HARMLESS_PACKAGES: Final = frozenset({"pulumi", "random", "time", "tls", "null", "archive", "std"})
_SECRET_MAKERS: Final = re.compile(r"random:.*:Random(?:Password|Bytes)|tls:.*:PrivateKey")
# The provider that speaks to AWS's Cloud Control API, and where its services have other names.
_NATIVE: Final = "aws-native"
_NATIVE_SERVICES: Final = {
    "applicationautoscaling": "appautoscaling",
    "certificatemanager": "acm",
    "config": "cfg",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "lb",
    "events": "cloudwatch",
    "logs": "cloudwatch",
}

# service -> names of the resource types (a regular expression) that hold data.
_DATA: Final = {
    "athena": "database|dataCatalog",
    "backup": "vault|logicallyAirGappedVault",
    "bedrock": "agentKnowledgeBase|agentcoreMemory",
    "cfg": "deliveryChannel",
    "cloudfront": "keyValueStore",
    "cloudhsmv2": "cluster",
    "cloudsearch": "domain",
    "cloudtrail": "trail|eventDataStore",
    "cloudwatch": "logGroup|eventArchive",
    "codeartifact": "repository",
    "codecommit": "repository",
    "cognito": "userPool|identityPool",
    "customerprofiles": "domain",
    "datasync": "task",
    "dax": "cluster",
    "directoryservice": "directory",
    "dms": "replicationInstance|replicationConfig|endpoint|s3Endpoint",
    "docdb": "cluster|elasticCluster|clusterInstance|clusterSnapshot|globalCluster",
    "dsql": "cluster",
    "dynamodb": "table|globalTable|tableReplica|tableExport",
    "ebs": "volume|snapshot|snapshotCopy|snapshotImport|volumeCopy",
    "ec2": "ami|amiCopy|amiFromInstance|instance|launchTemplate|launchConfiguration"
    "|spotInstanceRequest|spotFleetRequest",
    "ecr": "repository",
    "efs": "fileSystem|replicationConfiguration",
    "elasticache": "cluster|replicationGroup|serverlessCache|globalReplicationGroup",
    "elasticsearch": "domain",
    "emr": "cluster",
    "emrserverless": "application",
    "finspace": "kxDatabase|kxVolume",
    "fsx": ".*FileSystem|.*[vV]olume|backup|fileCache|openZfsSnapshot",
    "glacier": "vault",
    "glue": "catalogDatabase|catalogTable|connection",
    "keyspaces": "table|keyspace",
    "kinesis": "stream|firehoseDeliveryStream|videoStream|analyticsApplication",
    "kinesisanalyticsv2": "application",
    "lightsail": "bucket|database|disk|instance",
    "mediastore": "container",
    "memorydb": "cluster|multiRegionCluster|snapshot",
    "mq": "broker",
    "msk": "cluster|serverlessCluster|replicator",
    "mskconnect": "connector",
    "neptune": "cluster|clusterInstance|clusterSnapshot|globalCluster",
    "neptunegraph": "graph",
    "odb": "autonomousDatabase|cloudExadataInfrastructure|cloudVmCluster",
    "opensearch": "domain|serverlessCollection",
    "opensearchingest": "pipeline",
    "paymentcryptography": "key",
    "qldb": "ledger|stream",
    "rds": "instance|cluster|clusterInstance|shardGroup|snapshot|snapshotCopy|clusterSnapshot"
    "|clusterSnapshotCopy|globalCluster|exportTask|instanceAutomatedBackupsReplication|integration",
    "redshift": "cluster|clusterSnapshot|snapshotCopy|integration",
    "redshiftserverless": "namespace|snapshot|workgroup",
    "s3": "bucket|bucketV2|directoryBucket|filesFileSystem|vectorsVectorBucket",
    "s3control": "bucket",
    "s3tables": "tableBucket|table",
    "sagemaker": "notebookInstance|featureGroup|domain",
    "secretsmanager": "secret",
    "securitylake": "dataLake",
    "sns": "topic",
    "sqs": "queue",
    "ssm": "parameter",
    "storagegateway": "gateway|.*Volume|.*FileShare|tapePool",
    "timestreaminfluxdb": "dbInstance|dbCluster",
    "timestreamwrite": "database|table",
    "transfer": "server",
    "workspaces": "workspace|directory",
}
# service -> names of the resource types that open access: to a network, to a principal.
_ACCESS: Final = {
    "acmpca": "policy|permission",
    "apigateway": "restApi|restApiPolicy|stage|method|domainName|vpcLink",
    "apigatewayv2": "api|route|stage|domainName|vpcLink",
    "apprunner": "service|vpcIngressConnection",
    "appsync": "graphQLApi|api|dataSource",
    "backup": "vaultPolicy",
    "cloudfront": "distribution|multitenantDistribution|vpcOrigin",
    "cloudwatch": "eventBusPolicy|eventPermission|logResourcePolicy|logDestinationPolicy"
    "|logSubscriptionFilter|eventApiDestination",
    "codeartifact": ".*Policy",
    "codebuild": "resourcePolicy|project",
    "cognito": "identityPoolRoleAttachment",
    "directconnect": ".*VirtualInterface|gatewayAssociation|gateway",
    "dsql": "clusterPolicy|clusterPeering",
    "dynamodb": "resourcePolicy",
    "ebs": "snapshotBlockPublicAccess",
    "ec2": "securityGroup|securityGroupRule|defaultSecurityGroup|networkAcl|networkAclRule"
    "|defaultNetworkAcl|amiLaunchPermission|snapshotCreateVolumePermission|internetGateway"
    "|egressOnlyInternetGateway|eip|vpcPeeringConnection|vpcPeeringConnectionAccepter|vpcEndpoint"
    "|vpcEndpointPolicy|vpcEndpointService|vpcEndpointServiceAllowedPrinciple|vpnConnection"
    "|vpnGateway|customerGateway|carrierGateway|keyPair|imageBlockPublicAccess"
    "|vpcBlockPublicAccessExclusion|vpcBlockPublicAccessOptions|serialConsoleAccess"
    "|networkInterfacePermission|defaultVpc|trafficMirrorSession|trafficMirrorTarget",
    "ec2clientvpn": "endpoint|authorizationRule|networkAssociation|route",
    "ec2transitgateway": "transitGateway|vpcAttachment|vpcAttachmentAccepter|peeringAttachment"
    "|peeringAttachmentAccepter|connect|instanceConnectEndpoint|route",
    "ecr": "repositoryPolicy|registryPolicy",
    "ecrpublic": ".*",
    "ecs": "service|taskDefinition|expressGatewayService",
    "efs": "fileSystemPolicy|accessPoint|mountTarget",
    "eks": "cluster|accessEntry|accessPolicyAssociation|podIdentityAssociation|nodeGroup",
    "elasticbeanstalk": "environment",
    "elasticsearch": "domainPolicy|vpcEndpoint",
    "elb": "loadBalancer|listenerPolicy",
    "glacier": "vaultLock",
    "globalaccelerator": "accelerator|listener|endpointGroup|custom.*|crossAccountAttachment",
    "glue": "resourcePolicy|devEndpoint",
    "iam": "accessKey|groupPolicy|groupPolicyAttachment|openIdConnectProvider|policy"
    "|policyAttachment|role|rolePolicy|rolePolicyAttachment|samlProvider|serviceSpecificCredential"
    "|sshKey|user|userLoginProfile|userPolicy|userPolicyAttachment|.*Exclusive",
    "iot": "policy|policyAttachment|roleAlias",
    "kinesis": "resourcePolicy",
    "kms": "key|keyPolicy|grant|externalKey|replicaKey|replicaExternalKey|customKeyStore",
    "lakeformation": "permissions|dataLakeSettings|resource",
    "lambda": "function|functionUrl|permission|layerVersionPermission|resourcePolicy",
    "lb": "loadBalancer|listener",
    "lightsail": "instancePublicPorts|lb|containerService|distribution|bucketAccessKey"
    "|bucketResourceAccess|keyPair|staticIp",
    "mediastore": "containerPolicy",
    "msk": "clusterPolicy|vpcConnection",
    "networkmanager": ".*Attachment|transitGatewayPeering|coreNetwork",
    "oam": "sink|sinkPolicy|link",
    "opensearch": "domainPolicy|serverlessAccessPolicy|serverlessSecurityPolicy|vpcEndpoint"
    "|outboundConnection|inboundConnectionAccepter|authorizeVpcEndpointAccess|serverlessVpcEndpoint",
    "organizations": "policy|policyAttachment|resourcePolicy|delegatedAdministrator",
    "ram": "resourceShare|resourceAssociation|principalAssociation|resourceShareAccepter"
    "|sharingWithOrganization",
    "rds": "proxy|proxyEndpoint|clusterEndpoint|roleAssociation|clusterRoleAssociation",
    "redshift": "endpointAccess|endpointAuthorization|resourcePolicy|dataShare.*",
    "redshiftserverless": "endpointAccess|resourcePolicy",
    "rolesanywhere": "profile|trustAnchor",
    "s3": "bucketPolicy|bucketAcl|bucketPublicAccessBlock|accountPublicAccessBlock|accessPoint"
    "|bucketWebsiteConfiguration|bucketCorsConfiguration|filesAccessPoint|filesFileSystemPolicy"
    "|vectorsVectorBucketPolicy|bucketReplicationConfig",
    "s3control": "accessGrant|accessPointPolicy|bucketPolicy|multiRegionAccessPoint"
    "|multiRegionAccessPointPolicy|objectLambdaAccessPoint|objectLambdaAccessPointPolicy",
    "s3tables": "tableBucketPolicy|tablePolicy",
    "sagemaker": "modelPackageGroupPolicy|endpoint",
    "secretsmanager": "secretPolicy",
    "serverlessrepository": ".*",
    "ses": "identityPolicy",
    "sns": "topicPolicy|topicSubscription",
    "sqs": "queuePolicy",
    "ssm": "document|activation",
    "ssoadmin": "permissionSet|permissionSetInlinePolicy|managedPolicyAttachment"
    "|accountAssignment|customerManagedPolicyAttachment",
    "transfer": "user|access|webApp",
    "verifiedaccess": "endpoint|group",
    "vpc": "securityGroupIngressRule|securityGroupEgressRule",
    "vpclattice": "service|authPolicy|resourcePolicy|serviceNetwork.*|resourceGateway",
}


COVERAGE_RULE: Final = Rule(
    id="policy-coverage-complete",
    title="Every resource that matters has a rule",
    what="No resource holds data or opens access without a rule that judges its type.",
    why="What no rule looks at is neither safe nor unsafe: it is unknown.",
    remediation="review the resource by hand, or write a rule for its type (policies/README.md).",
    severity=Severity.MEDIUM,
    catalogue=(),
    controls=(),
    types=(),
    enforcement=dict.fromkeys(Environment, Enforcement.ADVISORY),
)


@dataclass(frozen=True)
class NotCovered:
    """A resource that no rule judges although it holds data or opens access."""

    urn: str
    type: str
    reason: str


def not_covered(resources: Iterable[Resource], rules: Sequence[Rule] = RULES) -> list[NotCovered]:
    """The resources that hold data or open access and have a type without a rule."""
    known = covered_types(rules)
    return [
        NotCovered(resource.urn, resource.declared_type, reason)
        for resource in resources
        for reason in _reasons(resource, known)
    ]


def _reasons(resource: Resource, known: frozenset[str]) -> Iterator[str]:
    yield from resource.untranslated
    if resource.type not in known and (reason := concern(resource.type)):
        yield reason


def covered_types(rules: Sequence[Rule]) -> frozenset[str]:
    """Every type that a rule judges, by itself or as what stands beside another resource."""
    return frozenset(kind for rule in rules for kind in (*rule.types, *rule.joined_types))


@functools.cache
def concern(kind: str) -> str:
    """Why a type must not go unjudged: what it holds or opens. Empty if it need not be judged."""
    package, _, rest = kind.partition(":")
    if _SECRET_MAKERS.fullmatch(kind):
        return "makes a secret that Pulumi's state keeps, and no rule judges its type"
    if package in _HARMLESS_PACKAGES:
        return ""
    if package == "command":
        return "runs a command, which no rule reads"
    if package == _NATIVE:
        service, _, name = rest.partition(":")
        return _concern(_NATIVE_SERVICES.get(service, service), name[:1].lower() + name[1:])
    if package != "aws":
        return f"is of the provider {package}, which no rule knows"
    service, _, name = rest.partition(":")[0].partition("/")
    return _concern(service, name)


def _concern(service: str, name: str) -> str:
    if re.fullmatch(_DATA.get(service, ""), name) and name:
        return "holds data, and no rule judges its type"
    if re.fullmatch(_ACCESS.get(service, ""), name) and name:
        return "opens access, and no rule judges its type"
    if any(re.fullmatch(types, name) for types in harmless().get(service, ())):
        return ""
    return "may hold data or open access, and no rule judges its type"


@functools.cache
def harmless() -> dict[str, tuple[str, ...]]:
    """Service -> regular expressions of its types that hold nothing and open nothing."""
    found: dict[str, tuple[str, ...]] = {}
    for line in _HARMLESS_FILE.read_text(encoding="utf-8").splitlines()[1:]:
        service, types, _why = line.split("\t")
        found[service] = (*found.get(service, ()), types)
    return found
