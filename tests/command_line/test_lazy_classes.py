"""Classes that are made one by one are those that the generated modules declare."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pulumi_aws
import pytest

from pgkeep.lazy_classes import class_bodies

SERVICES = Path(pulumi_aws.__file__).parent
TYPES = """
import json, sys
if sys.argv[1] == "lazily":
    from pgkeep.lazy_aws import load_lazily
    load_lazily()
from importlib import import_module
import pulumi._types as types

def described(cls):
    properties = [(name, pulumi) for name, pulumi, _ in types._py_properties(cls)]
    hints = types._types_from_py_properties(cls)
    return [[base.__name__ for base in cls.__mro__], str(properties), str(hints),
            sorted(getattr(cls, "__required_keys__", ())), str(getattr(cls, "__annotations__", "")),
            sorted(vars(cls)), cls.__module__, cls.__qualname__, cls.__doc__]

resources = [name.split(".") for name in sys.argv[2:]]
found = {}
for service, module, name in resources:
    loaded = import_module(f"pulumi_aws.{service}.{module}")
    for one in (name, f"{name}Args", f"_{name}State"):
        found[f"{service}.{one}"] = described(getattr(loaded, one))
for service in sorted({service for service, _, _ in resources}):
    for kind in ("_inputs", "outputs"):
        classes = vars(import_module(f"pulumi_aws.{service}.{kind}"))
        found |= {
            f"{service}.{kind}.{name}": described(value)
            for name, value in list(classes.items())
            if isinstance(value, type) and value.__module__ == classes["__name__"]
        }
print(json.dumps(found))
"""
# Nested and repeated inputs, choices, a service that names another's types, write-only arguments.
RESOURCES = (
    "ec2.launch_template.LaunchTemplate",
    "cloudwatch.metric_alarm.MetricAlarm",
    "lambda_.function.Function",
    "s3.bucket_lifecycle_configuration.BucketLifecycleConfiguration",
    "rds.instance.Instance",
    "iam.policy.Policy",
    "wafv2.web_acl.WebAcl",
)


def types_of(how: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TYPES, how, *RESOURCES],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_the_classes_and_the_types_of_their_properties_are_the_same() -> None:
    lazily, whole = types_of("lazily"), types_of("whole")
    assert lazily.keys() <= whole.keys()
    different = {name for name, value in lazily.items() if value != whole[name]}
    assert not different
    assert {"ec2._inputs.LaunchTemplateBlockDeviceMappingEbsArgs"} <= lazily.keys()
    assert {"ec2.outputs.LaunchTemplateBlockDeviceMapping"} <= lazily.keys()
    assert len(lazily) < len(whole) / 3


@pytest.mark.parametrize(
    ("line", "understood"),
    [
        ("", True),
        ("from .. import iam as _iam", True),
        ("TIMEOUT = 3", False),
        ("import json", False),
        ("class Other(json.JSONEncoder): ...", False),
        ("__all__ += ['Third', 'Fourth', 'Fifth']", False),
    ],
)
def test_a_module_with_anything_else_is_run_as_always(line: str, understood: bool) -> None:
    source = f"""
import builtins as _builtins
import pulumi
from typing import TypedDict
__all__ = ['FirstArgs', 'FirstArgsDict', 'SecondArgs', 'SecondArgsDict']
class FirstArgsDict(TypedDict): ...
@pulumi.input_type
class FirstArgs: ...
class SecondArgsDict(TypedDict): ...
@pulumi.input_type
class SecondArgs: ...
{line}
"""
    found = class_bodies(compile(source, "_inputs.py", "exec"), "_inputs")
    assert (found is not None) == understood


@pytest.mark.parametrize("kind", ["_inputs", "outputs"])
def test_every_service_with_many_classes_is_understood(kind: str) -> None:
    whole: list[str] = []
    for service in ("ec2", "s3", "rds", "lambda_", "lb", "autoscaling", "cloudwatch", "scheduler"):
        name = f"pulumi_aws.{service}.{kind}"
        code = SourceFileLoader(name, str(SERVICES / service / f"{kind}.py")).get_code(name)
        assert code is not None
        if class_bodies(code, kind) is None:
            whole.append(service)
    assert not whole
