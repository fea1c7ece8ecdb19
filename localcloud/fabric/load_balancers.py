"""Network Load Balancers: HAProxy in a namespace with an address in each subnet.

Each balancer has a thread that follows moto's registrations, checks the targets from inside the
balancer's namespace, so through its security groups, and tells HAProxy which of them may have
connections. What DescribeTargetHealth answers is that thread's own state.

Different from AWS: targets of all zones are used from each address (as with cross-zone load
balancing on), and targets see the balancer's address instead of the client's.
"""

import logging
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localcloud.errors import LocalCloudError
from localcloud.fabric import namespaces, targets
from localcloud.fabric.haproxy import Haproxy
from localcloud.fabric.interfaces import NetworkInterface
from localcloud.fabric.target_health import (
    DRAINING,
    HEALTHY,
    INITIAL,
    INITIAL_INTERVAL_SECONDS,
    UNHEALTHY,
    CheckResult,
    HealthCheck,
    TargetHealth,
    read_check,
    run_check,
)
from localcloud.fabric.targets import ListenerSettings, Target

logger = logging.getLogger(__name__)

# How often registrations and due checks are looked at; checks have intervals of 5 s and more.
TICK_SECONDS = 0.2


@dataclass(eq=False)
class _Watched:
    """A target as the balancer follows it."""

    target: Target
    health: TargetHealth = field(default_factory=TargetHealth)
    next_check: float = 0.0
    checking: bool = False
    # When a draining target loses its connections (monotonic seconds).
    drained_at: float = 0.0


@dataclass(eq=False)
class _Listener:
    settings: ListenerSettings
    proxy: Haproxy
    # State of each server as HAProxy was last told.
    servers: dict[str, str] = field(default_factory=dict[str, str])


