"""Cloud-config of any host: files out of this package, and text as cloud-init takes it."""

from __future__ import annotations

import ast
import re
import ssl
from pathlib import Path
from string import Template
from typing import Any

import yaml

from hosts.compression import compress

_HOSTS = Path(__file__).parent
_FILES = _HOSTS / "files"

#: EC2's limit on user data before base64
#: (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html).
USER_DATA_LIMIT_BYTES = 16 * 1024
#: Where a host's own programs are.
CODE_FOLDER = "/usr/local/lib/pgkeep"

_COMMENTS = re.compile(r"(?m)^[ \t]*(?:#(?!!)|;|//).*\n")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


def text(document: dict[str, Any]) -> str:
    """`#cloud-config` text."""
    return "#cloud-config\n" + yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=False
    )


def packed(document: str, whose: str, rds_ca_bundle_pem: str) -> bytes:
    """gzip of `#cloud-config` text, as cloud-init takes it; equal texts, equal bytes.

    Raises `ValueError` when it is longer than EC2 takes; `whose` says which hosts' it is.
    """
    user_data = compress(document)
    if len(user_data) > USER_DATA_LIMIT_BYTES:
        raise ValueError(
            f"user data of the {whose} is {len(user_data)} bytes, EC2 takes "
            f"{USER_DATA_LIMIT_BYTES}; the RDS CA bundle has {len(rds_ca_bundle_pem)} of them: use "
            "the bundle of one region, not the global one"
        )
    return user_data


def program(module: str) -> str:
    """A module's source without comments and docstrings."""
    source = (_HOSTS / f"{module}.py").read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        first = node.body[0] if ast.get_docstring(node) is not None else None
        if first is not None:
            indent = lines[first.lineno - 1][: first.col_offset]
            last = first.end_lineno or first.lineno
            lines[first.lineno - 1 : last] = [""] * (last - first.lineno + 1)
            if len(node.body) == 1 and not isinstance(node, ast.Module):
                lines[first.lineno - 1] = f"{indent}pass\n"
    return _without_comments("".join(lines))


def file(path: str, content: str, mode: str = "0644") -> dict[str, str]:
    """A file of root's: the service can read its configuration and not change it."""
    return {"path": path, "permissions": mode, "content": content}


def certificates(bundle: str) -> str:
    """The bundle's certificates without the text between them."""
    return "".join(f"{found}\n" for found in _CERTIFICATE.findall(bundle))


def certificates_in_hex(bundle: str) -> str:
    """The bundle's certificates in DER, one a line.

    They compress by a sixth better than in PEM: what they have in common is not shifted by bits.
    """
    found = _CERTIFICATE.findall(bundle)
    return "".join(f"{ssl.PEM_cert_to_DER_cert(one).hex()}\n" for one in found)


def read(name: str) -> str:
    """A file of `hosts/files` without its comments."""
    return _without_comments((_FILES / name).read_text(encoding="utf-8"))


def _without_comments(text: str) -> str:
    """Comments stay in the repository: with docstrings they would be a third of the code."""
    return _COMMENTS.sub("", text).lstrip("\n")


def fill(name: str, values: dict[str, Any]) -> str:
    """The same with its `$names` filled in."""
    return Template(read(name)).substitute(values)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stay readable."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
