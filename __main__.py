"""pgkeep: settings in, platform out."""

import pulumi

from components.platform import Platform
from stacks.settings import SettingsError, load

try:
    raw = pulumi.Config().require_object("settings")
    settings = load(raw, pulumi.get_stack(), pulumi.Config("aws").get("region"))
except SettingsError as error:
    stack = pulumi.get_stack()
    raise pulumi.RunError(f"stacks/Pulumi.{stack}.yaml cannot be deployed:\n{error}") from None

for name, value in Platform("pgkeep", settings).exports.items():
    pulumi.export(name, value)
