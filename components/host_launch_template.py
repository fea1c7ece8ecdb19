"""What every host is launched with: closed metadata, no public address, an encrypted disk."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_aws as aws

from components.debian_image import ROOT_DEVICE


def host_launch_template(
    name: str,
    *,
    label: str,
    description: str,
    image_id: pulumi.Input[str],
    instance_type: str,
    user_data: pulumi.Input[str],
    role: aws.iam.Role,
    security_group_id: pulumi.Input[str],
    root_volume_gib: int,
    disk_key_arn: pulumi.Input[str],
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.ec2.LaunchTemplate:
    """Instance profile and launch template, both named `label` in AWS; `user_data` is base64."""
    profile = aws.iam.InstanceProfile(
        f"{name}-profile", name=label, role=role.name, tags=tags, opts=opts
    )
    return aws.ec2.LaunchTemplate(
        f"{name}-template",
        name=label,
        description=description,
        image_id=image_id,
        instance_type=instance_type,
        user_data=user_data,
        # Whoever powers a host off ends it, be it the host itself; its group makes another.
        instance_initiated_shutdown_behavior="terminate",
        update_default_version=True,
        ebs_optimized="true",
        iam_instance_profile={"arn": profile.arn},
        # Tokens only, and not from behind another hop: nothing proxied reaches the credentials.
        metadata_options={
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
            "instance_metadata_tags": "disabled",
        },
        monitoring={"enabled": True},
        network_interfaces=[
            {
                "associate_public_ip_address": "false",
                "delete_on_termination": "true",
                "security_groups": [security_group_id],
            }
        ],
        block_device_mappings=[
            {
                "device_name": ROOT_DEVICE,
                "ebs": {
                    "volume_type": "gp3",
                    "volume_size": root_volume_gib,
                    "delete_on_termination": "true",
                    "encrypted": "true",
                    "kms_key_id": disk_key_arn,
                },
            }
        ],
        tag_specifications=[
            {"resource_type": kind, "tags": tags} for kind in ("instance", "volume")
        ],
        tags=tags,
        opts=opts,
    )


def group_tags(tags: Mapping[str, str]) -> list[aws.autoscaling.GroupTagArgs]:
    """The tags as an Auto Scaling group takes them, for its instances too."""
    return [
        aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=True)
        for key, value in tags.items()
    ]
