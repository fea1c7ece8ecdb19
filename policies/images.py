"""Rules for what is made of hosts' disks: machine images, and policies that copy snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .inventory import Resource
from .requirements import Part, PartCheck, each, flag, given, if_given, on_resource
from .rules import Context, Outcome, Rule, Severity

IMAGE: Final = "aws:ec2/ami:Ami"
IMAGE_COPY: Final = "aws:ec2/amiCopy:AmiCopy"
LIFECYCLE_POLICY: Final = "aws:dlm/lifecyclePolicy:LifecyclePolicy"
_EVENT_COPIES: Final = "policyDetails.action.crossRegionCopies"
_COPIES: Final = "crossRegionCopyRules"


def _own_disk(part: Part) -> Iterator[Outcome]:
    """A disk of an image is encrypted; one of a snapshot is as the snapshot is."""
    if part.read("snapshotId") in (None, ""):
        yield from flag("encrypted", True, default=False)(part)


def _encrypted(image: Resource, context: Context) -> Iterator[Outcome]:
    if image.type == IMAGE_COPY:
        yield from on_resource(flag("encrypted", True, default=False))(image, context)
    else:
        yield from on_resource(each("ebsBlockDevices", _own_disk))(image, context)


def event_copies(*checks: PartCheck) -> PartCheck:
    """`checks` on the encryption of every copy that an event makes in another region."""
    return if_given("policyDetails.action", each(_EVENT_COPIES, *checks))


def scheduled_copies(*checks: PartCheck) -> PartCheck:
    """`checks` on every copy that a schedule makes in another region."""
    return if_given(
        "policyDetails.schedules", each("policyDetails.schedules", each(_COPIES, *checks))
    )


EVENT_ENCRYPTED: Final = flag("encryptionConfiguration.encrypted", True, default=False)
EVENT_KEY: Final = given("encryptionConfiguration.cmkArn")
SCHEDULE_ENCRYPTED: Final = flag("encrypted", True, default=False)
SCHEDULE_KEY: Final = given("cmkArn")

RULES: Final = (
    Rule(
        id="ec2-images-encrypted",
        title="Machine images are encrypted",
        what="Every disk of an image that comes from no snapshot is encrypted, every copy too.",
        why="Whoever the image is shared with reads what was on the host's disk.",
        remediation="set encrypted = True on the aws.ec2.AmiCopy, or on the disks of the Ami.",
        severity=Severity.HIGH,
        catalogue=("EC2-03",),
        controls=("CKV_AWS_204", "CKV_AWS_235"),
        types=(IMAGE, IMAGE_COPY),
        check_resource=_encrypted,
    ),
    Rule(
        id="ec2-image-copies-key",
        title="Copied machine images are under a key of one's own",
        what="kmsKeyId is set on every copy of an image.",
        why="Under AWS's own key the image cannot be given to a recovery account.",
        remediation="set kms_key_id on the aws.ec2.AmiCopy.",
        severity=Severity.MEDIUM,
        catalogue=("EC2-03",),
        controls=("CKV_AWS_236",),
        types=(IMAGE_COPY,),
        check_resource=on_resource(given("kmsKeyId")),
    ),
    Rule(
        id="ec2-lifecycle-copies-encrypted",
        title="Policies copy snapshots under a key of one's own",
        what="Every copy that a lifecycle policy makes in another region is encrypted and names "
        "its key.",
        why="The copy would be readable, or could not be given to a recovery account.",
        remediation="set encrypted and cmk_arn on the copies of the aws.dlm.LifecyclePolicy.",
        severity=Severity.HIGH,
        catalogue=("EC2-06",),
        controls=("CKV_AWS_253", "CKV_AWS_254", "CKV_AWS_255", "CKV_AWS_256"),
        types=(LIFECYCLE_POLICY,),
        check_resource=on_resource(
            event_copies(EVENT_ENCRYPTED, EVENT_KEY),
            scheduled_copies(SCHEDULE_ENCRYPTED, SCHEDULE_KEY),
        ),
    ),
)
