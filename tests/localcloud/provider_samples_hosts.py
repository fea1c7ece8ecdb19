"""Load balancers, launch templates and scaling groups: one example of each type, each after what it needs."""

from tests.localcloud.provider_sample import TAGS, Sample

DISK = {
    "volumeSize": 8,
    "encrypted": "true",
    "kmsKeyId": "arn:aws:kms:eu-west-1:123456789012:key/disks",
}

SAMPLES = (
    Sample(
        "balancer",
        "aws:lb/loadBalancer:LoadBalancer",
        lambda made: {
            "name": "pooler",
            "internal": True,
            "loadBalancerType": "network",
            "subnets": [made["subnet-a"].id, made["subnet-b"].id],
            "securityGroups": [made["group"].id],
            "enableCrossZoneLoadBalancing": True,
            "tags": TAGS,
        },
        lambda _: {"enableCrossZoneLoadBalancing": False},
        ("ModifyLoadBalancerAttributes",),
        {"internal": False},
    ),
    Sample(
        "targets",
        "aws:lb/targetGroup:TargetGroup",
        lambda made: {
            "name": "pooler",
            "port": 6543,
            "protocol": "TCP",
            "vpcId": made["vpc"].id,
            "deregistrationDelay": 30,
            "targetHealthStates": [{"enableUnhealthyConnectionTermination": False}],
            "healthCheck": {"protocol": "TCP", "port": "6543", "interval": 10},
        },
        lambda _: {
            "deregistrationDelay": 60,
            "targetHealthStates": [{"enableUnhealthyConnectionTermination": True}],
            "healthCheck": {"protocol": "TCP", "port": "6543", "interval": 30},
        },
        ("ModifyTargetGroup", "ModifyTargetGroupAttributes"),
        {"port": 5432},
    ),
    Sample(
        "listener",
        "aws:lb/listener:Listener",
        lambda made: {
            "loadBalancerArn": made["balancer"]["arn"],
            "port": 6543,
            "protocol": "TCP",
            "defaultActions": [{"type": "forward", "targetGroupArn": made["targets"]["arn"]}],
        },
        lambda _: {"port": 6544},
        ("ModifyListener",),
        {"loadBalancerArn": "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/net/o/1"},
    ),
    Sample(
        "template",
        "aws:ec2/launchTemplate:LaunchTemplate",
        lambda made: {
            "name": "pooler",
            "imageId": "ami-03cf127a",
            "instanceType": "t4g.small",
            "vpcSecurityGroupIds": [made["group"].id],
            "iamInstanceProfile": {"arn": made["profile"]["arn"]},
            "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
            "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": DISK}],
            "tagSpecifications": [{"resourceType": "instance", "tags": TAGS}],
            "updateDefaultVersion": True,
        },
        lambda _: {"instanceType": "t4g.medium"},
        ("CreateLaunchTemplateVersion", "ModifyLaunchTemplate"),
        {"name": "other"},
    ),
    Sample(
        "scaling",
        "aws:autoscaling/group:Group",
        lambda made: {
            "name": "pooler",
            "minSize": 2,
            "maxSize": 4,
            "desiredCapacity": 2,
            "vpcZoneIdentifiers": [made["subnet-a"].id, made["subnet-b"].id],
            "launchTemplate": {
                "id": made["template"].id,
                "version": str(made["template"]["latestVersion"]),
            },
            "targetGroupArns": [made["targets"]["arn"]],
            "healthCheckType": "ELB",
            "initialLifecycleHooks": [
                {
                    "name": "drain",
                    "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
                    "heartbeatTimeout": 30,
                    "defaultResult": "CONTINUE",
                }
            ],
            "tags": [{"key": "Name", "value": "pooler", "propagateAtLaunch": True}],
        },
        lambda made: {
            "maxSize": 5,
            "desiredCapacity": 3,
            "launchTemplate": {
                "id": made["template"].id,
                "version": str(made["template"]["latestVersion"]),
            },
            "tags": [{"key": "Role", "value": "pooler", "propagateAtLaunch": True}],
        },
        ("UpdateAutoScalingGroup", "CreateOrUpdateTags", "DeleteTags"),
        {"name": "other"},
    ),
    Sample(
        "hook",
        "aws:autoscaling/lifecycleHook:LifecycleHook",
        lambda made: {
            "name": "drain",
            "autoscalingGroupName": made["scaling"].id,
            "lifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
            "heartbeatTimeout": 30,
            "defaultResult": "CONTINUE",
        },
        lambda _: {"heartbeatTimeout": 60},
        ("PutLifecycleHook",),
        {"name": "other"},
    ),
)
