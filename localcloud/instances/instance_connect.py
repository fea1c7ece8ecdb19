"""EC2 Instance Connect: a pushed SSH key stands for a minute in the instance's metadata, signed.

As on AWS the host believes the signature, not the metadata: a certificate of the region's service
signs each entry, and an OCSP answer of its issuer says that it is good. Rules: "SendSSHPublicKey",
EC2 Instance Connect API Reference; the form of the entries is that of AWS's package for hosts,
https://github.com/aws/aws-ec2-instance-connect-config .
"""

import base64
import datetime
import json
import re
import threading
import time
import uuid
from collections import defaultdict
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import ocsp
from moto.core.exceptions import JsonRESTError
from moto.ec2instanceconnect.responses import Ec2InstanceConnectResponse

from localcloud.cloud import Cloud

# "the public key ... remains for 60 seconds".
PUSHED_SECONDS = 60
_STAPLE_MINUTES = 15
_SALT_BYTES = 32
_FOLDER = "managed-ssh-keys"
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_@.-]{0,30}[A-Za-z0-9$_-]?")
_KEY = re.compile(r"(ssh-rsa|ssh-ed25519) [A-Za-z0-9+/]+=*( [^\n]*)?\n?")


class ManagedKeys:
    """The pushed keys of all hosts, and the certificate that signs them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        # Instance id -> user and signed entry with the time (monotonic) when it ends.
        self._pushed: dict[str, list[tuple[str, str, float]]] = defaultdict(list)
        self._lock = threading.Lock()

    def push(self, instance_id: str, user: str, key: str, caller: str) -> str:
        """Let `key` log in as `user` for a minute; returns the request's id.

        Raises JsonRESTError (InvalidArgsException) for what is no user or no SSH key.
        """
        if not _USER.fullmatch(user):
            raise JsonRESTError("InvalidArgsException", f"{user!r} is no name of an OS user.")
        if not _KEY.fullmatch(key):
            raise JsonRESTError(
                "InvalidArgsException", "The SSH key must be an OpenSSH public key, rsa or ed25519."
            )
        request = str(uuid.uuid4())
        signed = (
            f"#Timestamp={int(time.time()) + PUSHED_SECONDS}\n#Instance={instance_id}\n"
            f"#Caller={caller}\n#Request={request}\n{' '.join(key.split()[:2])}\n"
        )
        salted = padding.PSS(padding.MGF1(hashes.SHA256()), _SALT_BYTES)
        signature = self._key.sign(signed.encode(), salted, hashes.SHA256())
        entry = signed + base64.b64encode(signature).decode() + "\n"
        with self._lock:
            self._pushed[instance_id].append((user, entry, time.monotonic() + PUSHED_SECONDS))
        return request

    def documents(self, instance_id: str) -> dict[str, str]:
        """What stands below `meta-data/` while keys are there, by path; nothing without any."""
        now = time.monotonic()
        with self._lock:
            if instance_id not in self._pushed:
                return {}
            present = [entry for entry in self._pushed[instance_id] if entry[2] > now]
            self._pushed[instance_id] = present
        if not present:
            return {}
        entries: dict[str, list[str]] = defaultdict(list)
        for user, entry, _ in present:
            entries[user].append(entry)
        chain = [self._certificate, self.cloud.services_authority.certificate]
        pem = serialization.Encoding.PEM
        fingerprint = self._certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303
        return {
            f"{_FOLDER}/signer-cert": "".join(one.public_bytes(pem).decode() for one in chain),
            f"{_FOLDER}/signer-ocsp/{fingerprint}": base64.b64encode(self._staple()).decode(),
            **{f"{_FOLDER}/active-keys/{user}": "\n".join(own) for user, own in entries.items()},
        }

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 2048)

    @cached_property
    def _certificate(self) -> x509.Certificate:
        name = f"managed-ssh-signer.{self.cloud.region}.amazonaws.com"
        return self.cloud.services_authority.certify(name, self._key.public_key())

    def _staple(self) -> bytes:
        authority = self.cloud.services_authority
        now = datetime.datetime.now(datetime.UTC)
        minutes = datetime.timedelta(minutes=_STAPLE_MINUTES)
        answer = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                cert=self._certificate,
                issuer=authority.certificate,
                algorithm=hashes.SHA1(),  # noqa: S303 (what OCSP names certificates by)
                cert_status=ocsp.OCSPCertStatus.GOOD,
                this_update=now - minutes,
                next_update=now + minutes,
                revocation_time=None,
                revocation_reason=None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, authority.certificate)
            .sign(authority.key, hashes.SHA256())
        )
        return answer.public_bytes(serialization.Encoding.DER)


def hook(ec2: Any, keys: ManagedKeys) -> None:
    """Let SendSSHPublicKey reach the hosts of this cloud."""

    def send_ssh_public_key(response: Any) -> str:
        given: dict[str, str] = json.loads(response.body)
        instance_id = given.get("InstanceId", "")
        instance = next(
            (one for one in ec2.all_instances() if one.id == instance_id),
            None,
        )
        if instance is None:
            raise JsonRESTError("EC2InstanceNotFoundException", f"{instance_id} was not found.")
        if instance.state != "running":
            raise JsonRESTError(
                "EC2InstanceStateInvalidException", f"{instance_id} is {instance.state}."
            )
        from localcloud.permissions import callers

        request = keys.push(
            instance_id,
            given.get("InstanceOSUser", ""),
            given.get("SSHPublicKey", ""),
            callers.identify(response).name,
        )
        return json.dumps({"RequestId": request, "Success": True})

    setattr(Ec2InstanceConnectResponse, "send_ssh_public_key", send_ssh_public_key)  # noqa: B010
