"""EventBridge's data plane: schedules and rules fire, with roles, retries and dead letters."""

from localcloud.cloud import Cloud

_clocks: dict[str, object] = {}


def install(cloud: Cloud) -> None:
    """Check schedules as AWS does and start to fire them; before moto's first use."""
    from moto.events.models import Rule

    from localcloud.schedules import model, rules
    from localcloud.schedules.clock import Clock

    model.replace_backend()
    setattr(Rule, "send_to_targets", rules.send_to_targets)  # noqa: B010
    clock = Clock(cloud.account_id, cloud.region)
    clock.start()
    _clocks[cloud.home.prefix] = clock


def shutdown(cloud: Cloud) -> None:
    """Fire nothing more."""
    from localcloud.schedules.clock import Clock

    clock = _clocks.pop(cloud.home.prefix, None)
    if isinstance(clock, Clock):
        clock.stop()
