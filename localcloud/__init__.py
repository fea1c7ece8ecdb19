"""A local AWS: moto as the control plane, with real hosts, databases and functions behind it."""
