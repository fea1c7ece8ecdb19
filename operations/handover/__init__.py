"""Backups that do not fit into a function's time: handed over, followed, and ended for certain."""
