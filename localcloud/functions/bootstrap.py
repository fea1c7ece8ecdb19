"""The runtime client inside a function's sandbox: imports the handler and answers invocations.

Runs as `python3.13 bootstrap.py` with the control socket as file descriptor 3: one JSON object a
line in both directions. It stands alone: nothing of pgkeep, nothing outside the standard library,
because the sandbox holds only what Lambda's own runtime has. Messages and error shapes are those
of AWS's runtime interface client for Python (awslambdaric).
"""

# Runs on the base image's Python, where pgkeep's own packages are absent.
import datetime
import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

CONTROL_DESCRIPTOR = 3

Handler = Callable[[Any, "LambdaContext"], Any]


class LambdaContext:
    """What a handler gets as its second argument.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self.aws_request_id: str = request["request_id"]
        self.invoked_function_arn: str = request["function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context: Any = request.get("client_context")
        self.identity = None
        self.tenant_id = None
        self._deadline_ms: int = request["deadline_ms"]

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the invocation is killed; never negative."""
        return max(self._deadline_ms - int(time.time() * 1000), 0)


class _RequestFilter(logging.Filter):
    request_id = ""

    def filter(self, record: logging.LogRecord) -> bool:
        record.aws_request_id = self.request_id
        return True


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        entry: dict[str, Any] = {
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": getattr(record, "aws_request_id", ""),
        }
        if record.exc_info and record.exc_info[0]:
            entry["errorType"] = record.exc_info[0].__name__
            entry["stackTrace"] = traceback.format_exception(*record.exc_info)
        return json.dumps(entry, default=str)


def _configure_logging() -> _RequestFilter:
    request_filter = _RequestFilter()
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(request_filter)
    root = logging.getLogger()
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON":
        handler.setFormatter(_JsonFormatter())
    else:
        formatter = logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s",
            "%Y-%m-%dT%H:%M:%S",
        )
        formatter.converter = time.gmtime
        handler.setFormatter(formatter)
    if level := os.environ.get("AWS_LAMBDA_LOG_LEVEL"):
        root.setLevel({"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level))
    root.addHandler(handler)
    return request_filter


def _error(error_type: str, message: str, request_id: str = "") -> dict[str, Any]:
    body = {"errorMessage": message, "errorType": error_type}
    return {"error": {**body, "requestId": request_id, "stackTrace": []}}


def _load_handler(name: str) -> Handler | dict[str, Any]:
    module_name, _, function_name = name.rpartition(".")
    if not module_name:
        return _error("Runtime.MalformedHandlerName", f"Bad handler '{name}': not enough values")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        traceback.print_exc()
        message = f"Unable to import module '{module_name}': {error}"
        return _error("Runtime.ImportModuleError", message)
    except SyntaxError as error:
        message = f"Syntax error in module '{module_name}': {error}"
        return _error("Runtime.UserCodeSyntaxError", message)
    except Exception as error:
        traceback.print_exc()
        return _error(type(error).__name__, str(error))
    handler = getattr(module, function_name, None)
    if handler is None:
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        return _error("Runtime.HandlerNotFound", message)
    return handler


def _handle(handler: Handler, request: dict[str, Any]) -> dict[str, Any]:
    request_id: str = request["request_id"]
    try:
        event = json.loads(request["event"])
    except ValueError as error:
        message = f"Unable to unmarshal input: {error}"
        return _error("Runtime.UnmarshalError", message, request_id)
    try:
        result = handler(event, LambdaContext(request))
    except Exception as error:
        # The runtime's own frame is left out, as on AWS.
        frames = traceback.extract_tb(error.__traceback__)[1:]
        stack = traceback.format_list(frames)
        print(f"[ERROR] {type(error).__name__}: {error}\nTraceback (most recent call last):")
        print("".join(stack), flush=True)
        answer = _error(type(error).__name__, str(error), request_id)
        answer["error"]["stackTrace"] = stack
        return answer
    try:
        return {"result": json.dumps(result, ensure_ascii=False)}
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        return _error("Runtime.MarshalError", message, request_id)


def main() -> None:
    """Announce readiness or the import error, then serve until the control socket closes."""
    os.chdir(os.environ["LAMBDA_TASK_ROOT"])
    sys.path[:0] = [
        os.environ["LAMBDA_TASK_ROOT"],
        "/opt/python/lib/python3.13/site-packages",
        "/opt/python",
    ]
    request_filter = _configure_logging()
    control = socket.socket(fileno=CONTROL_DESCRIPTOR)
    control.set_inheritable(False)
    loaded = _load_handler(os.environ["_HANDLER"])
    with control, control.makefile("rb") as requests, control.makefile("wb") as answers:

        def answer(message: dict[str, Any]) -> None:
            # Logs first: whoever reads the answer then finds every line of this invocation.
            sys.stdout.flush()
            sys.stderr.flush()
            answers.write(json.dumps(message).encode() + b"\n")
            answers.flush()

        answer(loaded if isinstance(loaded, dict) else {"ready": True})
        for line in requests:
            if isinstance(loaded, dict):
                break
            request: dict[str, Any] = json.loads(line)
            request_filter.request_id = request["request_id"]
            answer(_handle(loaded, request))


if __name__ == "__main__":
    main()
