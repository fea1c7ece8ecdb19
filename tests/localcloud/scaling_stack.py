"""A VPC with hosts behind a load balancer, as the pooler has it, for the tests of instances."""

import base64
from typing import Any

from tests.localcloud.daemon_cloud import DaemonCloud

USER_DATA = b"""#cloud-config
# Byte for byte: \xc3\xa9, tabs\t and no newline at the end.
write_files:
- path: /etc/hello
  content: hello
runcmd:
- [sed, -i, "s/^listen_addr.*/listen_addr = */", /etc/pgbouncer/pgbouncer.ini]
- [systemctl, restart, pgbouncer]
# end"""


class Stack:
    """Network, role and launch template; made once for a module."""

    def __init__(self, cloud: DaemonCloud) -> None:
        self.cloud = cloud
        self.ec2, self.scaling = cloud.client("ec2"), cloud.client("autoscaling")
        self.elb, self.iam = cloud.client("elbv2"), cloud.client("iam")
        self.vpc_id = self.ec2.create_vpc(CidrBlock="10.94.0.0/16")["Vpc"]["VpcId"]
        self.subnet_ids = [
            self.ec2.create_subnet(
                VpcId=self.vpc_id, CidrBlock=f"10.94.{n}.0/24", AvailabilityZone=f"eu-west-1{zone}"
            )["Subnet"]["SubnetId"]
            for n, zone in ((1, "a"), (2, "b"))
        ]
        self.hosts_group = self._group("hosts")
        self.admin_group = self._group("administration")
        self.balancer_group = self._group("balancer")
        self.stranger_group = self._group("stranger")
        self._allow(22, self.admin_group)
        self._allow(6432, self.balancer_group)
        self.image_id = self.image("amd64")
        self.profile_arn = self._profile()
        self.template_id = self._template()
        self.target_group_arn = self._balancer()

    def image(self, architecture: str) -> str:
        name = {"Name": "name", "Values": [f"debian-13-{architecture}-*"]}
        images = self.ec2.describe_images(Owners=["136693071363"], Filters=[name])["Images"]
        assert len(images) == 1
        return images[0]["ImageId"]

    def instance(self, instance_id: str) -> dict[str, Any]:
        found = self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        return found[0]["Instances"][0]

    def state(self, instance_id: str) -> str:
        return self.instance(instance_id)["State"]["Name"]

    def template_data(self, **changes: Any) -> dict[str, Any]:
        interface = {"DeviceIndex": 0, "Groups": [self.hosts_group]}
        return {
            "ImageId": self.image_id,
            "InstanceType": "t3.micro",
            "KeyName": "pgkeep-local",
            "UserData": base64.b64encode(USER_DATA).decode(),
            "MetadataOptions": {"HttpTokens": "required"},
            "IamInstanceProfile": {"Arn": self.profile_arn},
            "NetworkInterfaces": [interface],
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "pooler"}]}
            ],
        } | changes

    def new_version(self, **changes: Any) -> str:
        answer = self.ec2.create_launch_template_version(
            LaunchTemplateId=self.template_id, LaunchTemplateData=self.template_data(**changes)
        )
        return str(answer["LaunchTemplateVersion"]["VersionNumber"])

    def create_group(self, name: str, version: str = "1", **changes: Any) -> None:
        inputs: dict[str, Any] = {
            "MinSize": 2,
            "MaxSize": 3,
            "DesiredCapacity": 2,
            "VPCZoneIdentifier": ",".join(self.subnet_ids),
            "LaunchTemplate": {"LaunchTemplateId": self.template_id, "Version": version},
            "TargetGroupARNs": [self.target_group_arn],
            "HealthCheckType": "ELB",
            "HealthCheckGracePeriod": 10,
            "Tags": [{"Key": "environment", "Value": "test", "PropagateAtLaunch": True}],
        }
        self.scaling.create_auto_scaling_group(AutoScalingGroupName=name, **(inputs | changes))

    def members(self, group: str) -> list[dict[str, Any]]:
        groups = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])
        return groups["AutoScalingGroups"][0]["Instances"] if groups["AutoScalingGroups"] else []

    def healthy_targets(self) -> set[str]:
        answer = self.elb.describe_target_health(TargetGroupArn=self.target_group_arn)
        return {
            each["Target"]["Id"]
            for each in answer["TargetHealthDescriptions"]
            if each["TargetHealth"]["State"] == "healthy"
        }

    def serving(self, group: str, count: int, version: str | None = None) -> list[str] | None:
        """Ids of the members, if they are as many, in service and healthy behind the balancer."""
        members = self.members(group)
        ids = [member["InstanceId"] for member in members]
        fine = (
            len(members) == count
            and all(member["LifecycleState"] == "InService" for member in members)
            and set(ids) == self.healthy_targets()
            and version in (None, *{m["LaunchTemplate"]["Version"] for m in members})
        )
        return ids if fine else None

    def _group(self, name: str) -> str:
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc_id)[
            "GroupId"
        ]

    def _allow(self, port: int, source: str) -> None:
        self.ec2.authorize_security_group_ingress(
            GroupId=self.hosts_group,
            IpPermissions=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": port,
                    "ToPort": port,
                    "UserIdGroupPairs": [{"GroupId": source}],
                }
            ],
        )

    def _profile(self) -> str:
        trust = (
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": '
            '"sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]}'
        )
        self.iam.create_role(RoleName="pooler", AssumeRolePolicyDocument=trust)
        profile = self.iam.create_instance_profile(InstanceProfileName="pooler")
        self.iam.add_role_to_instance_profile(InstanceProfileName="pooler", RoleName="pooler")
        return profile["InstanceProfile"]["Arn"]

    def _template(self) -> str:
        answer = self.ec2.create_launch_template(
            LaunchTemplateName="pooler", LaunchTemplateData=self.template_data()
        )
        return answer["LaunchTemplate"]["LaunchTemplateId"]

    def _balancer(self) -> str:
        target_group = self.elb.create_target_group(
            Name="pooler",
            Protocol="TCP",
            Port=6432,
            VpcId=self.vpc_id,
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "2"}
        self.elb.modify_target_group_attributes(TargetGroupArn=target_group, Attributes=[delay])
        balancer = self.elb.create_load_balancer(
            Name="pooler",
            Type="network",
            Scheme="internal",
            Subnets=self.subnet_ids,
            SecurityGroups=[self.balancer_group],
        )["LoadBalancers"][0]["LoadBalancerArn"]
        forward = {"Type": "forward", "TargetGroupArn": target_group}
        self.elb.create_listener(
            LoadBalancerArn=balancer, Protocol="TCP", Port=6543, DefaultActions=[forward]
        )
        return target_group
