"""Keeps every Auto Scaling group at its desired capacity with healthy hosts.

moto's calls only write down what is wanted; one thread compares that with the hosts there are and
does one step at a time: launch, register, replace, terminate. Rules as in the Amazon EC2 Auto
Scaling User Guide ("Health checks", "Control which instances terminate").
"""

import datetime
import logging
import threading
import time
from collections import Counter
from collections.abc import Collection
from typing import Any

from localcloud.instances.hosts import Hosts
from localcloud.instances.scaling import refresh
from localcloud.instances.scaling.lifecycle import ABANDON, Lifecycle
from localcloud.instances.scaling.lifecycle import LAUNCHING as LAUNCH_HOOK
from localcloud.instances.scaling.lifecycle import TERMINATING as TERMINATION_HOOK
from localcloud.instances.scaling.members import (
    IN_SERVICE,
    LEAVING,
    PENDING_WAIT,
    STANDBY,
    STARTING,
    TERMINATING,
    TERMINATING_WAIT,
    Activities,
    Member,
    now,
)
from localcloud.instances.scaling.targets import TargetGroups

logger = logging.getLogger(__name__)

GROUP_TAG = "aws:autoscaling:groupName"

# Between two looks when nothing happened.
_INTERVAL_SECONDS = 1.0
# While a host boots.
_BOOT_INTERVAL_SECONDS = 0.1
_LONGEST_BOOT_SECONDS = 60.0
# A launch that failed is tried again after this, doubled each time, up to the longest.
_RETRY_SECONDS = 2.0
_LONGEST_RETRY_SECONDS = 60.0


