"""From what the program wrote to what is sent: default tags, names and defaults of pulumi-aws."""

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from localcloud.provider import sdk_types
from localcloud.provider.aws import Aws
from localcloud.provider.errors import ProviderError, UnsupportedPropertyError
from localcloud.provider.resource import Resource
from localcloud.provider.sdk_types import Failure
from localcloud.provider.wire import contains_unknown

# Where pulumi-aws keeps the names of the inputs that the program did not write itself.
DEFAULTS_KEY = "__defaults"


def complete(
    resource: Resource,
    written: Mapping[str, Any],
    olds: Mapping[str, Any],
    *,
    name: str,
    seed: bytes,
    default_tags: Mapping[str, str],
) -> dict[str, Any]:
    """The written inputs with default tags, the automatic name and the type's defaults."""
    inputs = {k: v for k, v in written.items() if v is not None and not k.startswith("__")}
    defaulted: list[str] = []
    own_tags = inputs.get("tags", {})
    if default_tags and resource.tags is not None and isinstance(own_tags, Mapping):
        inputs["tags"] = {**default_tags, **own_tags}
    for key, value in resource.defaults.items():
        if key not in inputs:
            inputs[key] = value
            defaulted.append(key)
    key = resource.autoname
    if key and key not in inputs and not any(inputs.get(k) for k in (key + "Prefix",)):
        old_defaults = olds.get(DEFAULTS_KEY) or []
        if key in old_defaults and isinstance(olds.get(key), str):
            inputs[key] = olds[key]
        else:
            inputs[key] = automatic_name(resource, name, seed)
        defaulted.append(key)
    inputs[DEFAULTS_KEY] = sorted(defaulted)
    return inputs


def automatic_name(resource: Resource, name: str, seed: bytes) -> str:
    """`name-1a2b3c4`, as Pulumi names what the program does not."""
    digest = hashlib.sha256(seed or os.urandom(8)).hexdigest()[:7]
    stem = name.lower() if resource.autoname in ("bucket", "identifier") else name
    return f"{stem[: resource.autoname_limit - 8]}-{digest}"


def failures(
    resource: Resource, aws: Aws, inputs: Mapping[str, Any], *, new: bool
) -> list[Failure]:
    """What is wrong with the completed inputs, beyond their types; `new` has no old ones."""
    found = [
        Failure(name, "the local cloud does not support this property")
        for name in inputs
        if name not in resource.supported | resource.common and not name.startswith("__")
    ]
    if found:
        return found
    found = resource.check(inputs) + (resource.check_new(inputs) if new else [])
    if found:
        return found
    values = {k: v for k, v in inputs.items() if not k.startswith("__")}
    try:
        requests = resource.plan(aws, values)
    except UnsupportedPropertyError as error:
        return [Failure(error.path, error.reason)]
    except ProviderError as error:
        return [Failure("", str(error))]
    return _limits(resource, aws, requests[0])


def _limits(resource: Resource, aws: Aws, request: Mapping[str, Any]) -> list[Failure]:
    # botocore knows types and minimum sizes; what is required may still come from a template.
    from botocore.validate import ParamValidator

    known = {k: v for k, v in request.items() if not contains_unknown(v)}
    shape = aws.input_shape(resource.service, resource.create_with.name)
    report = ParamValidator().validate(known, shape)
    if not report.has_errors():
        return []
    lines = report.generate_report().splitlines()
    wrong = [line for line in lines if not line.startswith("Missing required parameter in input")]
    return [Failure(_property_in(resource, line), line) for line in wrong]


def _property_in(resource: Resource, line: str) -> str:
    # "Invalid type for parameter Port, value: …" → the input that maps to Port.
    from localcloud.provider.shapes import normalised

    for name in sdk_types.input_types(resource.kind):
        member = resource.renames.get(name, name)
        if f"parameter {normalised(member)}" in line.lower().replace("_", ""):
            return name
    return ""
