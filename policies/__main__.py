"""Entry point of the policy pack: `python -m pulumi.policy` runs this folder."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


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


if __name__ == "__main__":
    _load_package()

    from policies.analyzer import serve

    serve()