class ScalingGroups:
    """The control loop over moto's groups of one account and region."""

    def __init__(self, backend: Any, hosts: Hosts) -> None:
        self.backend = backend
        self.hosts = hosts
        self.targets = TargetGroups(backend.elbv2_backend)
        self.activities = Activities()
        self.lifecycle = Lifecycle(backend)
        self.refreshes = refresh.Refreshes()
        # Held while a group is changed, by the loop and by API calls.
        self.lock = threading.RLock()
        self._failures: Counter[str] = Counter()
        self._retry_at: dict[str, float] = {}
        self._wake = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._loop, name="auto-scaling", daemon=True)

    def start(self) -> None:
        """Start the loop."""
        self._thread.start()

    def close(self) -> None:
        """Stop the loop; the hosts stay."""
        self._closed = True
        self.wake()
        self._thread.join()

    def wake(self) -> None:
        """Look at once: something changed."""
        self._wake.set()

    def _loop(self) -> None:
        while not self._closed:
            for group in list(self.backend.autoscaling_groups.values()):
                try:
                    with self.lock:
                        self.reconcile(group)
                except Exception:
                    logger.exception("Auto Scaling group %s", group.name)
            booting = any(
                member.lifecycle_state in STARTING
                for group in list(self.backend.autoscaling_groups.values())
                for member in group.instance_states
            )
            self._wake.wait(_BOOT_INTERVAL_SECONDS if booting else _INTERVAL_SECONDS)
            self._wake.clear()

    def reconcile(self, group: Any) -> None:
        """Bring one group a step nearer to what is wanted."""
        for member in list(group.instance_states):
            if member.lifecycle_state in LEAVING:
                self._finish_termination(group, member)
            elif _suspended(group, "HealthCheck"):
                self._follow_start(group, member)
            else:
                self._follow_start(group, member)
                self._check_health(group, member)
        surge = 0
        if not _suspended(group, "InstanceRefresh"):
            surge = self.refreshes.step(group, members_of(group), self)
        self._meet_capacity(group, surge)
        if getattr(group, "deleting", False) and not group.instance_states:
            self.backend.autoscaling_groups.pop(group.name, None)

    def terminate(self, group: Any, member: Any, cause: str) -> None:
        """Take a member out of service; its host ends after the targets are drained."""
        if member.lifecycle_state in LEAVING:
            return
        self.lifecycle.forget(member.instance.id)
        member.lifecycle_state = TERMINATING
        self.activities.begin(group.name, "Terminating", member.instance.id, cause)
        self.targets.deregister(group, member.instance.id)
        self._finish_termination(group, member)

    def healthy(self, group: Any, member: Any) -> bool:
        """Whether a member is in service and all its load balancers reach it."""
        return member.lifecycle_state == IN_SERVICE and self.targets.healthy(
            group, member.instance.id
        )

    def _follow_start(self, group: Any, member: Any) -> None:
        if member.instance.state != "running":
            return
        if member.lifecycle_state in STARTING and self._may_serve(group, member):
            member.lifecycle_state = IN_SERVICE
            member.in_service_at = now()
            self._failures.pop(group.name, None)
            self.activities.finish("Launching", member.instance.id)
        if member.lifecycle_state == IN_SERVICE and not _suspended(group, "AddToLoadBalancer"):
            self.targets.register(group, member.instance.id)

    def _may_serve(self, group: Any, member: Any) -> bool:
        """Whether a starting member is through its launch hooks, or its start where it has none."""
        if not self.lifecycle.hooks(group, LAUNCH_HOOK):
            return self._started(member)
        member.lifecycle_state = PENDING_WAIT
        outcome = self.lifecycle.outcome(group, member, LAUNCH_HOOK)
        if outcome == ABANDON:
            self._launch_failed(group, "the launch was abandoned")
            self.activities.finish("Launching", member.instance.id, "the launch was abandoned")
            cause = "an instance's launch was abandoned by a lifecycle hook"
            self.terminate(group, member, cause)
            return False
        return outcome is not None

    def _started(self, member: Any) -> bool:
        """Whether a host may be registered: cloud-init is through, or takes very long.

        On AWS registering takes a minute or more, and hosts boot meanwhile; here a target that is
        checked while it boots would be unhealthy first, for as many checks as the threshold says.
        """
        waited = (now() - member.launched_at).total_seconds()
        return self.hosts.booted(member.instance.id) or waited > _LONGEST_BOOT_SECONDS

    def _check_health(self, group: Any, member: Any) -> None:
        instance = member.instance
        if instance.state not in ("pending", "running"):
            if member.lifecycle_state in STARTING:
                self._launch_failed(group, instance.state_reason.message)
                self.activities.finish("Launching", instance.id, instance.state_reason.message)
            member.health_status = "Unhealthy"
            cause = f"an instance was taken out of service as EC2 says it is {instance.state}"
        elif (
            member.lifecycle_state == IN_SERVICE
            and group.health_check_type == "ELB"
            and self._past_grace(group, member)
            and self.targets.unhealthy(group, instance.id)
        ):
            member.health_status = "Unhealthy"
            cause = "an instance was taken out of service in response to an ELB health check"
        else:
            cause = "an instance was taken out of service in response to its health status"
        replaceable = member.lifecycle_state not in (STANDBY, *LEAVING) and not _suspended(
            group, "ReplaceUnhealthy"
        )
        if member.health_status == "Unhealthy" and replaceable:
            logger.info("group %s: %s: %s", group.name, instance.id, cause)
            self.terminate(group, member, cause)

    def _past_grace(self, group: Any, member: Any) -> bool:
        since = getattr(member, "in_service_at", None)
        grace = datetime.timedelta(seconds=int(group.health_check_grace_period or 0))
        return since is None or now() - since > grace

    def _finish_termination(self, group: Any, member: Any) -> None:
        instance = member.instance
        if instance.state == "terminated":
            group.instance_states = [m for m in group.instance_states if m is not member]
            self.activities.finish("Terminating", instance.id)
            return
        # A group on its way out has nothing to hand connections over to.
        leaving = getattr(group, "deleting", False) or group.max_size == 0
        asked = getattr(member, "ended", False)
        # Nobody answers for an instance that has ended by itself.
        if not asked and not leaving and instance.state == "running":
            member.lifecycle_state = TERMINATING_WAIT
            if self.lifecycle.outcome(group, member, TERMINATION_HOOK) is None:
                return
        if not asked and (leaving or not self.targets.draining(group, instance.id)):
            member.ended = True
            instance.terminate()  # termination protection is no obstacle to scaling in

    def _meet_capacity(self, group: Any, surge: int) -> None:
        standing = members_of(group)
        wanted = int(group.desired_capacity or 0) + surge
        if len(standing) < wanted and not _suspended(group, "Launch"):
            cause = f"an instance was started to increase the capacity to {wanted}"
            for _ in range(wanted - len(standing)):
                if time.monotonic() < self._retry_at.get(group.name, 0.0):
                    return
                self._launch(group, cause)
        elif len(standing) > wanted and not _suspended(group, "Terminate"):
            for member in choose_victims(standing, len(standing) - wanted):
                self.terminate(
                    group, member, f"an instance was terminated to reduce the capacity to {wanted}"
                )

    def _launch(self, group: Any, cause: str) -> None:
        template = group.ec2_launch_template
        try:
            version = template.get_version(group.launch_template_version)
            reference = {"LaunchTemplateId": template.id, "Version": str(version.number)}
            tags = {**version.instance_tags, **group.get_propagated_tags(), GROUP_TAG: group.name}
            zone, subnet_id = next_placement(
                self.backend.ec2_backend, group, self.refreshes.leaving(group.name)
            )
            reservation = self.backend.ec2_backend.run_instances(
                version.image_id,
                1,
                None,  # the template's, as all else that is not said here
                [],
                instance_type=version.instance_type,
                is_instance_type_default=False,
                launch_template=reference,
                subnet_id=subnet_id,
                placement=zone,
                region_name=self.backend.region_name,
                tags={"instance": tags},
            )
        except Exception as error:  # whatever EC2 refuses is the group's failed activity
            self.activities.fail(group.name, cause, str(error))
            self._launch_failed(group, repr(error))
            return
        instance = reservation.instances[0]
        instance.autoscaling_group = group
        record = {**reference, "LaunchTemplateName": template.name}
        group.instance_states.append(Member(instance, group, record))
        self.activities.begin(group.name, "Launching", instance.id, cause)

    def _launch_failed(self, group: Any, reason: str) -> None:
        self._failures[group.name] += 1
        wait = min(_RETRY_SECONDS * 2 ** self._failures[group.name], _LONGEST_RETRY_SECONDS)
        self._retry_at[group.name] = time.monotonic() + wait
        logger.warning("group %s: launch failed, the next in %.0f s: %s", group.name, wait, reason)


