"""moto's Lambda with our own data plane: functions that run, and every property readable back."""

import json
import re
import uuid
from typing import Any, ClassVar

from moto.awslambda import models
from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.awslambda.models import EventInvokeConfig, LambdaBackend, LambdaFunction, lambda_backends
from moto.core.utils import iso_8601_datetime_with_nanoseconds
from moto.ec2.models import ec2_backends

from localcloud.errors import LocalCloudError
from localcloud.functions import archives, destinations
from localcloud.functions.asynchronous import AsynchronousInvoker
from localcloud.functions.plane import FunctionPlane, TooManyRequestsError
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
# Properties that moto drops: kept as they came.
_KEPT = {"DeadLetterConfig", "LoggingConfig", "FileSystemConfigs", "SnapStart", "RuntimeConfig"}


class _RefusedError(LambdaClientError):
    """An error with a status of its own."""

    def __init__(self, status: int, name: str, message: str) -> None:
        self.code = status
        super().__init__(name, message)


class LocalFunction(LambdaFunction):
    """A function that runs from its real archive and layers."""

    plane: ClassVar[FunctionPlane]
    invoker: ClassVar[AsynchronousInvoker]

    def __init__(
        self, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1
    ) -> None:
        _check(spec, account_id, region)
        self.kept: dict[str, Any] = {name: spec[name] for name in _KEPT if spec.get(name)}
        self.revision_id = str(uuid.uuid4())
        super().__init__(account_id, spec, region, version)
        self._check_archive()

    def _check_archive(self) -> None:
        try:
            archives.unpack(self.code_bytes, self.plane.cloud.home.functions / "code", "var/task")
        except LocalCloudError as error:
            raise InvalidParameterValueException(str(error)) from error

    @property
    def subnet_ids(self) -> list[str]:
        """Subnets of the VpcConfig; none for a function outside any VPC."""
        return list((self._vpc_config or {}).get("SubnetIds") or [])

    @property
    def security_group_ids(self) -> list[str]:
        """Security groups of the VpcConfig."""
        return list((self._vpc_config or {}).get("SecurityGroupIds") or [])

    @property
    def vpc_config(self) -> dict[str, Any] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The VpcConfig with the VPC's real id."""
        if not self.subnet_ids:
            return None
        subnet: Any = ec2_backends[self.account_id][self.region].get_subnet(self.subnet_ids[0])
        return {
            "Ipv6AllowedForDualStack": False,
            **(self._vpc_config or {}),
            "VpcId": subnet.vpc_id,
        }

    @property
    def unqualified_arn(self) -> str:
        """The function's ARN without a version."""
        prefix = f"arn:aws:lambda:{self.region}:{self.account_id}:function:"
        return f"{prefix}{self.function_name}"

    @property
    def log_group(self) -> str:
        """The log group of the LoggingConfig, else the default one."""
        return self.kept.get("LoggingConfig", {}).get("LogGroup") or self.logs_group_name

    @property
    def log_group_arn(self) -> str:
        """ARN of the log group's streams, as IAM sees it."""
        group = f"log-group:{self.log_group}:log-stream:*"
        return f"arn:aws:logs:{self.region}:{self.account_id}:{group}"

    def may(self, action: str, resource: str) -> bool:
        """Whether the function's role allows what Lambda does in its name."""
        return enforcement.role_may(self.account_id, self.region, self.role, action, resource)

    def logging_variables(self) -> dict[str, str]:
        """AWS_LAMBDA_LOG_FORMAT and _LEVEL of the LoggingConfig."""
        config = self.kept.get("LoggingConfig", {})
        variables = {"AWS_LAMBDA_LOG_FORMAT": config.get("LogFormat", "Text")}
        if level := config.get("ApplicationLogLevel"):
            variables["AWS_LAMBDA_LOG_LEVEL"] = level
        return variables

    def layer_contents(self) -> list[bytes]:
        """The archives of the layers, in the function's order."""
        backend: Any = lambda_backends[self.account_id][self.region]
        found = [backend.layers_versions_by_arn(layer["Arn"]) for layer in self.layers]
        return [version.code_bytes for version in found]

    def get_configuration(self, on_create: bool = False) -> dict[str, Any]:
        """The configuration as AWS gives it, with what moto leaves out."""
        config: dict[str, Any] = super().get_configuration(on_create)
        defaults = {"LogFormat": "Text", "LogGroup": self.log_group}
        config["LoggingConfig"] = {**defaults, **self.kept.get("LoggingConfig", {})}
        for name in _KEPT - {"LoggingConfig"}:
            if name in self.kept:
                config[name] = self.kept[name]
        config["RevisionId"] = self.revision_id
        return {name: value for name, value in config.items() if value is not None}

    def update_configuration(self, config_updates: dict[str, Any]) -> dict[str, Any]:
        """Apply every property of UpdateFunctionConfiguration; moto knows only some."""
        current = {**self.get_configuration(), "Role": self.role}
        _check({**current, **config_updates}, self.account_id, self.region)
        super().update_configuration(config_updates)
        for name in _KEPT & config_updates.keys():
            self.kept[name] = config_updates[name]
        if "EphemeralStorage" in config_updates:
            self.ephemeral_storage = config_updates["EphemeralStorage"]["Size"]
        if "TracingConfig" in config_updates:
            self.tracing_config = config_updates["TracingConfig"]
        if "KMSKeyArn" in config_updates:
            self.kms_key_arn = config_updates["KMSKeyArn"] or None
        self._touch()
        self.plane.connect(self)
        return self.get_configuration()

    def update_function_code(self, updated_spec: dict[str, Any]) -> dict[str, Any]:
        """Replace the code; the next invocation runs it."""
        super().update_function_code(updated_spec)
        if architectures := updated_spec.get("Architectures"):
            self.architectures = architectures
        self._check_archive()
        self._touch()
        return self.get_configuration()

    def _touch(self) -> None:
        self.revision_id = str(uuid.uuid4())
        self.last_modified = iso_8601_datetime_with_nanoseconds()

    def invoke(self, body: str, request_headers: Any, response_headers: Any) -> str | bytes:
        """Serve Invoke: RequestResponse, Event or DryRun (header X-Amz-Invocation-Type)."""
        kind = request_headers.get("x-amz-invocation-type") or request_headers.get(
            "X-Amz-Invocation-Type", "RequestResponse"
        )
        event = _checked_event(body, kind)
        response_headers["x-amz-executed-version"] = str(self.version)
        if kind == "DryRun":
            return ""
        if kind == "Event":
            self.invoker.submit(self, event)
            return ""
        try:
            result = self.plane.invoke(self, event)
        except TooManyRequestsError as error:
            raise _RefusedError(429, "TooManyRequestsException", str(error)) from error
        except LocalCloudError as error:
            raise _RefusedError(502, "InvalidRuntimeException", str(error)) from error
        if result.error:
            response_headers["x-amz-function-error"] = result.error
        response_headers["x-amz-log-result"] = result.log_tail
        return result.payload.encode()


