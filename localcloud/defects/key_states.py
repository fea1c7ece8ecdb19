"""KMS: a key in the wrong state or of another usage is refused, and switched by its ARN too.

moto encrypts, decrypts and signs with every key, fails at an ARN with KeyError, and knows no policy
whose name was left out.
Source: AWS KMS developer guide, "Key states of AWS KMS keys"; AWS KMS API reference, DisableKey,
EnableKey, CancelKeyDeletion, ScheduleKeyDeletion (KeyId), Verify (KMSInvalidSignatureException) and
PutKeyPolicy (PolicyName).
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

_ENCRYPTION = "ENCRYPT_DECRYPT"
# Backend's method -> the operation's name and the key usage that it needs; None: any.
_USES: dict[str, tuple[str, str | None]] = {
    "encrypt": ("Encrypt", _ENCRYPTION),
    "decrypt": ("Decrypt", _ENCRYPTION),
    "re_encrypt": ("ReEncrypt", _ENCRYPTION),
    "generate_data_key": ("GenerateDataKey", _ENCRYPTION),
    "sign": ("Sign", "SIGN_VERIFY"),
    "verify": ("Verify", "SIGN_VERIFY"),
    "generate_mac": ("GenerateMac", "GENERATE_VERIFY_MAC"),
    "verify_mac": ("VerifyMac", "GENERATE_VERIFY_MAC"),
    "get_public_key": ("GetPublicKey", None),
}
_CHANGES = ("disable_key", "enable_key", "cancel_key_deletion", "schedule_key_deletion")


def install() -> None:
    """Mend moto's KMS."""
    from moto.kms import models, responses, utils

    for name, (operation, usage) in _USES.items():
        setattr(
            models.KmsBackend, name, _usable(getattr(models.KmsBackend, name), operation, usage)
        )
    for name in _CHANGES:
        setattr(models.KmsBackend, name, _by_arn(getattr(models.KmsBackend, name), name))
    asserted = "_assert_default_policy"
    setattr(responses, asserted, _with_default_name(getattr(responses, asserted)))
    # What moto calls once it has found the key in a ciphertext.
    setattr(models, "decrypt", _decrypt_with_usable(utils.decrypt))  # noqa: B010


def _with_default_name(require: Callable[[str], None]) -> Callable[[str | None], None]:
    return lambda name: require(name or "default")


def _usable(call: Callable[..., Any], operation: str, usage: str | None) -> Callable[..., Any]:
    @wraps(call)
    def checked(backend: Any, *arguments: Any, **words: Any) -> Any:
        # moto's responses name every argument; Decrypt may come without a key.
        key_id = words.get("key_id") or words.get("destination_key_id")
        if arguments and key_id is None:
            key_id = arguments[0]
        if key_id is not None:
            _require(backend.keys[backend.any_id_to_key_id(key_id)], operation, usage)
        answer = call(backend, *arguments, **words)
        if operation == "Verify" and not answer[1]:
            raise _error("KMSInvalidSignatureException", "")
        return answer

    return checked


def _decrypt_with_usable(decrypt: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(decrypt)
    def checked(master_keys: dict[str, Any], **words: Any) -> Any:
        found: tuple[bytes, str] = decrypt(master_keys=master_keys, **words)
        _require(master_keys[found[1]], "Decrypt", _ENCRYPTION)
        return found

    return checked


def _require(key: Any, operation: str, usage: str | None) -> None:
    from localcloud.permissions.encryption import refusal

    refused = refusal(key, operation, usage)
    if refused is not None:
        raise _error(*refused)


def _error(code: str, message: str) -> Exception:
    from moto.core.exceptions import JsonRESTError

    return JsonRESTError(code, message)


def _by_arn(change: Callable[..., Any], name: str) -> Callable[..., Any]:
    cancels = name == "cancel_key_deletion"

    @wraps(change)
    def changed(backend: Any, key_id: str, *arguments: Any, **words: Any) -> Any:
        identifier = backend.get_key_id(key_id)
        key = backend.keys[identifier]
        if (key.key_state == "PendingDeletion") != cancels:
            is_or_not = "is not" if cancels else "is"
            raise _error("KMSInvalidStateException", f"{key.arn} {is_or_not} pending deletion.")
        return change(backend, identifier, *arguments, **words)

    return changed
