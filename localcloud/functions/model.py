"""moto's Lambda with our own data plane: functions that run, and every property readable back."""

import uuid
from pathlib import Path
from typing import Any, ClassVar

from moto.awslambda import models
from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import (
    EventInvokeConfig,
    LambdaBackend,
    LambdaFunction,
    LayerVersion,
    lambda_backends,
)
from moto.core.utils import iso_8601_datetime_with_nanoseconds
from moto.ec2.models import ec2_backends

from localcloud.errors import LocalCloudError
from localcloud.functions import archives
from localcloud.functions.asynchronous import AsynchronousInvoker
from localcloud.functions.plane import FunctionPlane, TooManyRequestsError
from localcloud.functions.validation import RefusedError, check, checked_event
from localcloud.permissions import enforcement

# Properties that moto drops: kept as they came.
_KEPT = {"DeadLetterConfig", "LoggingConfig", "FileSystemConfigs", "SnapStart", "RuntimeConfig"}


class LocalFunction(LambdaFunction):
    """A function that runs from its real archive and layers."""

    plane: ClassVar[FunctionPlane]
    invoker: ClassVar[AsynchronousInvoker]

    def __init__(
        self, account_id: str, spec: dict[str, Any], region: str, version: str | int = 1
    ) -> None:
        check(spec, account_id, region)
        self.kept: dict[str, Any] = {name: spec[name] for name in _KEPT if spec.get(name)}
        self.revision_id = str(uuid.uuid4())
        super().__init__(account_id, spec, region, version)
        self.code_folder = self._unpack()

    def _unpack(self) -> Path:
        folder = _unpacked(self.code_bytes, self.plane, "code", "var/task")
        # On disk now: a stack's functions share one archive, and moto would keep it for each.
        self.code_bytes = b""
        self.code.pop("ZipFile", None)
        return folder

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

    def layer_folders(self) -> list[Path]:
        """The unpacked layers, in the function's order."""
        backend: Any = lambda_backends[self.account_id][self.region]
        found = [backend.layers_versions_by_arn(layer["Arn"]) for layer in self.layers]
        return [version.code_folder for version in found]

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
        check({**current, **config_updates}, self.account_id, self.region)
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
        if self.code_bytes:
            self.code_folder = self._unpack()
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
        event = checked_event(body, kind)
        response_headers["x-amz-executed-version"] = str(self.version)
        if kind == "DryRun":
            return ""
        if kind == "Event":
            self.invoker.submit(self, event)
            return ""
        try:
            result = self.plane.invoke(self, event)
        except TooManyRequestsError as error:
            raise RefusedError(429, "TooManyRequestsException", str(error)) from error
        except LocalCloudError as error:
            raise RefusedError(502, "InvalidRuntimeException", str(error)) from error
        if result.error:
            response_headers["x-amz-function-error"] = result.error
        response_headers["x-amz-log-result"] = result.log_tail
        return result.payload.encode()


class LocalLayerVersion(LayerVersion):
    """A layer that is unpacked when it is published."""

    def __init__(self, spec: dict[str, Any], account_id: str, region: str) -> None:
        super().__init__(spec, account_id, region)
        self.code_folder = _unpacked(self.code_bytes, LocalFunction.plane, "layers", "opt")
        self.code_bytes = b""
        self.content = {name: text for name, text in self.content.items() if name != "ZipFile"}


def _unpacked(archive: bytes, plane: FunctionPlane, store: str, mount_point: str) -> Path:
    try:
        return archives.unpack(archive, plane.cloud.home.functions / store, mount_point)
    except LocalCloudError as error:
        raise InvalidParameterValueException(str(error)) from error


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
    models.LayerVersion = LocalLayerVersion  # pyright: ignore[reportPrivateImportUsage]
    lambda_backends.backend = LocalLambdaBackend
