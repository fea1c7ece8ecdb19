"""What an invocation returns: payload, error, log text, in the words of AWS Lambda."""

import base64
import json
from dataclasses import dataclass
from typing import Any

from localcloud.functions.environments import Answer

# LogResult holds the last 4 KB (https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html).
_LOG_TAIL_BYTES = 4096


@dataclass(frozen=True)
class Result:
    """A finished invocation; `error` is None, or what the header FunctionError says."""

    payload: str
    error: str | None
    log: str
    duration_ms: float
    executed_version: str

    @property
    def log_tail(self) -> str:
        """The end of the log as LogResult has it: base64."""
        return base64.b64encode(self.log.encode()[-_LOG_TAIL_BYTES:]).decode()


def _failure(error_type: str, message: str) -> str:
    return json.dumps({"errorType": error_type, "errorMessage": message})


def from_answer(
    answer: Answer, request_id: str, timeout_seconds: int
) -> tuple[str, str | None, str, str]:
    """Return payload, FunctionError, text to add to the log, and the status for the report."""
    prefix = f"RequestId: {request_id} Error: "
    if answer.reason == "answered":
        error: dict[str, Any] | None = answer.message.get("error")
        if error is None:
            return str(answer.message.get("result", "null")), None, "", ""
        return json.dumps(error), "Unhandled", "", f"error\tError Type: {error['errorType']}"
    if answer.reason == "timeout":
        message = f"{prefix}Task timed out after {timeout_seconds:.2f} seconds"
        return _failure("Sandbox.Timedout", message), "Unhandled", "", "timeout"
    if answer.reason == "memory":
        message = f"{prefix}Runtime exited with error: signal: killed"
        error_type = "Runtime.OutOfMemory"
    else:
        how = (
            f"exit status {answer.exit_status}"
            if answer.exit_status <= 128
            else f"signal {answer.exit_status - 128}"
        )
        message, error_type = f"{prefix}Runtime exited with error: {how}", "Runtime.ExitError"
    return (
        _failure(error_type, message),
        "Unhandled",
        f"{message}\n{error_type}\n",
        f"error\tError Type: {error_type}",
    )


def report(
    request_id: str, duration_ms: float, memory_size_mib: int, used_mib: int, status: str
) -> str:
    """The REPORT line of Lambda's log."""
    line = (
        f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
        f"Billed Duration: {int(duration_ms) + 1} ms\tMemory Size: {memory_size_mib} MB\t"
        f"Max Memory Used: {used_mib} MB\t"
    )
    return f"{line}Status: {status}\n" if status else f"{line}\n"
