"""Makes the database's roles and privileges exactly those of a role manifest."""

from operations.roles.apply import Result, apply
from operations.roles.safety import check

__all__ = ["Result", "apply", "check"]
