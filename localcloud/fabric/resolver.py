"""The VPC's DNS resolver at the VPC's base address + 2, as Amazon Route 53 Resolver's.

It knows what was registered and nothing else: a name of the internet does not exist here.
"""

import contextlib
import ipaddress
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from dnslib import CLASS, PTR, QTYPE, RCODE, RR, A, DNSError, DNSRecord

from localcloud.fabric.namespaces import run_in_namespace

# RDS endpoints have a TTL of 5 s, so that clients follow a failover ("Using Amazon RDS Proxy").
TTL_SECONDS = 5
# A DNS message over UDP without EDNS (RFC 1035, 4.2.1).
_LONGEST_UDP_BYTES = 512
_TCP_TIMEOUT_SECONDS = 5.0


class Records:
    """DNS names and their addresses. A name `*.example` stands for every name below `example`."""

    def __init__(self) -> None:
        self._addresses: dict[str, tuple[str, ...]] = {}

    def register(self, name: str, addresses: Sequence[str]) -> None:
        """Add a name or replace its addresses; raises ValueError for a wrong address."""
        checked = tuple(str(ipaddress.IPv4Address(address)) for address in addresses)
        self._addresses[_normal(name)] = checked

    def unregister(self, name: str) -> None:
        """Forget a name; an unknown one is no error."""
        self._addresses.pop(_normal(name), None)

    def find(self, name: str) -> tuple[str, ...] | None:
        """The addresses of a name, or None where the name does not exist."""
        name = _normal(name)
        exact = self._addresses.get(name)
        if exact is not None:
            return exact
        while "." in name:
            name = name.split(".", 1)[1]
            if (found := self._addresses.get("*." + name)) is not None:
                return found
        return None

    def snapshot(self) -> Mapping[str, tuple[str, ...]]:
        """All names as they are now."""
        return dict(self._addresses)


class Resolver:
    """Answers on UDP and TCP port 53 of one address inside a namespace."""

    def __init__(self, records: Sequence[Records], region: str) -> None:
        self._records = records
        # Private DNS names of EC2 addresses ("Amazon EC2 instance hostname types").
        self._domain = f"{region}.compute.internal"
        self._host = re.compile(rf"ip-(\d+)-(\d+)-(\d+)-(\d+)\.{re.escape(self._domain)}")
        self._udp: socket.socket | None = None
        self._tcp: socket.socket | None = None

    def start(self, namespace_path: Path, address: str) -> None:
        """Listen at the address, which must be up in the namespace."""

        def listen() -> tuple[socket.socket, socket.socket]:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind((address, 53))
            return udp, socket.create_server((address, 53))

        self._udp, self._tcp = run_in_namespace(namespace_path, listen)
        for serve, listener in ((self._serve_udp, self._udp), (self._serve_tcp, self._tcp)):
            threading.Thread(
                target=serve, args=(listener,), name=f"resolver {address}", daemon=True
            ).start()

    def stop(self) -> None:
        """Close the sockets; the threads that wait on them end."""
        listeners = (self._udp, self._tcp)
        self._udp = self._tcp = None
        for listener in listeners:
            if listener is not None:
                # Closing alone does not wake a thread that waits in accept or recvfrom.
                with contextlib.suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                listener.close()

    def answer(self, message: bytes) -> bytes | None:
        """The reply to one DNS message, or None to one that cannot be read."""
        try:
            query = DNSRecord.parse(message)
        except (DNSError, IndexError, ValueError):
            return None
        reply = query.reply()
        if len(query.questions) != 1 or query.q.qclass != CLASS.IN:
            reply.header.rcode = RCODE.REFUSED
            return bytes(reply.pack())
        name = str(query.q.qname)
        if query.q.qtype == QTYPE.PTR:
            self._answer_reverse(reply, name)
            return bytes(reply.pack())
        addresses = self.find(name)
        if addresses is None:
            reply.header.rcode = RCODE.NXDOMAIN
        elif query.q.qtype in (QTYPE.A, QTYPE.ANY):
            for address in addresses:
                reply.add_answer(RR(query.q.qname, QTYPE.A, ttl=TTL_SECONDS, rdata=A(address)))
        return bytes(reply.pack())

    def find(self, name: str) -> tuple[str, ...] | None:
        """The addresses of a name as a host in this VPC sees them."""
        for records in self._records:
            if (found := records.find(name)) is not None:
                return found
        if match := self._host.fullmatch(_normal(name)):
            with contextlib.suppress(ValueError):
                return (str(ipaddress.IPv4Address(".".join(match.groups()))),)
        return None

    def _answer_reverse(self, reply: DNSRecord, name: str) -> None:
        labels = _normal(name).removesuffix(".in-addr.arpa").split(".")
        if len(labels) == 4 and all(label.isdecimal() for label in labels):
            host = f"ip-{'-'.join(reversed(labels))}.{self._domain}"
            reply.add_answer(RR(name, QTYPE.PTR, ttl=TTL_SECONDS, rdata=PTR(host)))
        else:
            reply.header.rcode = RCODE.NXDOMAIN

    def _serve_udp(self, listener: socket.socket) -> None:
        while True:
            try:
                message, client = listener.recvfrom(4096)
                if not message and self._udp is None:
                    return
                reply = self.answer(message)
                if reply is not None:
                    if len(reply) > _LONGEST_UDP_BYTES:
                        reply = DNSRecord.parse(reply).truncate().pack()
                    listener.sendto(reply, client)
            except OSError:
                if self._udp is not listener:
                    return

    def _serve_tcp(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(_TCP_TIMEOUT_SECONDS)
            try:
                with connection.makefile("rb") as stream:
                    while len(header := stream.read(2)) == 2:
                        reply = self.answer(stream.read(int.from_bytes(header, "big")))
                        if reply is None:
                            return
                        connection.sendall(len(reply).to_bytes(2, "big") + reply)
            except OSError:
                return


def _normal(name: str) -> str:
    return name.rstrip(".").lower()
