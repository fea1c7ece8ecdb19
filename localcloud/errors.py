"""What the local cloud refuses, in one line for the person who asked."""


class LocalCloudError(Exception):
    """One line: what was refused, the value and its limit, why, and what to do."""
