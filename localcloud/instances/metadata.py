"""The instance metadata service (IMDS) at 169.254.169.254, one server a VPC.

It listens beside the VPC's router, so that a host has no such listener of its own, and knows a host
by its address. Rules and paths: "Use the Instance Metadata Service", Amazon EC2 User Guide.
"""

import base64
import datetime
import json
import logging
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from localcloud.cloud import Cloud
from localcloud.fabric import NetworkInterface, run_in_namespace
from localcloud.instances.instance_connect import ManagedKeys
from localcloud.permissions import credentials
from localcloud.permissions.credentials import RoleCredentials

logger = logging.getLogger(__name__)

ADDRESS = "169.254.169.254"
PORT = 80

# "the TTL ... maximum of six hours (21,600 seconds)".
LONGEST_TOKEN_SECONDS = 21_600
# New credentials are there at least five minutes before the old ones end.
RENEW_BEFORE = datetime.timedelta(minutes=5)
# EC2 role credentials are good for about six hours.
CREDENTIALS_SECONDS = 21_600

# VPC id, address -> moto's instance.
Find = Callable[[str, str], Any]


class MetadataServices:
    """The metadata servers of all VPCs of a cloud."""

    def __init__(self, cloud: Cloud, ec2: Any, find: Find, keys: ManagedKeys) -> None:
        self.cloud = cloud
        self.ec2 = ec2
        self.find = find
        self.keys = keys
        self._servers: dict[str, tuple[int, _Server]] = {}
        self._lock = threading.Lock()

    def serve(self, interface: NetworkInterface) -> None:
        """Make sure that the interface's VPC has a metadata server."""
        network = self.cloud.fabric.network(interface.vpc_id)
        path = interface.namespace_path.with_name(network.namespace)
        inode = path.stat().st_ino
        with self._lock:
            known = self._servers.get(interface.vpc_id)
            if known and known[0] == inode:
                return
            if known:
                known[1].stop()  # the VPC's network was made anew
            subprocess.run(
                ["ip", "-n", network.namespace, "addr", "replace", f"{ADDRESS}/32", "dev", "lo"],
                check=True,
            )
            listener = run_in_namespace(path, _listen)
            documents = Documents(self.cloud, self.ec2, self.keys)
            server = _Server(listener, interface.vpc_id, self.find, documents)
            self._servers[interface.vpc_id] = (inode, server)

    def close(self) -> None:
        """Stop all servers."""
        with self._lock:
            for _, server in self._servers.values():
                server.stop()
            self._servers.clear()


class Documents:
    """What an instance may read about itself."""

    def __init__(self, cloud: Cloud, ec2: Any, keys: ManagedKeys) -> None:
        self.cloud = cloud
        self.ec2 = ec2
        self.keys = keys
        self._credentials: dict[str, RoleCredentials] = {}

    def read(self, instance: Any, path: str) -> bytes | None:
        """Return the document or the listing at a path below `/latest/`, or None."""
        if path == "user-data":
            return user_data_of(instance) or None
        documents = self._documents(instance)
        role_prefix = "meta-data/iam/security-credentials/"
        if path.startswith(role_prefix) and path in documents:
            return self._role_document(instance).encode()
        if path in documents:
            return documents[path].encode()
        folder = path.rstrip("/") + "/" if path else ""
        names = {
            name + ("/" if slash else "")
            for document in documents
            if document.startswith(folder)
            for name, slash, _ in [document.removeprefix(folder).partition("/")]
        }
        return "\n".join(sorted(names)).encode() if names else None

    def _documents(self, instance: Any) -> dict[str, str]:
        zone, region = str(instance.placement.zone), self.cloud.region
        documents = {
            "ami-id": instance.image_id,
            "hostname": instance.private_dns_name,
            "instance-id": instance.id,
            "instance-type": instance.instance_type,
            "local-hostname": instance.private_dns_name,
            "local-ipv4": instance.private_ip,
            "placement/availability-zone": zone,
            "placement/region": region,
            "security-groups": "\n".join(group.name for group in instance.security_groups),
            "services/domain": "amazonaws.com",
            "services/partition": "aws",
            **self.keys.documents(instance.id),
        }
        target = self._target_state(instance)
        if target is not None:
            documents["autoscaling/target-lifecycle-state"] = target
        key_pair = self.ec2.key_pairs.get(instance.key_name)
        if key_pair is not None:
            # The listing shows `0=name` on AWS; only the key itself is here.
            documents["public-keys/0/openssh-key"] = key_pair.public_key
        profile = self._profile(instance)
        if profile is not None:
            now = _timestamp(datetime.datetime.now(datetime.UTC))
            documents["iam/info"] = json.dumps(
                {
                    "Code": "Success",
                    "LastUpdated": now,
                    "InstanceProfileArn": profile.arn,
                    "InstanceProfileId": profile.id,
                }
            )
            for role in profile.roles:
                documents[f"iam/security-credentials/{role.name}"] = ""  # made when read
        identity = {
            "accountId": self.cloud.account_id,
            "architecture": instance.architecture,
            "availabilityZone": zone,
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "privateIp": instance.private_ip,
            "region": region,
            "version": "2017-09-30",
        }
        return {f"meta-data/{name}": text for name, text in documents.items()} | {
            "dynamic/instance-identity/document": json.dumps(identity, indent=2)
        }

    @staticmethod
    def _target_state(instance: Any) -> str | None:
        from localcloud.instances.scaling.members import target_state

        return target_state(instance)

    def _profile(self, instance: Any) -> Any:
        association = self.ec2.iam_instance_profile_associations.get(instance.id)
        return association.iam_instance_profile if association else None

    def _role_document(self, instance: Any) -> str:
        role = self._profile(instance).roles[0]
        now = datetime.datetime.now(datetime.UTC)
        session = self._credentials.get(instance.id)
        if (
            session is None
            or session.role_arn != role.arn
            or session.expires_at - now < RENEW_BEFORE
        ):
            session = credentials.assume(
                self.cloud.account_id,
                self.cloud.region,
                role.arn,
                instance.id,
                CREDENTIALS_SECONDS,
            )
            self._credentials[instance.id] = session
        return json.dumps(
            {
                "Code": "Success",
                "LastUpdated": _timestamp(now),
                "Type": "AWS-HMAC",
                "AccessKeyId": session.access_key_id,
                "SecretAccessKey": session.secret_access_key,
                "Token": session.session_token,
                "Expiration": _timestamp(session.expires_at),
            },
            indent=2,
        )


