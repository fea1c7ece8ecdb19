"""What is provisioned: one component a file, composed by `components.platform`."""
