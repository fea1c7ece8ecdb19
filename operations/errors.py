"""The one error that operations raise on purpose."""


class OperationError(Exception):
    """An operation refused to go on; the message is one line: what, why and what to do.

    In Lambda it becomes the function's `errorMessage`, so it must never hold a secret.
    """