class LoadBalancer:
    """The data plane of one Network Load Balancer."""

    def __init__(
        self, backend: Any, model: Any, interface: NetworkInterface, *, image: Path, folder: Path
    ) -> None:
        """Follow `model` (moto's FakeLoadBalancer of `backend`) on this interface.

        `image` is the root folder whose HAProxy is run; files of its processes go below `folder`.
        """
        self.interface = interface
        self._backend = backend
        self._model = model
        self._image = image
        self._folder = folder
        self._listeners: dict[str, _Listener] = {}
        # By target group, then by target id.
        self._watched: dict[str, dict[str, _Watched]] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to follow registrations."""
        # A thread made inside the namespace stays there, and so do the checks it starts.
        self._thread = namespaces.run_in_namespace(self.interface.namespace_path, self._follow)

    def stop(self) -> None:
        """End the thread and the processes with their connections."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            for listener in self._listeners.values():
                listener.proxy.stop()
            self._listeners = {}
            self._watched = {}
        shutil.rmtree(self._folder, ignore_errors=True)

    def reconcile(self) -> None:
        """Follow moto's listeners and registrations now. Raises LocalCloudError if it cannot."""
        with self._lock:
            if self._stopping.is_set():
                return
            wanted = targets.listeners_of(self._backend, self._model)
            for arn in set(self._listeners) - set(wanted):
                self._listeners.pop(arn).proxy.stop()
            for arn, settings in wanted.items():
                self._reconcile_listener(arn, settings)
            used = {settings.target_group_arn for settings in wanted.values()}
            for arn in set(self._watched) - used:
                del self._watched[arn]
            for arn in used:
                self._reconcile_targets(arn)
            self._tell_proxies()

    def health(self, target_group_arn: str) -> dict[str, TargetHealth] | None:
        """State of every registered or draining target by id; None if no listener uses them."""
        with self._lock:
            watched = self._watched.get(target_group_arn)
            return None if watched is None else {id_: each.health for id_, each in watched.items()}

    def draining(self, target_group_arn: str) -> list[Target]:
        """Targets that are deregistered and still have their connections."""
        with self._lock:
            watched = self._watched.get(target_group_arn, {})
            return [w.target for w in watched.values() if w.health.state == DRAINING]

    # Following

    def _follow(self) -> threading.Thread:
        name = f"load balancer {self._model.name}"
        thread = threading.Thread(target=self._run, name=name, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        last_complaint = ""
        while not self._stopping.wait(TICK_SECONDS):
            try:
                self.reconcile()
                self._start_due_checks()
                last_complaint = ""
            except Exception as error:  # the API has refused it too; the thread must go on
                if str(error) != last_complaint:
                    known = isinstance(error, LocalCloudError)
                    logger.warning("%s: %s", self._model.name, error, exc_info=not known)
                last_complaint = str(error)

    def _reconcile_listener(self, arn: str, settings: ListenerSettings) -> None:
        current = self._listeners.get(arn)
        if current is not None and current.settings == settings and current.proxy.running:
            return
        folder = self._folder / arn.rsplit("/", 1)[-1]
        proxy = (
            current.proxy
            if current is not None
            else Haproxy(self._image, folder, self.interface.namespace)
        )
        proxy.load(self._configuration(settings), threads=2)
        self._listeners[arn] = _Listener(settings, proxy)

    def _configuration(self, settings: ListenerSettings) -> str:
        idle = settings.idle_timeout_seconds
        binds = [f"  bind {address}:{settings.port}" for address in self.interface.addresses]
        return "\n".join(
            [
                "defaults",
                "  mode tcp",
                "  timeout connect 10s",
                f"  timeout client {idle}s",
                f"  timeout server {idle}s",
                # AWS's balancer passes packets on: a client whose target refuses is refused.
                "  retries 0",
                "frontend listener",
                *binds,
                "  default_backend targets",
                "backend targets",
                f"  balance {'source' if settings.sticky else 'roundrobin'}",
                "  hash-type consistent",
                "",
            ]
        )

    # Targets

    def _reconcile_targets(self, arn: str) -> None:
        group = self._backend.target_groups[arn]
        registered = targets.targets_of(self._backend.ec2_backend, group)
        watched = self._watched.setdefault(arn, {})
        now = time.monotonic()
        for id_, target in registered.items():
            current = watched.get(id_)
            if current is None or current.target != target or current.health.state == DRAINING:
                watched[id_] = _Watched(target, TargetHealth(since=now))
        for id_, current in list(watched.items()):
            if id_ in registered:
                continue
            if current.health.state != DRAINING:
                current.health = TargetHealth(
                    DRAINING,
                    "Target.DeregistrationInProgress",
                    "Target deregistration is in progress",
                )
                current.drained_at = now + targets.deregistration_delay_seconds(group)
            elif now >= current.drained_at:
                del watched[id_]

    def _start_due_checks(self) -> None:
        with self._lock:
            now = time.monotonic()
            for arn, watched in self._watched.items():
                check = read_check(self._backend.target_groups[arn])
                for each in watched.values():
                    state = each.health.state
                    if state == DRAINING or each.checking or now < each.next_check:
                        continue
                    interval = check.interval_seconds
                    if state == INITIAL:
                        interval = min(interval, INITIAL_INTERVAL_SECONDS)
                    each.checking, each.next_check = True, now + interval
                    threading.Thread(target=self._check, args=(each, check), daemon=True).start()

    def _check(self, each: _Watched, check: HealthCheck) -> None:
        result = CheckResult(False, "Elb.InternalError", "The check itself failed")
        try:
            result = run_check(each.target.address, each.target.port, check)
        finally:
            with self._lock:
                each.checking = False
                each.health.record(result, check, time.monotonic())

    # HAProxy

    def _tell_proxies(self) -> None:
        for listener in self._listeners.values():
            arn = listener.settings.target_group_arn
            proxy_protocol = targets.speaks_proxy_protocol(self._backend.target_groups[arn])
            watched = {w.target.server: w for w in self._watched.get(arn, {}).values()}
            states = _server_states(list(watched.values()))
            for server, state in states.items():
                if server not in listener.servers:
                    target = watched[server].target
                    option = " send-proxy-v2" if proxy_protocol else ""
                    self._command(
                        listener,
                        f"add server targets/{server} {target.address}:{target.port}{option}",
                        "New server registered.",
                    )
                    listener.servers[server] = "maint"
                if listener.servers[server] != state:
                    self._command(listener, f"set server targets/{server} state {state}", "")
                    listener.servers[server] = state
                    group = self._backend.target_groups[arn]
                    if watched[
                        server
                    ].health.state == UNHEALTHY and targets.terminates_unhealthy_connections(group):
                        listener.proxy.command_all(f"shutdown sessions server targets/{server}")
            terminates = targets.terminates_connections(self._backend.target_groups[arn])
            for server in set(listener.servers) - set(states):
                self._remove_server(listener, server, terminates=terminates)

    def _remove_server(self, listener: _Listener, server: str, *, terminates: bool) -> None:
        """Forget a deregistered target once its last connection has ended."""
        listener.proxy.command(f"set server targets/{server} state maint")
        if terminates:
            listener.proxy.command_all(f"shutdown sessions server targets/{server}")
        answer = listener.proxy.command(f"del server targets/{server}")
        if "deleted" in answer or "No such server" in answer:
            del listener.servers[server]
        else:
            # Connections still end: the next round tries again.
            listener.servers[server] = "maint"

    def _command(self, listener: _Listener, text: str, expected: str) -> None:
        answer = listener.proxy.command(text)
        if answer != expected:
            raise LocalCloudError(f"HAProxy refused `{text}`: {answer}")


def _server_states(watched: list[_Watched]) -> dict[str, str]:
    """Which state each server has to have in HAProxy.

    When every registered target is unhealthy all of them get connections: AWS's balancer fails
    open ("Health checks for Network Load Balancer target groups").
    """
    registered = [each.health.state for each in watched if each.health.state != DRAINING]
    fails_open = bool(registered) and all(state == UNHEALTHY for state in registered)
    states: dict[str, str] = {}
    for each in watched:
        if each.health.state == DRAINING:
            states[each.target.server] = "drain"
        elif each.health.state == HEALTHY or fails_open:
            states[each.target.server] = "ready"
        else:
            states[each.target.server] = "maint"
    return states