def _checked_event(body: str, kind: str) -> str:
    event = body or "{}"
    limit = _MAXIMUM_PAYLOAD_BYTES.get(kind, 0)
    size = len(event.encode())
    if limit and size > limit:
        message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
        raise _RefusedError(413, "RequestTooLargeException", f"{message}; it has {size}.")
    try:
        json.loads(event)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise _RefusedError(400, "InvalidRequestContentException", message) from error
    return event


def _check(spec: dict[str, Any], account_id: str, region: str) -> None:
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


class LocalLambdaBackend(LambdaBackend):
    """moto's Lambda backend; functions get and lose their interfaces with their life."""

    def create_function(self, spec: dict[str, Any]) -> LambdaFunction:
        """Create the function and its interface; nothing is left when one of them fails."""
        function = super().create_function(spec)
        if isinstance(function, LocalFunction):
            try:
                LocalFunction.plane.connect(function)
            except LocalCloudError as error:
                super().delete_function(function.function_name)
                raise InvalidParameterValueException(str(error)) from error
        return function

    def delete_function(self, function_name: str, qualifier: str | None = None) -> None:
        """Delete the function; without a qualifier also what it runs on."""
        function = self.get_function(function_name, qualifier)
        super().delete_function(function_name, qualifier)
        if not qualifier and isinstance(function, LocalFunction):
            LocalFunction.plane.forget(function)

    def put_function_event_invoke_config(
        self, function_name: str, config: dict[str, Any]
    ) -> dict[str, Any]:
        """Replace the configuration; moto keeps answering with the first one."""
        function: Any = self.get_function(function_name)
        event_config = EventInvokeConfig(
            f"{function.function_arn}:$LATEST", function.last_modified, _without_function(config)
        )
        function.event_invoke_config = [event_config]
        return event_config.response()

    def update_function_event_invoke_config(
        self, function_name: str, config: dict[str, Any]
    ) -> dict[str, Any]:
        """Change only what is given."""
        function: Any = self.get_function(function_name)
        before = function.event_invoke_config[0].config if function.event_invoke_config else {}
        return self.put_function_event_invoke_config(
            function_name, {**before, **_without_function(config)}
        )


def _without_function(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "FunctionName"}


def replace_backend(plane: FunctionPlane, invoker: AsynchronousInvoker) -> None:
    """Put this backend in moto's place; before moto's first use of Lambda."""
    LocalFunction.plane, LocalFunction.invoker = plane, invoker
    # moto finds a backend's URLs and resets by the module its class says it is from.
    LocalLambdaBackend.__module__ = LambdaBackend.__module__
    LocalLambdaBackend.__name__ = LambdaBackend.__name__
    models.LambdaFunction = LocalFunction  # pyright: ignore[reportPrivateImportUsage]
    lambda_backends.backend = LocalLambdaBackend
