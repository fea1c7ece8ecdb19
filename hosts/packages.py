"""Debian's packages that a pooler host needs, and nothing else installs."""

#: Debian has none for EC2 Instance Connect: hosts/instance_connect.py, which calls openssl.
PACKAGES = ("openssl", "pgbouncer", "postgresql-client-17", "python3-boto3", "unattended-upgrades")
