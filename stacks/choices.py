"""What AWS offers a choice of, where a setting takes one of it."""

from __future__ import annotations

from typing import Literal

# Up to ten years. AWS CloudWatch Logs API reference: PutRetentionPolicy.
LogRetentionDays = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
]  # fmt: skip

# 7 days, months of 31 days, and two years. AWS RDS API reference: CreateDBInstance.
InsightsRetentionDays = Literal[
    7, 31, 62, 93, 124, 155, 186, 217, 248, 279, 310, 341, 372, 403, 434, 465, 496, 527, 558, 589,
    620, 651, 682, 713, 731,
]  # fmt: skip
LogExport = Literal["postgresql", "upgrade", "iam-db-auth-error"]
# AWS RDS user guide: Amazon RDS event categories and event messages (DB instance).
EventCategory = Literal[
    "availability", "backup", "configuration change", "creation", "deletion", "failover", "failure",
    "low storage", "maintenance", "notification", "read replica", "recovery", "restoration",
    "security", "security patching",
]  # fmt: skip
