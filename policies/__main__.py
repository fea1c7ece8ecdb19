"""Entry point of the policy pack: `python -m pulumi.policy` runs this folder.

So does `python policies` by itself, which is sooner there: of Pulumi's SDK the pack needs only the
messages of the engine's protocol, and then loads nothing else of it.
"""

from __future__ import annotations

import gc
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def _load_package() -> None:
    """Imports this folder as the package `policies`, whatever it is called where it was put."""
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        "policies", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder} has no __init__.py: copy the whole folder of the policy pack.")
    package = importlib.util.module_from_spec(spec)
    sys.modules["policies"] = package
    spec.loader.exec_module(package)


def _protocol_alone() -> None:
    """Makes `pulumi.runtime.proto` importable without what else its packages import.

    They take longer to load than all rules. `python -m pulumi.policy` has loaded them already:
    then there is nothing to spare.
    """
    if "pulumi" in sys.modules:
        return
    found = importlib.util.find_spec("pulumi")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("the policy pack needs the package `pulumi`: pip install pulumi.")
    folder = Path(found.submodule_search_locations[0])
    for name, place in (
        ("pulumi", folder),
        ("pulumi.runtime", folder / "runtime"),
        ("pulumi.runtime.proto", folder / "runtime" / "proto"),
    ):
        package = ModuleType(name)
        package.__path__ = [str(place)]
        sys.modules[name] = package


if __name__ == "__main__":
    gc.disable()  # Imports make nothing that could be collected; `serve` switches it on again.
    _protocol_alone()
    _load_package()

    from policies.analyzer import serve

    serve()