def user_data_of(instance: Any) -> bytes:
    """User data as the client gave it, before the base64 of the API."""
    return base64.b64decode(str(instance.user_data)) if instance.user_data else b""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, vpc_id: str, find: Find, documents: Documents):
        super().__init__((ADDRESS, PORT), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.vpc_id = vpc_id
        self.find = find
        self.documents = documents
        # Token -> instance id and the time (monotonic) when it ends.
        self.tokens: dict[str, tuple[str, float]] = {}
        self._thread = threading.Thread(target=self.serve_forever, name=f"imds {vpc_id}")
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    server_version = "EC2ws"
    sys_version = ""

    def do_PUT(self) -> None:
        instance = self._instance()
        if instance is None:
            return
        text = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if self.path != "/latest/api/token":
            self._answer(HTTPStatus.NOT_FOUND)
        elif "X-Forwarded-For" in self.headers:  # a proxy must not hand out tokens
            self._answer(HTTPStatus.FORBIDDEN)
        elif not text.isdecimal() or not 1 <= int(text) <= LONGEST_TOKEN_SECONDS:
            self._answer(HTTPStatus.BAD_REQUEST)
        else:
            token = secrets.token_urlsafe(40)
            self.server.tokens[token] = (instance.id, time.monotonic() + int(text))
            self._answer(HTTPStatus.OK, token.encode())

    def do_GET(self) -> None:
        instance = self._instance()
        if instance is None:
            return
        token = self.headers.get("X-aws-ec2-metadata-token")
        required = instance.metadata_options.http_tokens == "required"
        if (token is None and required) or (token is not None and not self._valid(token, instance)):
            self._answer(HTTPStatus.UNAUTHORIZED)
            return
        prefix = "/latest/"
        path = self.path.removeprefix(prefix) if self.path.startswith(prefix) else "-"
        content = self.server.documents.read(instance, path)
        if content is None:
            self._answer(HTTPStatus.NOT_FOUND)
        else:
            self._answer(HTTPStatus.OK, content)

    def _instance(self) -> Any:
        instance = self.server.find(self.server.vpc_id, self.client_address[0])
        if instance is None:
            self._answer(HTTPStatus.NOT_FOUND)
        elif instance.metadata_options.http_endpoint != "enabled":
            self._answer(HTTPStatus.FORBIDDEN)
            return None
        return instance

    def _valid(self, token: str, instance: Any) -> bool:
        instance_id, end = self.server.tokens.get(token, ("", 0.0))
        return instance_id == instance.id and time.monotonic() < end

    def _answer(self, status: HTTPStatus, content: bytes | None = None) -> None:
        body = status.phrase.encode() if content is None else content
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: hosts ask every few minutes."""


def _listen() -> socket.socket:
    return socket.create_server((ADDRESS, PORT))


def _timestamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
