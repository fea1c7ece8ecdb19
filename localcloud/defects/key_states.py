"""KMS: the state of a key is changed by its ARN as by its id; moto fails at an ARN with KeyError.

AWS KMS API reference: DisableKey, EnableKey, CancelKeyDeletion, ScheduleKeyDeletion (KeyId).
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

_CHANGES = ("disable_key", "enable_key", "cancel_key_deletion", "schedule_key_deletion")


def install() -> None:
    """Mend moto's KMS."""
    from moto.kms.models import KmsBackend

    for name in _CHANGES:
        setattr(KmsBackend, name, _by_arn(getattr(KmsBackend, name)))


def _by_arn(change: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(change)
    def changed(backend: Any, key_id: str, *arguments: Any, **words: Any) -> Any:
        return change(backend, backend.get_key_id(key_id), *arguments, **words)

    return changed
