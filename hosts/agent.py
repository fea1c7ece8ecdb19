"""The host's own service: health endpoint, lifecycle hooks, draining, metrics and logs.

Runs as PgBouncer's user, by pgkeep-agent.service.
"""

import os
import sys
import threading
import time

from hosts import lifecycle, metadata, pause, pooler, services, telemetry
from hosts.health import Health, serve

_LIFECYCLE_INTERVAL_SECONDS = 5
_UNITS = ("pgbouncer.service", "pgkeep-agent.service", "pgkeep-credentials.service")


def main() -> int:
    """Serve until the host ends."""
    os.umask(0o077)
    interval_seconds = float(os.environ["HEALTH_INTERVAL_SECONDS"])
    instance_id = metadata.instance_id()
    health = Health(interval_seconds, time.monotonic())
    serve(health, metadata.own_address(), int(os.environ["HEALTH_PORT"]))
    threading.Thread(target=_check_for_ever, args=(health, interval_seconds), daemon=True).start()
    threading.Thread(target=_publish_for_ever, args=(instance_id,), daemon=True).start()
    clients = (services.client("secretsmanager"), services.client("logs"))
    threading.Thread(
        target=pause.follow_for_ever, args=(health, *clients, instance_id), daemon=True
    ).start()
    _follow_lifecycle(health, instance_id)
    return 0


def _check_for_ever(health: Health, interval_seconds: float) -> None:
    # Often until the first success: a new host waits for it.
    while True:
        proven = health.check()
        time.sleep(interval_seconds if proven else min(interval_seconds, 2))


def _follow_lifecycle(health: Health, instance_id: str) -> None:
    """Complete the launch once a query is proven; drain when the group lets the host go."""
    watchdog_seconds = 60 * float(os.environ["WATCHDOG_MINUTES"])
    group = services.client("autoscaling")
    launched = False
    while True:
        now = time.monotonic()
        target = _target()
        if target == lifecycle.TERMINATED:
            _drain(health)
            while not lifecycle.complete(group, os.environ["TERMINATION_HOOK"], instance_id):
                time.sleep(_LIFECYCLE_INTERVAL_SECONDS)
            # Nothing is left to do but to be terminated.
            time.sleep(3600)
        elif target == lifecycle.IN_SERVICE and not launched and health.passes(now):
            launched = lifecycle.complete(group, os.environ["LAUNCH_HOOK"], instance_id)
        elif health.silent_seconds(now) > watchdog_seconds:
            print("PgBouncer does not answer: this host ends for a new one", file=sys.stderr)
            lifecycle.ask_for("poweroff")
            time.sleep(3600)
        elif _reboot_due():
            _drain(health)
            lifecycle.ask_for("reboot")
            time.sleep(3600)
        time.sleep(_LIFECYCLE_INTERVAL_SECONDS if launched else 1)


def _drain(health: Health) -> None:
    lifecycle.drain(
        health,
        float(os.environ["DRAIN_SECONDS"]),
        float(os.environ["TRANSACTION_GRACE_SECONDS"]),
    )


def _target() -> str:
    try:
        return metadata.target_lifecycle_state()
    except OSError as error:
        print(f"instance metadata: {error}", file=sys.stderr)
        return ""


def _reboot_due() -> bool:
    return lifecycle.reboot_due(
        os.environ["REBOOT_WINDOW"], os.environ["ZONES"].split(), metadata.availability_zone
    )


def _publish_for_ever(instance_id: str) -> None:
    """Metrics and log lines; what cannot be delivered now is tried again, metrics excepted."""
    interval_seconds = float(os.environ["METRICS_INTERVAL_SECONDS"])
    client, group = services.client("logs"), os.environ["LOG_GROUP"]
    metrics = telemetry.LogStream(client, group, f"{instance_id}/metrics")
    log = telemetry.LogStream(client, group, f"{instance_id}/log")
    journal = telemetry.Journal(_UNITS)
    complaint = ""
    while True:
        problem = ""
        try:
            values = telemetry.samples()
        except (pooler.PoolerError, OSError):
            values = {}  # the health check says so already
        try:
            events = telemetry.metric_events(
                values,
                name=os.environ["POOLER_NAME"],
                instance_id=instance_id,
                now_ms=telemetry.now_ms(),
            )
            metrics.write(events)
            lines, cursor = journal.read()
            log.write(lines)
            journal.done(cursor)
        except Exception as error:  # one line for whatever went wrong; the next round tries again
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
        if problem and problem != complaint:
            print(f"metrics and logs not delivered: {problem}", file=sys.stderr)
        complaint = problem
        time.sleep(interval_seconds)


if __name__ == "__main__":
    sys.exit(main())
