"""What Lambda refuses at create, update and invoke, and what cannot run in the local cloud."""

import json
import re
from typing import Any

from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.ec2.models import ec2_backends

from localcloud.functions import destinations
from localcloud.permissions import enforcement, roles

# The base image has this runtime and the machine this architecture.
RUNTIME = "python3.13"

# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html: reserved names.
RESERVED_VARIABLES = frozenset(
    {
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
    }
)  # fmt: skip
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
_MAXIMUM_ENVIRONMENT_BYTES = 4096
_MAXIMUM_LAYERS = 5
_MEMORY_MIB = range(128, 10_241)
_TIMEOUT_SECONDS = range(1, 901)
_MAXIMUM_PAYLOAD_BYTES = {"RequestResponse": 6_291_456, "Event": 1_048_576}
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html: what Lambda does as the role.
_VPC_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DeleteNetworkInterface",
)


class RefusedError(LambdaClientError):
    """An error with a status of its own."""

    def __init__(self, status: int, name: str, message: str) -> None:
        self.code = status
        super().__init__(name, message)


def checked_event(body: str, kind: str) -> str:
    """The event of an invocation; refuses what is no JSON or too large."""
    event = body or "{}"
    limit = _MAXIMUM_PAYLOAD_BYTES.get(kind, 0)
    size = len(event.encode())
    if limit and size > limit:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        raise RefusedError(413, "RequestTooLargeException", f"{message}; it has {size}.")
    try:
        json.loads(event)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise RefusedError(400, "InvalidRequestContentException", message) from error
    return event


def check(spec: dict[str, Any], account_id: str, region: str) -> None:
    """Refuse what AWS refuses at create and update, and what cannot run here."""
    name = spec.get("FunctionName", "")
    if not re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", name.rpartition(":")[2]):
        raise InvalidParameterValueException(
            f"FunctionName {name!r} must have 1 to 64 letters, digits, hyphens or underscores."
        )
    runtime = spec.get("Runtime")
    if runtime != RUNTIME:
        raise InvalidParameterValueException(
            f"Runtime {runtime!r} of {name} cannot run in the local cloud: it has {RUNTIME} only."
        )
    for field, value, allowed in (
        ("MemorySize", spec.get("MemorySize", 128), _MEMORY_MIB),
        ("Timeout", spec.get("Timeout", 3), _TIMEOUT_SECONDS),
    ):
        if value not in allowed:
            raise InvalidParameterValueException(
                f"{field} {value} of {name} is not within {allowed[0]} and {allowed[-1]}."
            )
    variables: dict[str, str] = (spec.get("Environment") or {}).get("Variables") or {}
    if reserved := sorted(RESERVED_VARIABLES & variables.keys()):
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    size = len(json.dumps(variables, separators=(",", ":")).encode()) if variables else 0
    if size > _MAXIMUM_ENVIRONMENT_BYTES:
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment "
            f"variables you have provided exceeded the {_MAXIMUM_ENVIRONMENT_BYTES} bytes limit: "
            f"they have {size}."
        )
    if len(spec.get("Layers") or []) > _MAXIMUM_LAYERS:
        raise InvalidParameterValueException(f"Layers of {name}: at most {_MAXIMUM_LAYERS}.")
    _check_role(spec, account_id, region)
    _check_network(spec, account_id, region)
    _check_queue(spec, account_id, region)


def _check_role(spec: dict[str, Any], account_id: str, region: str) -> None:
    role = spec["Role"]
    if not roles.trusts(account_id, role, "lambda.amazonaws.com"):
        raise InvalidParameterValueException(
            "The role defined for the function cannot be assumed by Lambda."
        )
    if (spec.get("VpcConfig") or {}).get("SubnetIds"):
        interfaces = f"arn:aws:ec2:{region}:{account_id}:network-interface/*"
        for action in _VPC_ACTIONS:
            # Only the read actions of EC2 know no resources.
            resource = "*" if ":Describe" in action else interfaces
            context = {"aws:requestedregion": region}
            if not roles.allows(account_id, role, action, resource, context):
                raise InvalidParameterValueException(
                    "The provided execution role does not have permissions to call "
                    f"{action.partition(':')[2]} on EC2"
                )


def _check_queue(spec: dict[str, Any], account_id: str, region: str) -> None:
    target = (spec.get("DeadLetterConfig") or {}).get("TargetArn")
    if not target:
        return
    action = destinations.ACTIONS.get(target.split(":")[2], "sqs:SendMessage")
    if not enforcement.role_may(account_id, region, spec["Role"], action, target):
        service, _, name = action.partition(":")
        raise InvalidParameterValueException(
            "The provided execution role does not have permissions to call "
            f"{name} on {service.upper()}"
        )


def _check_network(spec: dict[str, Any], account_id: str, region: str) -> None:
    config = spec.get("VpcConfig") or {}
    backend: Any = ec2_backends[account_id][region]
    for subnet_id in config.get("SubnetIds") or []:
        if not any(subnet_id in by_id for by_id in backend.subnets.values()):
            raise InvalidParameterValueException(f"The subnet ID '{subnet_id}' does not exist")
    if config.get("SubnetIds") and not config.get("SecurityGroupIds"):
        raise InvalidParameterValueException("SecurityGroupIds are required with SubnetIds.")
    for group_id in config.get("SecurityGroupIds") or []:
        if not backend.get_security_group_from_id(group_id):
            raise InvalidParameterValueException(
                f"Error occurred while DescribeSecurityGroups. EC2 Error Code: "
                f"InvalidGroup.NotFound. The security group '{group_id}' does not exist"
            )
