"""The one way from the provider to AWS's API: cached botocore clients, errors in one line.

The endpoint is always the local cloud's and the credentials are always its fixed ones: whatever
stands in the user's environment or files, nothing here can reach an AWS account.
"""

import json
import os
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from localcloud.provider.errors import CancelledError, NotFoundError, ProviderError, RefusedError

ACCOUNT_ID: Final = "123456789012"
DEFAULT_REGION: Final = "eu-west-1"
ENDPOINT_VARIABLE: Final = "PGKEEP_LOCALCLOUD_ENDPOINT"
OFFLINE_VARIABLE: Final = "PGKEEP_OFFLINE_PREVIEW"
# Lambda's own limit is 900 s, plus the time to start.
_CALL_SECONDS: Final = 960
# Codes of operations that succeed later by themselves: something else is still letting go.
TRANSIENT_CODES: Final = frozenset({"DependencyViolation", "DeleteConflict", "ResourceInUse"})


@dataclass(frozen=True)
class Settings:
    """Where the provider works. `endpoint` is empty in an offline preview."""

    endpoint: str
    offline: bool
    region: str = DEFAULT_REGION

    @staticmethod
    def from_environment(region: str = DEFAULT_REGION) -> "Settings":
        """Reads the two variables; refuses when neither says where to work."""
        endpoint = os.environ.get(ENDPOINT_VARIABLE, "")
        offline = os.environ.get(OFFLINE_VARIABLE, "") not in ("", "0", "false")
        if endpoint:
            host = urllib.parse.urlparse(endpoint).hostname
            if host not in ("127.0.0.1", "localhost", "::1"):
                raise ProviderError(
                    f"{ENDPOINT_VARIABLE}={endpoint} refused: the local cloud is only ever at a "
                    "loopback address (default http://127.0.0.1:4780)"
                )
        elif not offline:
            raise ProviderError(
                f"the local cloud's address is not set: run `make up`, or set {ENDPOINT_VARIABLE} "
                f"(default http://127.0.0.1:4780), or {OFFLINE_VARIABLE}=1 for a preview"
            )
        return Settings(endpoint, offline and not endpoint, region)


class Aws:
    """Clients and shapes of AWS's services in one region of the local cloud."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cancelled = threading.Event()
        self._clients: dict[tuple[str, str], Any] = {}
        self._models: dict[str, Any] = {}
        self._lock = threading.RLock()

    @cached_property
    def _session(self) -> Any:
        import botocore.session

        session = botocore.session.Session()
        session.set_credentials("local", "local")
        return session

    def service_model(self, service: str) -> Any:
        """botocore's model of a service (its operations and shapes)."""
        with self._lock:
            if service not in self._models:
                self._models[service] = self._session.get_service_model(service)
            return self._models[service]

    def input_shape(self, service: str, operation: str) -> Any:
        """The request shape of an operation."""
        return self.service_model(service).operation_model(operation).input_shape

    def _client(self, service: str, region: str) -> Any:
        from botocore.config import Config

        with self._lock:
            key = (service, region)
            if key not in self._clients:
                self._clients[key] = self._session.create_client(
                    service,
                    region_name=region,
                    endpoint_url=self.settings.endpoint,
                    config=Config(
                        # A try that broke off may have made the resource; a second one would say
                        # that it exists.
                        retries={"total_max_attempts": 1},
                        # urllib3 also gives sending the whole request no more than this, and a
                        # function's archive takes a busy machine long. It delays no refusal: a
                        # loopback connection is made or refused by the kernel at once.
                        connect_timeout=_CALL_SECONDS,
                        read_timeout=_CALL_SECONDS,
                        max_pool_connections=64,
                        s3={"addressing_style": "path"},
                        proxies={},
                    ),
                )
            return self._clients[key]

    def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        subject: str,
        region: str = "",
        not_found: frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        """Calls an operation. `subject` names the resource in errors; codes among `not_found` (or
        that plainly say so) raise NotFoundError."""
        from botocore import exceptions, xform_name
        from botocore.parsers import ResponseParserError

        if self.settings.offline:
            raise ProviderError(
                f"{operation} refused {subject}: this is an offline preview "
                f"({OFFLINE_VARIABLE}=1), which changes nothing; run `make up` for a local cloud"
            )
        client = self._client(service, region or self.settings.region)
        try:
            return getattr(client, xform_name(operation))(**parameters)
        except exceptions.ClientError as error:
            details = error.response.get("Error", {})
            code = str(details.get("Code", "Unknown"))
            if "<html" in str(details.get("Message")):
                raise _unimplemented(operation, subject) from None
            message = " ".join(str(details.get("Message", error)).split())
            if code in not_found:
                raise NotFoundError(f"{operation} refused {subject}: {message} ({code})") from None
            raise RefusedError(operation, subject, code, message) from None
        except exceptions.ParamValidationError as error:
            report = "; ".join(str(error).splitlines()[1:]) or str(error)
            raise ProviderError(f"{operation} refused {subject}: {report}") from None
        except (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError):
            raise ProviderError(
                f"the local cloud does not answer at {self.settings.endpoint} ({operation} for "
                f"{subject}): start it with `make up`, its log is .localcloud/daemon.log"
            ) from None
        except exceptions.HTTPClientError as error:
            message = str(error).rstrip(".")
            raise ProviderError(
                f"{operation} of {subject} broke off: {message}; .localcloud/daemon.log says "
                "what became of it; then run `make up` again"
            ) from None
        except ResponseParserError:
            raise _unimplemented(operation, subject) from None

    def wait(
        self,
        probe: Callable[[], str | None],
        *,
        subject: str,
        timeout_seconds: float,
        interval_seconds: float = 0.25,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Polls until `probe` returns None (done); what it returns otherwise is what is waited for.

        Raises CancelledError when the engine stops, ProviderError when the time is over.
        """
        started = time.monotonic()
        shown = ""
        while (pending := probe()) is not None:
            passed = time.monotonic() - started
            if passed > timeout_seconds:
                raise ProviderError(
                    f"{subject} was not ready after {timeout_seconds:.0f} seconds: {pending}"
                )
            if progress is not None and (passed > 1 and pending != shown):
                progress(pending)
                shown = pending
            # Grows to 1 s: quick for what takes a second, quiet for what takes minutes.
            if self.cancelled.wait(min(1.0, interval_seconds + passed / 20)):
                raise CancelledError(f"stopped while waiting for {subject}: {pending}")


def _unimplemented(operation: str, subject: str) -> ProviderError:
    # moto answers both with a page of HTML.
    return ProviderError(
        f"{operation} of {subject}: the local cloud has no such operation, or failed in it; its "
        "log says which (.localcloud/daemon.log)"
    )


def same_json(left: Any, right: Any) -> bool:
    """Whether two JSON texts say the same (order of keys and white space aside)."""
    if not isinstance(left, str) or not isinstance(right, str):
        return False
    try:
        return json.loads(left) == json.loads(right)
    except ValueError:
        return False
