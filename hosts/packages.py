"""Debian's packages that a pooler host needs, and nothing else installs."""

PACKAGES = ("pgbouncer", "postgresql-client-17", "python3-boto3", "unattended-upgrades")
