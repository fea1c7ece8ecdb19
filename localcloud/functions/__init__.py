"""Lambda's data plane: functions run from their real archives, in a sandbox of their own."""

from moto.core.config import default_user_config

from localcloud.cloud import Cloud

_installed: dict[str, object] = {}


def install(cloud: Cloud) -> None:
    """Replace moto's Lambda backend by one whose functions run; before moto's first use."""
    from localcloud.functions.asynchronous import AsynchronousInvoker
    from localcloud.functions.model import replace_backend
    from localcloud.functions.plane import FunctionPlane

    # Roles attach AWS's own policies (AWSLambdaVPCAccessExecutionRole); moto has their texts.
    default_user_config.setdefault("iam", {"load_aws_managed_policies": True})[
        "load_aws_managed_policies"
    ] = True
    plane = FunctionPlane(cloud)
    invoker = AsynchronousInvoker(plane)
    replace_backend(plane, invoker)
    _installed.update(plane=plane, invoker=invoker)


def shutdown(cloud: Cloud) -> None:
    """End every function process, mount and interface of this cloud."""
    from localcloud.functions.asynchronous import AsynchronousInvoker
    from localcloud.functions.plane import FunctionPlane

    del cloud
    invoker, plane = _installed.pop("invoker", None), _installed.pop("plane", None)
    if isinstance(invoker, AsynchronousInvoker):
        invoker.stop()
    if isinstance(plane, FunctionPlane):
        plane.stop()
