"""Stack configuration: one Pulumi.<environment>.yaml an environment and the schema they obey."""
