"""The name of the snapshot that the database leaves when it is deleted."""

from __future__ import annotations

import hashlib
import secrets

import pulumi

_TOKEN_BYTES = 6

#: Without it each run of the program would rename the snapshot of the instance that there is.
NAMED_ONCE = ["finalSnapshotIdentifier"]


def final_snapshot_name(
    identifier: str, stack_life: pulumi.Input[str], *, imported: bool
) -> pulumi.Output[str]:
    """A name that no earlier instance has used; for the options see `NAMED_ONCE`.

    RDS refuses a snapshot name that exists, and snapshots outlive instances and stacks. Each run
    asks for another name, and the instance keeps the one with which it was made: the engine takes
    an ignored input from the state, except where it makes a resource anew. That holds for every
    way to replace it, `pulumi up --replace` included.

    An imported instance was made without one, so it gets one name for the stack's life and may
    not ignore it; the engine refuses to replace what names its import. `stack_life` is an id that
    AWS makes anew with each life of the stack.
    """
    if not imported:
        return pulumi.Output.from_input(f"{identifier}-final-{secrets.token_hex(_TOKEN_BYTES)}")

    def name(life: str) -> str:
        digest = hashlib.sha256(life.encode()).hexdigest()
        return f"{identifier}-final-{digest[: 2 * _TOKEN_BYTES]}"

    return pulumi.Output.from_input(stack_life).apply(name)
