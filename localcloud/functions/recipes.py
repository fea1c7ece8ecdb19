"""What an execution environment is made of: layers of its root, limits, environment variables."""

import hashlib
import json
import threading
from typing import TYPE_CHECKING

from localcloud.cloud import Cloud
from localcloud.functions import environments
from localcloud.functions.environments import Sandbox
from localcloud.permissions.credentials import RoleCredentials

if TYPE_CHECKING:
    from localcloud.fabric import NetworkInterface
    from localcloud.functions.model import LocalFunction


def generation(function: "LocalFunction") -> str:
    """Changes with whatever a warm environment would have wrong."""
    description = json.dumps(
        [function.get_configuration(), sorted(function.environment_vars.items())], default=str
    )
    return hashlib.sha256(description.encode()).hexdigest()


def sandbox(
    cloud: Cloud,
    function: "LocalFunction",
    interface: "NetworkInterface | None",
    lock: threading.Lock,
) -> Sandbox:
    """Root, namespace and limits of the function; `lock` guards what functions share."""
    runtime = cloud.home.functions / "runtimes" / (interface.vpc_id if interface else "internet")
    with lock:
        if not runtime.is_dir():
            runtime.parent.mkdir(parents=True, exist_ok=True)
            environments.write_runtime(
                runtime,
                cloud.image,
                interface.resolver if interface else None,
                cloud.services_authority.certificate_pem,
            )
    # A later layer covers an earlier one, as on AWS.
    layers = reversed(function.layer_folders())
    return Sandbox(
        layers=(runtime, function.code_folder, *layers, cloud.image),
        namespace_path=interface.namespace_path if interface else None,
        memory_mib=int(function.memory_size),
        tmp_mib=int(function.ephemeral_storage),
    )


def variables(
    cloud: Cloud,
    function: "LocalFunction",
    interface: "NetworkInterface | None",
    stream: str,
    session: RoleCredentials,
) -> dict[str, str]:
    """The environment of the process.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    values = {
        "_HANDLER": str(function.handler),
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": stream,
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:"
        "/var/task:/var/task/lib:/opt/lib",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "PYTHONPATH": "/var/runtime",
        # Lambda's code folder is read-only; compiled files would have nowhere to go.
        "PYTHONDONTWRITEBYTECODE": "1",
        "SSL_CERT_FILE": "/var/runtime/ca-cert.pem",
        "AWS_CA_BUNDLE": "/var/runtime/ca-cert.pem",
        "TZ": ":UTC",
        **function.logging_variables(),
    }
    if interface is None:
        # Without a VPC a function reaches AWS over the internet: here, the daemon itself.
        values["AWS_ENDPOINT_URL"] = cloud.home.endpoint_url
    return {**values, **{k: str(v) for k, v in function.environment_vars.items()}}
