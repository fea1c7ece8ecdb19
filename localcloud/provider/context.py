"""One request of the engine for one resource, and how to wait and fail within it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.provider.aws import ACCOUNT_ID, Aws
from localcloud.provider.errors import (
    InitializationError,
    NotFoundError,
    ProviderError,
    RefusedError,
)

# Property sets of tables, and sets of error codes and states.
Names = frozenset[str]
NO_NAMES: Names = frozenset()


def names(text: str) -> Names:
    """A set of names from a readable line of them."""
    return frozenset(text.split())


@dataclass
class Context:
    """One request of the engine for one resource."""

    aws: Aws
    name: str
    token: str
    service: str
    inputs: dict[str, Any]
    old_inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    state: dict[str, Any] = field(default_factory=dict[str, Any])
    # Outputs read so far in this request, for parameters of further reads.
    observed: dict[str, Any] = field(default_factory=dict[str, Any])
    id: str = ""
    region: str = ""
    timeout_seconds: float = 0.0
    progress: Callable[[str], None] = lambda _message: None
    not_found: Names = NO_NAMES

    @property
    def subject(self) -> str:
        """The resource as errors name it."""
        return f"{self.token.rsplit(':', 1)[-1]} {self.name}"

    def call(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Calls an operation for this resource."""
        return self.aws.call(
            service,
            operation,
            parameters,
            subject=self.subject,
            region=self.region,
            not_found=self.not_found,
        )

    def fill(self, template: Any) -> Any:
        """A parameter template with its `$names` looked up."""
        if isinstance(template, str) and template.startswith("$"):
            key = template[1:]
            if key == "id":
                return self.id
            for known in (self.inputs, self.observed, self.state):
                if key in known:
                    return known[key]
            return None
        if isinstance(template, list | tuple):
            return [self.fill(item) for item in template]
        if isinstance(template, Mapping):
            return {key: self.fill(item) for key, item in template.items()}
        return template

    def wait(self, probe: Callable[[], str | None], default_seconds: float) -> None:
        """Waits until `probe` returns None, for the resource's own timeout or else the default."""
        self.aws.wait(
            probe,
            subject=self.subject,
            timeout_seconds=self.timeout_seconds or default_seconds,
            progress=self.progress,
        )

    def format(self, template: str) -> str:
        """A text with `{region}`, `{account}`, `{id}` and inputs filled in."""
        return template.format(
            **{**self.inputs, "region": self.region, "account": ACCOUNT_ID, "id": self.id}
        )


def call_until_free(
    context: Context,
    service: str,
    operation: str,
    parameters: Mapping[str, Any],
    *,
    retry_codes: Names,
    timeout_seconds: float = 300.0,
) -> None:
    """Calls a delete; codes among `retry_codes` are tried again until the timeout, as AWS needs
    time to let go of what depended on the resource. Not found is success."""

    def probe() -> str | None:
        try:
            context.call(service, operation, **parameters)
        except NotFoundError:
            return None
        except RefusedError as error:
            if error.code not in retry_codes:
                raise
            return str(error)
        return None

    context.wait(probe, timeout_seconds)


class keeping:  # noqa: N801 — reads as a statement: with keeping(context)
    """Turns an error after creation into one that keeps the created resource in the state."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, InitializationError) or not isinstance(error, ProviderError):
            return
        if self._context.id and not self._context.state:
            state = dict(self._context.inputs)
            raise InitializationError(self._context.id, state, str(error)) from None
