"""Health of load balancer targets: the check itself, and the states AWS reports from it.

States and reasons are those of DescribeTargetHealth ("Health checks for Network Load Balancer
target groups").
"""

import http.client
import socket
import ssl
from dataclasses import dataclass
from typing import Any

INITIAL, HEALTHY, UNHEALTHY, DRAINING, UNUSED = (
    "initial",
    "healthy",
    "unhealthy",
    "draining",
    "unused",
)


# A new target is looked at this often until it passes: each node of AWS's balancer checks it on
# its own, so that it is found sooner than the interval says.
INITIAL_INTERVAL_SECONDS = 1.0


@dataclass(frozen=True)
class HealthCheck:
    """How a target group's targets are checked."""

    # TCP, HTTP or HTTPS.
    protocol: str
    # None: the port the target is registered with ("traffic-port").
    port: int | None
    path: str
    # Accepted HTTP status codes, such as "200-399" or "200,201".
    http_codes: str
    interval_seconds: float
    timeout_seconds: float
    healthy_threshold: int
    unhealthy_threshold: int


@dataclass(frozen=True)
class CheckResult:
    """Outcome of one check; reason and description as AWS words them, empty if it passed."""

    passed: bool
    reason: str = ""
    description: str = ""


@dataclass
class TargetHealth:
    """The state of one registered target."""

    state: str = INITIAL
    reason: str = "Elb.RegistrationInProgress"
    description: str = "Target registration is in progress"
    # When it was registered (monotonic seconds).
    since: float = 0.0
    # Consecutive results that speak against the state.
    contrary: int = 0

    def record(self, result: CheckResult, check: HealthCheck, now: float) -> None:
        """Take one result into account that came at `now` (monotonic seconds).

        A new target is healthy at the first check it passes, and unhealthy when it has passed
        none for as long as the threshold's checks take. Afterwards the state changes after as
        many consecutive results as the threshold says.
        """
        if self.state == INITIAL:
            patience_seconds = check.unhealthy_threshold * check.interval_seconds
            if result.passed or now - self.since >= patience_seconds:
                self._become(result)
            else:
                self.reason = "Elb.InitialHealthChecking"
                self.description = "Initial health checks in progress"
            return
        if self.state not in (HEALTHY, UNHEALTHY):
            return
        if result.passed == (self.state == HEALTHY):
            self.contrary = 0
            if not result.passed:
                self.reason, self.description = result.reason, result.description
            return
        self.contrary += 1
        threshold = check.healthy_threshold if result.passed else check.unhealthy_threshold
        if self.contrary >= threshold:
            self._become(result)

    def _become(self, result: CheckResult) -> None:
        self.state = HEALTHY if result.passed else UNHEALTHY
        self.reason, self.description, self.contrary = result.reason, result.description, 0


def read_check(group: Any) -> HealthCheck:
    """Read a target group of moto's ELBv2 backend."""
    port = str(group.health_check_port or "traffic-port")
    matcher = getattr(group, "matcher", None) or {}
    return HealthCheck(
        protocol=str(group.health_check_protocol or "TCP").upper(),
        port=int(port) if port.isdecimal() else None,
        path=group.health_check_path or "/",
        # Default of Network Load Balancers; moto's 200 is that of application ones.
        http_codes=str(matcher.get("HttpCode") or "200-399"),
        interval_seconds=float(group.health_check_interval_seconds),
        timeout_seconds=float(group.health_check_timeout_seconds),
        healthy_threshold=int(group.healthy_threshold_count),
        unhealthy_threshold=int(group.unhealthy_threshold_count),
    )


def run_check(address: str, port: int, check: HealthCheck) -> CheckResult:
    """Check one target once, from the namespace of the calling thread."""
    port = check.port or port
    try:
        if check.protocol == "TCP":
            with socket.create_connection((address, port), timeout=check.timeout_seconds):
                return CheckResult(True)
        status = _http_status(address, port, check)
    except TimeoutError:
        return CheckResult(False, "Target.Timeout", "Request timed out")
    except (OSError, http.client.HTTPException):
        return CheckResult(False, "Target.FailedHealthChecks", "Health checks failed")
    if _accepts(check.http_codes, status):
        return CheckResult(True)
    return CheckResult(
        False,
        "Target.ResponseCodeMismatch",
        f"Health checks failed with these codes: [{status}]",
    )


def _http_status(address: str, port: int, check: HealthCheck) -> int:
    if check.protocol == "HTTPS":
        # As on AWS, where the load balancer does not verify its targets' certificates.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            address, port, timeout=check.timeout_seconds, context=context
        )
    else:
        connection = http.client.HTTPConnection(address, port, timeout=check.timeout_seconds)
    try:
        connection.request("GET", check.path, headers={"User-Agent": "ELB-HealthChecker/2.0"})
        return connection.getresponse().status
    finally:
        connection.close()


def _accepts(codes: str, status: int) -> bool:
    for part in codes.split(","):
        first, _, last = part.partition("-")
        if int(first) <= status <= int(last or first):
            return True
    return False
