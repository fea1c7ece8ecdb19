"""Applies a workload's SQL migrations, each once, each in its own transaction."""

from operations.migrations.runner import Result, run

__all__ = ["Result", "run"]
