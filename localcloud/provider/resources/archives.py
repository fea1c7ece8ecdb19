"""Archives and assets as the engine hands them over, turned into zip files for Lambda."""

import io
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from localcloud.provider.errors import ProviderError
from localcloud.provider.wire import Archive, Asset

# Lambda's limit for a zip file that is uploaded directly (AWS: Lambda quotas, 50 MB zipped).
DIRECT_UPLOAD_LIMIT_BYTES = 50 * 1024 * 1024
# A fixed time, so that the same content gives the same zip file: 1980-01-01, zip's earliest.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def zip_bytes(archive: Archive, subject: str) -> bytes:
    """The archive as a zip file. A zip file given by path is passed on byte for byte."""
    try:
        path = Path(archive.path)
        if archive.path and path.is_file() and path.suffix in (".zip", ".jar"):
            data = path.read_bytes()
        else:
            data = _packed(archive)
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise ProviderError(f"code of {subject} cannot be read: {error}") from None
    if len(data) > DIRECT_UPLOAD_LIMIT_BYTES:
        raise ProviderError(
            f"code of {subject} refused: {len(data)} bytes zipped, AWS Lambda takes "
            f"{DIRECT_UPLOAD_LIMIT_BYTES} in a direct upload; make it smaller or give s3Bucket and "
            "s3Key"
        )
    return data


def _packed(archive: Archive) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data, mode in sorted(_members(archive, "")):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, data)
    return buffer.getvalue()


def _members(archive: Archive, prefix: str) -> Iterator[tuple[str, bytes, int]]:
    if archive.path:
        yield from _path_members(Path(archive.path), prefix)
    for name, member in archive.members.items():
        if isinstance(member, Archive):
            yield from _members(member, f"{prefix}{name}/")
        else:
            yield prefix + name, *_asset(member)


def _asset(asset: Asset) -> tuple[bytes, int]:
    if asset.path:
        path = Path(asset.path)
        return path.read_bytes(), 0o755 if path.stat().st_mode & 0o100 else 0o644
    return (asset.text or "").encode(), 0o644


def _path_members(path: Path, prefix: str) -> Iterator[tuple[str, bytes, int]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file():
                mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
                yield prefix + file.relative_to(path).as_posix(), file.read_bytes(), mode
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as source:
            for info in source.infolist():
                if not info.is_dir():
                    mode = info.external_attr >> 16 or 0o644
                    yield prefix + info.filename, source.read(info), mode
    else:
        with tarfile.open(path) as source:
            for item in source.getmembers():
                content = source.extractfile(item) if item.isfile() else None
                if content is not None:
                    yield prefix + item.name.removeprefix("./"), content.read(), item.mode
