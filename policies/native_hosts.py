"""Hosts and load balancers of aws-native in the provider aws (see `native_types.py`)."""

from __future__ import annotations

from typing import Final

from .native import Companion, Translation, each_nested

_DISKS: Final = (
    "blockDeviceMappings>rootBlockDevice:root-disk blockDeviceMappings>ebsBlockDevices:other-disks"
)
HOSTS: Final[dict[str, Translation]] = {
    "aws-native:ec2:Instance": Translation(
        "aws:ec2/instance:Instance",
        "availabilityZone disableApiTermination ebsOptimized iamInstanceProfile imageId>ami "
        "instanceInitiatedShutdownBehavior instanceType keyName "
        "launchTemplate>launchTemplate:template metadataOptions monitoring "
        "networkInterfaces>associatePublicIpAddress:public "
        "networkInterfaces>securityGroups:interface-groups privateIpAddress>privateIp "
        "securityGroupIds>vpcSecurityGroupIds sourceDestCheck subnetId tags>tags:tags tenancy "
        f"userData {_DISKS}",
        ignored="additionalInfo affinity cpuOptions creditSpecification elasticGpuSpecifications "
        "elasticInferenceAccelerators enclaveOptions hibernationOptions hostId "
        "hostResourceGroupArn ipv6AddressCount ipv6Addresses kernelId licenseSpecifications "
        "placementGroupName privateDnsNameOptions propagateTagsToVolumeOnCreation ramdiskId "
        "securityGroups",
        companions=(
            Companion(
                "aws:ec2/volumeAttachment:VolumeAttachment",
                "volumes",
                each_nested("volumeId device>deviceName"),
                ("instanceId", "id"),
            ),
        ),
    ),
    "aws-native:ec2:LaunchTemplate": Translation(
        "aws:ec2/launchTemplate:LaunchTemplate",
        "launchTemplateName>name versionDescription>description "
        "launchTemplateData>blockDeviceMappings:data.blockDeviceMappings "
        "launchTemplateData>disableApiTermination:data.disableApiTermination "
        "launchTemplateData>ebsOptimized:data.ebsOptimized "
        "launchTemplateData>iamInstanceProfile:data.iamInstanceProfile "
        "launchTemplateData>imageId:data.imageId launchTemplateData>instanceType:data.instanceType "
        "launchTemplateData>keyName:data.keyName "
        "launchTemplateData>metadataOptions:data.metadataOptions "
        "launchTemplateData>monitoring:data.monitoring "
        "launchTemplateData>networkInterfaces:data.networkInterfaces "
        "launchTemplateData>userData:data.userData "
        "launchTemplateData>vpcSecurityGroupIds:data.securityGroupIds",
        ignored="tagSpecifications",
    ),
    "aws-native:ec2:Volume": Translation(
        "aws:ebs/volume:Volume",
        "availabilityZone encrypted iops kmsKeyId multiAttachEnabled outpostArn size snapshotId "
        "tags>tags:tags throughput volumeType>type",
        ignored="autoEnableIo availabilityZoneId sourceVolumeId volumeInitializationRate",
    ),
    "aws-native:autoscaling:LaunchConfiguration": Translation(
        "aws:ec2/launchConfiguration:LaunchConfiguration",
        "associatePublicIpAddress ebsOptimized iamInstanceProfile imageId "
        "instanceMonitoring>enableMonitoring instanceType keyName launchConfigurationName>name "
        f"metadataOptions placementTenancy securityGroups spotPrice userData "
        f"{_DISKS}",
        ignored="classicLinkVpcId classicLinkVpcSecurityGroups instanceId kernelId ramDiskId",
    ),
    "aws-native:autoscaling:AutoScalingGroup": Translation(
        "aws:autoscaling/group:Group",
        "autoScalingGroupName>name availabilityZones capacityRebalance desiredCapacity "
        "healthCheckGracePeriod healthCheckType launchConfigurationName>launchConfiguration "
        "launchTemplate>launchTemplate:template loadBalancerNames>loadBalancers "
        "maxInstanceLifetime maxSize minSize mixedInstancesPolicy "
        "newInstancesProtectedFromScaleIn>protectFromScaleIn tags targetGroupArns "
        "terminationPolicies trafficSources vpcZoneIdentifier>vpcZoneIdentifiers",
        ignored="availabilityZoneDistribution availabilityZoneIds availabilityZoneImpairmentPolicy "
        "capacityReservationSpecification context cooldown defaultInstanceWarmup "
        "deletionProtection desiredCapacityType instanceId instanceLifecyclePolicy "
        "instanceMaintenancePolicy lifecycleHookSpecificationList metricsCollection "
        "notificationConfiguration notificationConfigurations placementGroup "
        "serviceLinkedRoleArn skipZonalShiftValidation",
        attributes="autoScalingGroupArn>arn",
    ),
    "aws-native:elasticloadbalancingv2:LoadBalancer": Translation(
        "aws:lb/loadBalancer:LoadBalancer",
        "ipAddressType name scheme>internal:internal securityGroups subnetMappings subnets "
        "tags>tags:tags type>loadBalancerType "
        "loadBalancerAttributes>accessLogs:balancer.logs "
        "loadBalancerAttributes>desyncMitigationMode:balancer.desync "
        "loadBalancerAttributes>dropInvalidHeaderFields:balancer.headers "
        "loadBalancerAttributes>enableCrossZoneLoadBalancing:balancer.zones "
        "loadBalancerAttributes>enableDeletionProtection:balancer.deletion",
        ignored="enableCapacityReservationProvisionStabilize enablePrefixForIpv6SourceNat "
        "enforceSecurityGroupInboundRulesOnPrivateLinkTraffic ipv4IpamPoolId "
        "minimumLoadBalancerCapacity",
        attributes="loadBalancerArn>arn",
    ),
    "aws-native:elasticloadbalancingv2:Listener": Translation(
        "aws:lb/listener:Listener",
        "alpnPolicy defaultActions>defaultActions:actions loadBalancerArn port protocol sslPolicy "
        "tags>tags:tags",
        ignored="certificates listenerAttributes mutualAuthentication",
        attributes="listenerArn>arn",
    ),
    "aws-native:elasticloadbalancingv2:TargetGroup": Translation(
        "aws:lb/targetGroup:TargetGroup",
        "healthCheckEnabled>healthCheck:health.enabled healthCheckPath>healthCheck:health.path "
        "healthCheckPort>healthCheck:health.port "
        "healthCheckProtocol>healthCheck:health.protocol name port protocol protocolVersion "
        "tags>tags:tags targetType vpcId",
        ignored="healthCheckIntervalSeconds healthCheckTimeoutSeconds healthyThresholdCount "
        "ipAddressType matcher targetControlPort targetGroupAttributes targets "
        "unhealthyThresholdCount",
        attributes="targetGroupArn>arn",
    ),
}
