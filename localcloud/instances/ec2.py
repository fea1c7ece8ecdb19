"""Hooks into moto's EC2: what it writes down becomes a running host."""

from typing import Any

from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.responses.general import General

from localcloud.instances.amis import machine_architecture
from localcloud.instances.hosts import Hosts

_run_instances = InstanceBackend.run_instances
_modify_security_groups = InstanceBackend.modify_instance_security_groups
_console_output = General.get_console_output


def hook(hosts: Hosts) -> None:
    """Let the instances of the cloud's account and region be real; others stay moto's records."""
    ec2 = hosts.ec2

    def run_instances(
        backend: Any,
        image_id: str,
        count: int,
        user_data: Any,
        security_group_names: list[str],
        **inputs: Any,
    ) -> Any:
        groups = security_group_names
        if backend is not ec2:
            return _run_instances(backend, image_id, count, user_data, groups, **inputs)
        profile = _complete_from_template(backend, inputs)
        _check_image(backend, image_id, inputs)
        reservation = _run_instances(backend, image_id, count, user_data, groups, **inputs)
        for instance in reservation.instances:
            _complete_groups(backend, instance)
            if profile:
                backend.associate_iam_instance_profile(instance.id, **profile)
            hosts.launch(instance)
        return reservation

    def modify_security_groups(backend: Any, instance_id: str, new_group_id_list: list[str]) -> Any:
        instance = _modify_security_groups(backend, instance_id, new_group_id_list)
        if backend is ec2:
            hosts.set_security_groups(instance, new_group_id_list)
        return instance

    def get_console_output(response: Any) -> Any:
        answer = _console_output(response)
        result: Any = answer.result
        console = hosts.console(result["InstanceId"])
        if console is not None:
            text = console.decode(errors="replace")
            result["Output"] = Base64EncodedString.from_raw_string(text)
        return answer

    hooks: list[tuple[type, str, Any]] = [
        (InstanceBackend, "run_instances", run_instances),
        (InstanceBackend, "modify_instance_security_groups", modify_security_groups),
        (General, "get_console_output", get_console_output),
    ]
    for owner, name, function in hooks:
        setattr(owner, name, function)
    for name in ("terminate", "stop", "start", "reboot"):
        _hook_instance(hosts, name)


def _hook_instance(hosts: Hosts, name: str) -> None:
    original = getattr(Instance, f"_moto_{name}", getattr(Instance, name))
    ours = getattr(hosts, name)

    def method(instance: Any) -> Any:
        return (ours if instance.ec2_backend is hosts.ec2 else original)(instance)

    setattr(Instance, f"_moto_{name}", original)
    setattr(Instance, name, method)


def _complete_from_template(backend: Any, inputs: dict[str, Any]) -> dict[str, str]:
    """Take over what moto leaves in the launch template; return its instance profile."""
    if not inputs.get("launch_template"):
        return {}
    data = backend._get_template_from_args(inputs["launch_template"]).data
    if not inputs.get("metadata_options"):
        inputs["metadata_options"] = data.get("MetadataOptions") or {}
    behaviour = data.get("InstanceInitiatedShutdownBehavior")
    inputs["instance_initiated_shutdown_behavior"] = (
        inputs.get("instance_initiated_shutdown_behavior") or behaviour
    )
    interfaces = data.get("NetworkInterfaces") or []
    if interfaces and not inputs.get("nics") and not inputs.get("security_group_ids"):
        inputs["security_group_ids"] = list(interfaces[0].get("Groups") or [])
        inputs["subnet_id"] = inputs.get("subnet_id") or interfaces[0].get("SubnetId")
    if inputs.get("iam_instance_profile_name") or inputs.get("iam_instance_profile_arn"):
        return {}
    profile = data.get("IamInstanceProfile") or {}
    names = {"Name": "iam_instance_profile_name", "Arn": "iam_instance_profile_arn"}
    return {names[key]: value for key, value in profile.items()}


def _check_image(backend: Any, image_id: str, inputs: dict[str, Any]) -> None:
    if not image_id and inputs.get("launch_template"):
        image_id = backend._get_template_from_args(inputs["launch_template"]).image_id
    image = backend.amis.get(image_id)
    if image is None:
        raise InvalidAMIIdError(image_id)
    if image.architecture != machine_architecture():
        raise EC2ClientError(
            "InvalidParameterValue",
            f"The image {image_id} is for {image.architecture}; hosts of the local cloud run on "
            f"this machine's processor, {machine_architecture()}. Use the image for that.",
        )


def _complete_groups(backend: Any, instance: Any) -> None:
    """Let the instance have the groups of its interface, or its VPC's default group, as on AWS."""
    if not instance.security_groups:
        instance.security_groups = list(instance.nics[0].group_set)
    if not instance.security_groups:
        default = backend.get_default_security_group(instance.vpc_id)
        instance.security_groups = [default] if default else []
