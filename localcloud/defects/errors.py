"""Every failure is answered in the service's own format, never as an HTML page.

moto answers what it does not implement with a page of HTML and status 500, which clients retry
and then cannot read.
"""

import logging
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.s3.responses import S3Response

from localcloud.permissions.enforcement import AccessDeniedError

_log = logging.getLogger(__name__)

_FORBIDDEN = 403
_INTERNAL = 500
# Clients do not retry 501.
_NOT_IMPLEMENTED = 501

_moto_call: Any = BaseResponse.call_action


def _not_implemented(response: Any, error: NotImplementedError) -> ServiceException:
    action = response._get_action() or response.path
    return ServiceException(
        "NotImplemented",
        f"The local cloud does not have {response.service_name}:{action} ({error}).",
    )


def _internal(response: Any, error: Exception) -> ServiceException:
    _log.exception("%s %s", response.service_name, response.uri)
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return ServiceException("InternalFailure", f"The local cloud failed: {text}; see its log.")


def _answer(response: Any, error: ServiceException, status: int | None) -> Any:
    given_status, headers, body = response.serialized(ActionResult(error))
    headers, body = response._enrich_response(headers, body)
    # The server reads the status from the headers as well.
    code = status or given_status
    headers["status"] = str(code)
    return code, headers, body


def call_action(response: Any) -> Any:
    """Run moto's action; turn whatever escapes it into an answer."""
    return _guarded(response, lambda: _moto_call(response))


def _guarded(response: Any, run: Callable[[], Any]) -> Any:
    try:
        return run()
    except AccessDeniedError as error:
        return _answer(response, error, _FORBIDDEN)
    except ServiceException as error:
        return _answer(response, error, None)
    except NotImplementedError as error:
        return _answer(response, _not_implemented(response, error), _NOT_IMPLEMENTED)
    except Exception as error:
        return _answer(response, _internal(response, error), _INTERNAL)


def _guard(name: str) -> None:
    original: Any = getattr(S3Response, name)

    def guarded(response: Any, request: Any, full_url: str, headers: Any) -> Any:
        return _guarded(response, lambda: original(response, request, full_url, headers))

    setattr(S3Response, name, guarded)


def install() -> None:
    """Guard every action; before moto's first use."""
    setattr(BaseResponse, "call_action", call_action)  # noqa: B010
    for name in ("bucket_response", "key_response"):
        _guard(name)
