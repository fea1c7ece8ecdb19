"""Runs functions: builds their sandboxes, keeps warm ones, invokes, and reports.

An environment serves one call at a time and is kept for the next one, as on AWS; after a timeout,
an exit or a lack of memory it is thrown away. A change of code or configuration retires it.
"""

import datetime
import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from localcloud.cloud import Cloud
from localcloud.functions import limits, observations, recipes, results
from localcloud.functions.environments import Answer, ExecutionEnvironment
from localcloud.functions.results import Result
from localcloud.permissions import credentials

if TYPE_CHECKING:
    from localcloud.fabric import NetworkInterface
    from localcloud.functions.model import LocalFunction

# Lambda ends an import after 10 s and repeats it within the function's own time limit
# (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html).
_INIT_SECONDS = 10
# AWS keeps an idle environment for minutes; nobody may rely on how many.
_IDLE_SECONDS = 300
_REAP_SECONDS = 15
# Credentials of a warm environment are renewed by starting a new one before they end.
_CREDENTIAL_MARGIN = datetime.timedelta(hours=1)


class TooManyRequestsError(Exception):
    """The function's reserved concurrency is used up."""


class FunctionPlane:
    """The data plane of Lambda for one local cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        # Warm environments by function ARN; each remembers what it was built from.
        self._idle: dict[str, list[tuple[str, ExecutionEnvironment]]] = {}
        self._busy: Counter[str] = Counter()
        self._running: set[ExecutionEnvironment] = set()
        self._interfaces: dict[str, NetworkInterface] = {}
        self._expiry: dict[ExecutionEnvironment, datetime.datetime] = {}
        threading.Thread(target=self._reap, name="functions-idle", daemon=True).start()

    # Interfaces

    def connect(self, function: "LocalFunction") -> None:
        """Give the function the interface its VpcConfig asks for, or take it away."""
        name = function.function_name
        subnets, groups = function.subnet_ids, function.security_group_ids
        current = self._interfaces.get(name)
        if current and subnets and current.subnet_id in subnets:
            if list(current.security_group_ids) != groups:
                self.cloud.fabric.set_security_groups(current, groups)
            return
        self.disconnect(name)
        if subnets:
            self._interfaces[name] = self.cloud.fabric.attach(
                name=f"fn-{name}", subnet_id=subnets[0], security_group_ids=groups
            )

    def disconnect(self, name: str) -> None:
        """Detach the function's interface, if it has one."""
        interface = self._interfaces.pop(name, None)
        if interface:
            self._retire(_in_vpc, name)
            self.cloud.fabric.detach(interface)

    # Invocation

    def invoke(
        self,
        function: "LocalFunction",
        event: str,
        *,
        request_id: str | None = None,
        client_context: Any = None,
    ) -> Result:
        """Run the handler with `event` (JSON text) and wait for its end.

        Raises TooManyRequestsError when the reserved concurrency is used up, LocalCloudError when
        the sandbox cannot be made.
        """
        request_id = request_id or str(uuid.uuid4())
        request = {
            "request_id": request_id,
            "event": event,
            "function_arn": function.function_arn,
            "client_context": client_context,
        }
        arn = function.function_arn
        with self._lock:
            limit = function.reserved_concurrency
            if limit is not None and self._busy[arn] >= int(limit):
                raise TooManyRequestsError(f"Rate Exceeded: {arn} runs {limit} times already.")
            self._busy[arn] += 1
        environment: ExecutionEnvironment | None = None
        try:
            generation = recipes.generation(function)
            environment, start = self._acquire(function, generation)
            answer, duration_ms = _call(environment, start, request, function.timeout)
            result = self._finish(function, environment, answer, duration_ms, request_id)
            self._release(function, generation, environment, answer)
            return result
        except BaseException:
            if environment:
                self._discard(environment)
            raise
        finally:
            with self._lock:
                self._busy[arn] -= 1

    def _finish(
        self,
        function: "LocalFunction",
        environment: ExecutionEnvironment,
        answer: Answer,
        duration_ms: float,
        request_id: str,
    ) -> Result:
        payload, error, addition, status = results.from_answer(answer, request_id, function.timeout)
        output = answer.log.decode("utf-8", "replace")
        if output and not output.endswith("\n"):
            output += "\n"
        log = (
            f"START RequestId: {request_id} Version: {function.version}\n{output}{addition}"
            f"END RequestId: {request_id}\n"
            + results.report(
                request_id, duration_ms, function.memory_size, answer.memory_mib, status
            )
        )
        account, region = function.account_id, function.region
        if function.may("logs:PutLogEvents", function.log_group_arn):
            observations.write_log(account, region, function.log_group, environment.log_stream, log)
        metrics = {
            "Invocations": (1.0, "Count"),
            "Errors": (1.0 if error else 0.0, "Count"),
            "Throttles": (0.0, "Count"),
            "Duration": (round(duration_ms, 2), "Milliseconds"),
        }
        observations.put_metrics(account, region, function.function_name, metrics)
        return Result(payload, error, log, duration_ms, str(function.version))

    # Environments

    def _acquire(
        self, function: "LocalFunction", generation: str
    ) -> tuple[ExecutionEnvironment, Answer | None]:
        """Return a warm environment and None, or a new one and how its start went."""
        now = datetime.datetime.now(datetime.UTC)
        stale: list[ExecutionEnvironment] = []
        found: ExecutionEnvironment | None = None
        with self._lock:
            idle = self._idle.get(function.function_arn, [])
            while idle and not found:
                built_from, candidate = idle.pop()
                if built_from == generation and self._expiry[candidate] - _CREDENTIAL_MARGIN > now:
                    found = candidate
                    self._running.add(candidate)
                else:
                    stale.append(candidate)
        for environment in stale:
            self._discard(environment)
        if found:
            return found, None
        return self._start(function)

    def _start(self, function: "LocalFunction") -> tuple[ExecutionEnvironment, Answer]:
        folder = self.cloud.home.functions / "environments" / uuid.uuid4().hex[:8]
        interface = self._interfaces.get(function.function_name)
        today = datetime.datetime.now(datetime.UTC)
        stream = f"{today:%Y/%m/%d}/[{function.version}]{uuid.uuid4().hex}"
        session = credentials.assume(
            function.account_id,
            function.region,
            function.role,
            function.function_name,
            conditions={"lambda:SourceFunctionArn": function.unqualified_arn},
        )
        environment = ExecutionEnvironment(
            self.cloud.home.prefix,
            folder,
            recipes.sandbox(self.cloud, function, interface, self._lock),
            recipes.variables(self.cloud, function, interface, stream, session),
        )
        with self._lock:
            self._running.add(environment)
            self._expiry[environment] = session.expires_at
        try:
            start = environment.wait_until_ready(max(_INIT_SECONDS, function.timeout))
        except BaseException:
            self._discard(environment)
            raise
        return environment, start

    def _release(
        self,
        function: "LocalFunction",
        generation: str,
        environment: ExecutionEnvironment,
        answer: Answer,
    ) -> None:
        reusable = answer.reason == "answered" and environment.calls > 0
        if not reusable or self._stopping.is_set():
            self._discard(environment)
            return
        with self._lock:
            self._running.discard(environment)
            environment.idle_since = time.monotonic()
            self._idle.setdefault(function.function_arn, []).append((generation, environment))

    def _discard(self, environment: ExecutionEnvironment) -> None:
        with self._lock:
            self._running.discard(environment)
            self._expiry.pop(environment, None)
        environment.close()

    def _retire(
        self, condition: Callable[[ExecutionEnvironment], bool], function_name: str | None = None
    ) -> None:
        """Close the idle environments for which `condition` holds."""
        closing: list[ExecutionEnvironment] = []
        with self._lock:
            for arn, idle in self._idle.items():
                if function_name and f":function:{function_name}" not in arn:
                    continue
                closing += [environment for _, environment in idle if condition(environment)]
                idle[:] = [pair for pair in idle if not condition(pair[1])]
        for environment in closing:
            self._discard(environment)

    def forget(self, function: "LocalFunction") -> None:
        """The function is deleted: close its environments and detach its interface."""
        self._retire(_everything, function.function_name)
        self.disconnect(function.function_name)

    def _reap(self) -> None:
        while not self._stopping.wait(_REAP_SECONDS):
            self._retire(_idle_for_long)

    def stop(self) -> None:
        """End every environment and detach every interface."""
        self._stopping.set()
        self._retire(_everything)
        with self._lock:
            running = list(self._running)
        for environment in running:
            environment.close()
        for name in list(self._interfaces):
            self.disconnect(name)
        shutil.rmtree(self.cloud.home.functions / "environments", ignore_errors=True)
        limits.remove_parent(self.cloud.home.prefix)


def _call(
    environment: ExecutionEnvironment,
    start: Answer | None,
    request: dict[str, Any],
    timeout_seconds: int,
) -> tuple[Answer, float]:
    """Hand over the request unless the start has failed; return the answer and milliseconds."""
    if start and not start.message.get("ready"):
        return start, 0.0
    begin = time.monotonic()
    deadline_ms = int((time.time() + timeout_seconds) * 1000)
    answer = environment.call({**request, "deadline_ms": deadline_ms}, timeout_seconds)
    if start:
        answer.log = start.log + answer.log
    return answer, (time.monotonic() - begin) * 1000


def _everything(environment: ExecutionEnvironment) -> bool:
    del environment
    return True


def _in_vpc(environment: ExecutionEnvironment) -> bool:
    return environment.sandbox.namespace_path is not None


def _idle_for_long(environment: ExecutionEnvironment) -> bool:
    return environment.idle_since < time.monotonic() - _IDLE_SECONDS
