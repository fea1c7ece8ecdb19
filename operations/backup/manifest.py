"""The manifest: the list of everything a backup consists of. Without a whole one there is none.

It is written last. Its own hash is inside it, and with a KMS key a signature (HMAC) as well, so
that nobody who can only write to the bucket can make or change a backup.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from operations import aws_clients
from operations.backup.object_writer import StoredObject
from operations.errors import OperationError

if TYPE_CHECKING:
    from mypy_boto3_kms.client import KMSClient

FORMAT = 2
NAME = "manifest.json"
_MAC_ALGORITHM = "HMAC_SHA_256"
# `vars` for the records in it: dataclasses.asdict copies each of ten thousand tables deeply.
_COMPACT = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=vars).encode
_STRING = json.encoder.encode_basestring_ascii
_MOMENTS = ("started_at", "finished_at", "snapshot_at", "keep_until")


class NotSignedError(OperationError):
    """A whole manifest which nothing says that the stack's own key has signed."""


class NotVerifiedError(OperationError):
    """KMS does not let the key be used: whose signature it is cannot be told."""


@dataclass(frozen=True)
class RowsInObject:
    """Rows of one table in one object: zstd frames of COPY text.

    `pages` are the pages of the table that they were on ("all", "0-4095"); `offset_bytes` and
    `length_bytes` say where they are, so that one table can be read without the others.
    """

    key: str
    offset_bytes: int
    length_bytes: int
    pages: str
    rows: int


@dataclass(frozen=True)
class TableRecord:
    """One table: what was dumped, and what a restore must have again."""

    schema: str
    name: str
    columns: tuple[str, ...]
    rows: int
    #: None where the settings leave the hash of a very large table out.
    hash: int | None
    segments: tuple[RowsInObject, ...]

    @property
    def label(self) -> str:
        """`schema.table`."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Collation:
    """How a database sorts by default (pg_database); `locale` is of ICU or the builtin provider."""

    provider: Literal["builtin", "icu", "libc"]
    collate: str
    ctype: str
    locale: str | None


@dataclass(frozen=True)
class Manifest:
    """Times are UTC, ISO 8601; `keep_until` None: until a person removes it."""

    id: str
    backup_class: str
    database: str
    started_at: str
    finished_at: str
    duration_seconds: float
    keep_until: str | None
    snapshot_at: str
    snapshot_lsn: str
    server_version: int
    encoding: str
    client_version: str
    hash_algorithm: str
    schema_key: str
    globals_key: str
    large_objects_key: str | None
    large_object_count: int
    extensions: tuple[tuple[str, str], ...]
    tables: tuple[TableRecord, ...]
    objects: tuple[StoredObject, ...]
    skipped: tuple[tuple[str, str], ...]
    #: Of the tables on the server's disk; with the duration, the speed of this kind of worker.
    source_bytes: int = 0
    worker: str = ""
    #: None in backups of versions that did not record it.
    collation: Collation | None = None
    #: Objects in which the stream of `large_objects_key` goes on.
    large_objects_continued: tuple[str, ...] = ()
    #: Schema, table and name of constraints that rows may have broken already (NOT VALID).
    not_validated: tuple[tuple[str, str, str], ...] = ()
    #: Schema and name of sequences that were behind the column that they number.
    sequences_behind: tuple[tuple[str, str], ...] = ()

    @property
    def size_bytes(self) -> int:
        """Of all objects in the bucket."""
        return sum(stored.size_bytes for stored in self.objects)

    @property
    def large_objects(self) -> tuple[StoredObject, ...]:
        """The objects of the large objects' stream, in its order."""
        if self.large_objects_key is None:
            return ()
        by_key = {stored.key: stored for stored in self.objects}
        keys = (self.large_objects_key, *self.large_objects_continued)
        return tuple(by_key[key] for key in keys)

    @property
    def row_counts(self) -> dict[str, int]:
        """By `schema.table`."""
        return {table.label: table.rows for table in self.tables}

    @property
    def key(self) -> str:
        """Where the manifest itself is."""
        return f"{folder(self.backup_class, self.database, self.id)}/{NAME}"

    @property
    def taken_at(self) -> datetime:
        """The moment that the backup shows."""
        return datetime.fromisoformat(self.snapshot_at)


def folder(backup_class: str, database: str, identifier: str) -> str:
    """Prefix of a backup's objects; the class comes first because lifecycle rules go by prefix."""
    return f"{backup_class}/{database}/{identifier}"


def encode(manifest: Manifest, kms: KMSClient | None = None, mac_key: str | None = None) -> bytes:
    """As JSON with its own hash, and with a signature when `mac_key` is given."""
    texts = {name: _texts(value) for name, value in {"format": FORMAT, **vars(manifest)}.items()}
    # What `_canonical` gives, without making the text of every table twice.
    canonical = ",".join(f"{_COMPACT(name)}:{_array(texts[name])}" for name in sorted(texts))
    digest = hashlib.sha256(f"{{{canonical}}}".encode()).digest()
    texts["sha256"] = _COMPACT(digest.hex())
    if kms is not None and mac_key is not None:
        mac = kms.generate_mac(KeyId=mac_key, MacAlgorithm=_MAC_ALGORITHM, Message=digest)["Mac"]
        texts["mac"] = _COMPACT({"key": mac_key, "value": base64.b64encode(mac).decode("ascii")})
    # A line for each table and object. Any indentation would be made by Python and not by C, in
    # half a second for 2,000 tables.
    lines = (f" {_COMPACT(name)}: {_array(text, lines=True)}" for name, text in texts.items())
    return ("{\n" + ",\n".join(lines) + "\n}").encode()