def members_of(group: Any) -> list[Any]:
    """The members that count for the group's capacity."""
    return [m for m in group.instance_states if m.lifecycle_state in (*STARTING, IN_SERVICE)]


def next_placement(ec2: Any, group: Any, leaving: Collection[str] = ()) -> tuple[str, str | None]:
    """Zone and subnet for the next instance: the ones with the fewest members.

    Instances in `leaving` (ids) are about to be replaced: they count only where the others leave
    the choice open, so that what stays at the end of a refresh is spread.
    """
    if not group.vpc_zone_identifier:
        return group.availability_zones[0], None
    subnet_ids = group.vpc_zone_identifier.split(",")
    zones = {each: str(ec2.get_subnet(each).availability_zone) for each in subnet_ids}
    members = members_of(group)
    here = Counter(m.instance.subnet_id for m in members)
    staying = Counter(m.instance.subnet_id for m in members if m.instance.id not in leaving)

    def load(subnet_id: str) -> tuple[int, int, int, int]:
        zone = [each for each in subnet_ids if zones[each] == zones[subnet_id]]
        return (
            sum(staying[each] for each in zone),
            sum(here[each] for each in zone),
            here[subnet_id],
            subnet_ids.index(subnet_id),
        )

    chosen = min(subnet_ids, key=load)
    return zones[chosen], chosen


def choose_victims(members: list[Any], count: int) -> list[Any]:
    """Choose whom to terminate: the fullest zone first, there the oldest template, then the oldest.

    Members that are protected from scale-in stay.
    """
    free = [member for member in members if not member.protected_from_scale_in]
    zones = Counter(member.availability_zone for member in members)
    victims: list[Any] = []
    while free and len(victims) < count:
        fullest = max(zones[member.availability_zone] for member in free)
        candidates = [m for m in free if zones[m.availability_zone] == fullest]
        victim = min(candidates, key=_age)
        zones[victim.availability_zone] -= 1
        free.remove(victim)
        victims.append(victim)
    return victims


def _age(member: Any) -> tuple[int, datetime.datetime]:
    # Instances attached by hand come from no template: they go first.
    if not isinstance(member, Member):
        return 0, datetime.datetime.fromtimestamp(0, datetime.UTC)
    return int(member.version), member.launched_at


def _suspended(group: Any, process: str) -> bool:
    return any(each["ProcessName"] == process for each in group.suspended_processes)
