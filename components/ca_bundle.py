"""The roots that functions and pooler hosts verify the database against."""

from __future__ import annotations

import os
import re

import pulumi

from components.deployment import Deployment
from components.function_code import REPOSITORY

_VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)(?::-([^}]*))?\}")
_BEGIN = "-----BEGIN CERTIFICATE-----"


def expand(path: str, region: str) -> str:
    """`{region}`, `${VARIABLE}` and `${VARIABLE:-default}` replaced, as a shell would.

    An empty variable counts as unset.
    """
    filled = _VARIABLE.sub(lambda match: os.environ.get(match[1]) or match[2] or "", path)
    return filled.replace("{region}", region)


def read_ca_bundle(deployment: Deployment) -> str:
    """The PEM text at `database.ca_bundle_path`.

    At a preview a missing file is a warning: the local cloud makes its bundle when it starts.

    Raises:
        pulumi.RunError: when the file is missing at an update, or holds no certificate.
    """
    setting = deployment.settings.database.ca_bundle_path
    path = REPOSITORY / expand(setting, deployment.region)
    if not path.is_file():
        mistake = (
            f"database.ca_bundle_path: {setting!r} refused, must be a file: {path} does not exist "
            "and clients could not verify the database. Start the local cloud or name a bundle."
        )
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(mistake)
        pulumi.log.warn(mistake)
        return ""
    text = path.read_text(encoding="ascii")
    if _BEGIN not in text:
        raise pulumi.RunError(
            f"database.ca_bundle_path: {setting!r} refused, must hold PEM certificates: {path} has "
            "none. Take the region's bundle from AWS."
        )
    return text
