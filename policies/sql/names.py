"""Names that stand for others."""

from __future__ import annotations

from typing import Final

#: Objects of one schema that stand for all that no file names.
EVERY_OTHER: Final = "*"
#: A name that only the running statement knows. No role has it, so that what it is given is told.
ANY_NAME: Final = "<any name>"
