"""The tables: one module a theme, one entry a resource type."""
