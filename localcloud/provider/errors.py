"""What the provider refuses. Every message is one line for the person who ran Pulumi."""


class ProviderError(Exception):
    """A refusal: what was refused, of which resource, why, and what to do."""


class NotFoundError(ProviderError):
    """The resource does not exist (any more)."""


class CancelledError(ProviderError):
    """The engine asked to stop while the provider was waiting."""


class RefusedError(ProviderError):
    """AWS's API refused an operation; `code` is AWS's error code."""

    def __init__(self, operation: str, subject: str, code: str, message: str) -> None:
        self.operation = operation
        self.code = code
        super().__init__(f"{operation} refused {subject}: {message} ({code})")


class UnsupportedPropertyError(ProviderError):
    """A property that the local cloud cannot carry out; `path` is its path in the inputs."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"property {path}: {reason}")


class InitializationError(ProviderError):
    """The resource exists but is not ready: its id and state must be kept, so that it can be seen
    and destroyed."""

    def __init__(self, identifier: str, state: dict[str, object], reason: str) -> None:
        self.identifier = identifier
        self.state = state
        super().__init__(reason)
