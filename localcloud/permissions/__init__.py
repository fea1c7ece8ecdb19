"""IAM in the local cloud: who asks, with which role, and whether the role's policies allow it."""