def try_to_sign(kms: KMSClient | None, mac_key: str | None) -> None:
    """Raise what KMS would raise at a run's end."""
    if kms is not None and mac_key is not None:
        # Of another length than any digest: the signature of no manifest.
        kms.generate_mac(KeyId=mac_key, MacAlgorithm=_MAC_ALGORITHM, Message=b"may pgkeep sign?")


def decode(
    body: bytes, source: str, kms: KMSClient | None = None, mac_key: str | None = None
) -> Manifest:
    """The manifest in `body`; `source` is what errors call it.

    Raises:
        NotSignedError: whole, but with no signature, or with one that names another key.
        NotVerifiedError: whole and signed, and KMS does not let `mac_key` be used.
        OperationError: not a whole manifest, altered, or (with `mac_key`) its signature is forged.
    """
    # A backup writes manifests and reads none; importing it takes a tenth of a second.
    from pydantic import TypeAdapter, ValidationError

    try:
        document: dict[str, Any] = json.loads(body)
        recorded, signature = document.pop("sha256"), document.pop("mac", None)
        version = document.pop("format")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise OperationError(
            f"{source} is no manifest of a whole backup (cut off or of another program); "
            "there is no backup: use another one"
        ) from None
    if version != FORMAT:
        raise OperationError(
            f"{source} has format {version!r}, this version reads {FORMAT}; use the version of "
            "pgkeep that wrote it"
        )
    digest = hashlib.sha256(_canonical({"format": version, **document})).digest()
    if digest.hex() != recorded:
        raise OperationError(
            f"{source} was altered after it was written: its SHA-256 is {digest.hex()}, it says "
            f"{recorded}; do not use this backup, and find out who changed it"
        )
    if kms is not None and mac_key is not None:
        _verify(kms, mac_key, digest, signature, source)
    try:
        made = TypeAdapter(Manifest).validate_python(document)
    except ValidationError as error:
        wrong = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise OperationError(f"{source} is wrong at {wrong}; use another backup") from None
    for name in _MOMENTS:
        if not _is_moment(getattr(made, name)):
            raise OperationError(f"{source} is wrong at {name}; use another backup")
    return made


def _is_moment(text: str | None) -> bool:
    """Whether it can be compared with other times; None is no end."""
    try:
        return text is None or datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _verify(kms: KMSClient, mac_key: str, digest: bytes, signature: Any, source: str) -> None:
    """Another key is no forgery: a stack that was made anew has one, and so has another region."""
    from botocore.exceptions import ClientError

    if not isinstance(signature, dict) or "value" not in signature:
        raise NotSignedError(f"{source} is not signed")
    named = str(signature.get("key"))
    try:
        kms.verify_mac(
            KeyId=mac_key,
            MacAlgorithm=_MAC_ALGORITHM,
            Message=digest,
            Mac=_decoded(str(signature["value"])),
        )
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code not in ("KMSInvalidMacException", "InvalidKeyUsageException"):
            advice = aws_clients.key_refusal(error)
            if advice is None:
                raise
            raise NotVerifiedError(f"{str(error).rstrip('.')}; {advice}") from None
        if not _same_key(named, mac_key):
            raise NotSignedError(f"{source} is signed by {named} and not by {mac_key}") from None
        raise OperationError(
            f"{source} was not signed by {mac_key}, though it says so: it is forged; do not use "
            "this backup, and find out who wrote it"
        ) from None


def _same_key(one: str, other: str) -> bool:
    """Whether two ARNs are of one key; a multi-Region key has one id in each of its regions.

    AWS KMS developer guide: how multi-Region keys work.
    """
    if one == other:
        return True
    # arn:partition:kms:region:account:key/id
    first, second = one.split(":"), other.split(":")
    return first[4:] == second[4:] and other.rpartition("/")[2].startswith("mrk-")


def _decoded(value: str) -> bytes:
    """What is no base64 is no signature, and KMS takes no empty one."""
    try:
        return base64.b64decode(value) or b"none"
    except ValueError:
        return b"none"


def _texts(value: Any) -> str | list[str]:
    """A value as JSON; a list's members, each for itself."""
    if not isinstance(value, (list, tuple)) or not value:
        return _COMPACT(value)
    return [_text(one) for one in value]  # pyright: ignore[reportUnknownVariableType]


def _text(value: Any) -> str:
    # As `_COMPACT` writes it, in a fifth of its time: there are thousands of them, and nothing else
    # is at work then.
    if type(value) is not TableRecord:
        return _COMPACT(value)
    columns = ",".join(map(_STRING, value.columns))
    segments = ",".join(
        f'{{"key":{_STRING(rows.key)},"length_bytes":{rows.length_bytes},'
        f'"offset_bytes":{rows.offset_bytes},"pages":{_STRING(rows.pages)},"rows":{rows.rows}}}'
        for rows in value.segments
    )
    return (
        f'{{"columns":[{columns}],"hash":{"null" if value.hash is None else value.hash},'
        f'"name":{_STRING(value.name)},"rows":{value.rows},"schema":{_STRING(value.schema)},'
        f'"segments":[{segments}]}}'
    )


def _array(text: str | list[str], *, lines: bool = False) -> str:
    if isinstance(text, str):
        return text
    return "[\n  " + ",\n  ".join(text) + "\n ]" if lines else f"[{','.join(text)}]"


def _canonical(content: dict[str, Any]) -> bytes:
    return _COMPACT(content).encode()
