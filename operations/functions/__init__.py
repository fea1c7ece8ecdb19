"""Lambda handlers: event and environment in, JSON out. The work is done in the other packages."""
