"""What AWS and PostgreSQL offer and refuse, read from data that others keep up to date.

botocore's service models (ranges and choices), cfn-lint's bundled schemas (instance classes by
region, engine versions and their end), PostgreSQL's own `pg_settings`. Nothing here asks AWS.
"""
