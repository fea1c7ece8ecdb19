"""What runs on an EC2 host: PgBouncer, its configuration and the refresher of its credentials."""
