"""Every failure is answered in the service's own format, never as an HTML page.

moto answers what it does not implement with a page of HTML and status 500, which clients retry
and then cannot read.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, request
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse
from moto.moto_server import werkzeug_app
from moto.s3.responses import S3Response
from werkzeug.exceptions import MethodNotAllowed, NotFound

from localcloud.defects.concurrency import settled
from localcloud.permissions.enforcement import AccessDeniedError

_log = logging.getLogger(__name__)

_FORBIDDEN = 403
_INTERNAL = 500
# Clients do not retry 501.
_NOT_IMPLEMENTED = 501

_moto_call: Any = BaseResponse.call_action


class LocalFailureError(ServiceException):
    """An answer that no AWS service gives. moto finds an error's format by its class's module."""


def _not_implemented(response: Any, error: NotImplementedError) -> ServiceException:
    action = response._get_action() or response.path
    return LocalFailureError(
        "NotImplemented",
        f"The local cloud does not have {response.service_name}:{action} ({error}).",
    )


def _internal(response: Any, error: Exception) -> ServiceException:
    _log.exception("%s %s", response.service_name, response.uri)
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return LocalFailureError("InternalFailure", f"The local cloud failed: {text}; see its log.")


def _answer(response: Any, error: ServiceException, status: int | None) -> Any:
    given_status, headers, body = response.serialized(ActionResult(error))
    headers, body = response._enrich_response(headers, body)
    # The server reads the status from the headers as well.
    code = status or given_status
    headers["status"] = str(code)
    return code, headers, body


def call_action(response: Any) -> Any:
    """Run moto's action; turn whatever escapes it into an answer."""
    return _guarded(response, lambda: settled(lambda: _moto_call(response)))


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

    def guarded(response: Any, *arguments: Any) -> Any:
        # What an upload sent is read once.
        reads = request.method in ("GET", "HEAD")

        def run() -> Any:
            return original(response, *arguments)

        return _guarded(response, (lambda: settled(run)) if reads else run)

    setattr(S3Response, name, guarded)


class _AnsweringFlask(Flask):
    """moto makes one of these a service; an unknown path is an operation that moto lacks."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for missing in (NotFound, MethodNotAllowed):
            self.register_error_handler(missing, _unknown_path)


def _unknown_path(error: Exception) -> Any:
    del error
    message = f"The local cloud does not have {request.method} {request.path}."
    body = json.dumps({"__type": "NotImplemented", "message": message})
    headers = {"Content-Type": "application/json", "x-amzn-errortype": "NotImplemented"}
    return body, _NOT_IMPLEMENTED, headers


def install() -> None:
    """Guard every action; before moto's first use."""
    setattr(werkzeug_app, "Flask", _AnsweringFlask)  # noqa: B010
    setattr(BaseResponse, "call_action", call_action)  # noqa: B010
    for name in ("bucket_response", "key_response"):
        _guard(name)
