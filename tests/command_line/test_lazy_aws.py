"""The provider's services load name by name, and give the same names as when they are loaded whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pulumi_aws
import pytest

from pgkeep.lazy_aws import exports

SERVICES = Path(pulumi_aws.__file__).parent
NAMES = """
import json, sys, types
if sys.argv[1] == "lazily":
    from pgkeep.lazy_aws import exports, load_lazily
    load_lazily()
import importlib
from pathlib import Path
package = importlib.import_module(f"pulumi_aws.{sys.argv[2]}")
package.outputs  # pulumi loads a service at its first attribute
loaded = sum(name.startswith(package.__name__ + ".") for name in sys.modules)
names = exports(Path(package.__file__)) if sys.argv[1] == "lazily" else dir(package)
found = {name: getattr(package, name) for name in names if not name.startswith("_")}
modules = {n for n, value in found.items() if isinstance(value, types.ModuleType)}
values = {n: getattr(v, "__module__", "") + repr(v) for n, v in found.items() if n not in modules}
shown = {n: v.split(" at 0x")[0] for n, v in values.items()}
print(json.dumps({"loaded": loaded, "outputs": "outputs" in modules, "values": shown}))
"""


def names_of(how: str, service: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", NAMES, how, service], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("service", ["s3", "lambda_", "kms"])
def test_the_names_and_what_they_stand_for_are_the_same(service: str) -> None:
    lazily, whole = names_of("lazily", service), names_of("whole", service)
    assert lazily["values"] == whole["values"]
    assert lazily["outputs"]
    assert whole["loaded"] > 15
    assert lazily["loaded"] <= 2  # outputs, and the choices that it names


@pytest.mark.parametrize(
    ("line", "understood"),
    [
        ("from .key import *", True),
        ("from . import outputs", True),
        ("import typing", True),
        ("# a comment", True),
        ("from .absent import *", False),
        ("from .unlisted import *", False),
        ("VERSION = 1", False),
        ("from . import vars", False),
    ],
)
def test_a_package_that_does_anything_else_is_loaded_whole(
    line: str, understood: bool, tmp_path: Path
) -> None:
    (tmp_path / "key.py").write_text("import typing\n\n__all__ = ['KeyArgs',\n 'Key']\n")
    (tmp_path / "unlisted.py").write_text("class Other: ...\n")
    package = tmp_path / "__init__.py"
    package.write_text(f"# coding=utf-8\nfrom .key import *\n{line}\n")
    found = exports(package)
    assert (found is not None) == understood
    if found is not None:
        assert {name: found[name] for name in ("KeyArgs", "Key")} == {
            "KeyArgs": "key",
            "Key": "key",
        }


def test_services_that_the_program_uses_are_understood() -> None:
    whole = {file.parent.name for file in SERVICES.glob("*/__init__.py") if exports(file) is None}
    assert whole <= {"config", "lex"}


PROGRAM = """
import json, sys
from pgkeep.app import app
if sys.argv[1] == "whole":
    from pgkeep.check import command
    command.load_lazily = lambda: None
try:
    app(["check", "dev", "--json"], standalone_mode=False)
finally:
    print(sum(name.startswith("pulumi_aws.") for name in sys.modules), file=sys.stderr)
"""


def test_a_stack_is_judged_as_with_all_modules_and_loads_less_than_half() -> None:
    found = {
        how: subprocess.run(
            [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=False
        )
        for how in ("lazily", "whole")
    }
    assert found["lazily"].stdout == found["whole"].stdout
    assert json.loads(found["lazily"].stdout)["stacks"][0]["source"] == "dev"
    lazily, whole = (int(one.stderr.split()[-1]) for one in found.values())
    assert lazily < whole / 2
