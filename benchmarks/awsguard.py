"""pgkeep's pack beside AWSGuard: both asked by the engine's own protocol, on the same resources.

`python -m benchmarks.awsguard` prints how often each agrees with the labelled policy cases of the
checks that AWSGuard has (the table of docs/policy-comparison.md). AWSGuard is the npm package,
installed once into the cache folder.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from benchmarks.results import Measurement
from toolchain.cache import cache_folder
from toolchain.environment import REPOSITORY

VERSION = "0.3.1"  # Its newest one; it declares version 4 of the AWS provider.
INSTALL_TIMEOUT_SECONDS = 600
# AWSGuard's policies by the check of the labelled cases that asks the same; the others are about
# other services, or have no case.
SAME_QUESTION = {
    "CKV_AWS_7": "cmk-backing-key-rotation-enabled",
    "CKV_AWS_8": "encrypted-volumes",
    "CKV_AWS_2": "alb-http-to-https-redirection",
    "CKV_AWS_17": "rds-instance-public-access",
    "CKV_AWS_88": "ec2-instance-no-public-ip",
    "CKV_AWS_91": "elb-logging-enabled",
    "CKV_AWS_133": "rds-instance-backup-enabled",
    "CKV_AWS_150": "elb-deletion-protection-enabled",
    "CKV_AWS_157": "rds-instance-multi-az-enabled",
}
_INDEX = """\
const { AwsGuard } = require("@pulumi/awsguard");
new AwsGuard({ all: "mandatory" });
"""


@dataclass(frozen=True)
class Asked:
    """One resource that a pack is asked about."""

    type: str
    urn: str
    properties: dict[str, Any]
    references: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


def installed() -> Path | None:
    """The folder of a pack of AWSGuard's policies, all mandatory; None where npm cannot make it."""
    folder = cache_folder() / f"awsguard-{VERSION}"
    if not (folder / "index.js").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"name": "pack", "version": "1.0.0"}')
        command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            subprocess.run(
                [*command, f"@pulumi/awsguard@{VERSION}"],
                cwd=folder,
                check=True,
                capture_output=True,
                timeout=INSTALL_TIMEOUT_SECONDS,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        (folder / "index.js").write_text(_INDEX)  # Last: it says that the rest is whole.
    return folder


@contextmanager
def pack(command: Sequence[str], folder: Path) -> Generator[Any]:
    """A policy pack's process, as the engine starts it; its stub."""
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 (for the type checker)
            port = int(process.stdout.readline())
            options = [
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
            ]
            with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            process.kill()


def pgkeep_pack() -> tuple[list[str], Path]:
    """Command and folder of this repository's pack."""
    folder = REPOSITORY / "policies"
    return [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(folder)], folder


def ask(stub: Any, resources: Sequence[Asked], stack: str = "prod") -> dict[str, set[str]]:
    """The policies that refuse each resource, by URN: asked one by one, then all together."""
    settings = {"stack": stack, "project": "bench", "organization": "o", "dry_run": False}
    stub.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(**settings))
    refused: dict[str, set[str]] = defaultdict(set)
    together: list[Any] = []
    for one in resources:
        properties = struct_pb2.Struct()
        properties.update(one.properties)
        same: dict[str, Any] = {"type": one.type, "properties": properties, "urn": one.urn}
        same["name"] = one.urn.rsplit("::", 1)[-1]
        same["options"] = analyzer_pb2.AnalyzerResourceOptions()
        _note(refused, stub.Analyze(analyzer_pb2.AnalyzeRequest(**same)), one.urn)
        dependencies = {
            key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
            for key, urns in one.references.items()
        }
        together.append(analyzer_pb2.AnalyzerResource(**same, propertyDependencies=dependencies))
    _note(refused, stub.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=together)), "")
    return refused


def _note(refused: dict[str, set[str]], answer: Any, urn: str) -> None:
    for diagnostic in answer.diagnostics:
        refused[diagnostic.urn or urn].add(diagnostic.policyName)


def measure(resources: Sequence[Asked]) -> Measurement:
    """Seconds of both packs for the same resources, from the start of their process on."""
    name = f"pack in the engine's protocol, {len(resources)} resources"
    folder = installed()
    ours = _seconds(*pgkeep_pack(), resources)
    if folder is None:
        return Measurement(name, ours, "s", note="AWSGuard could not be installed")
    theirs = _seconds(["node", "index.js"], folder, resources)
    return Measurement(name, ours, "s", f"AWSGuard {VERSION} (26 policies)", theirs)


def _seconds(command: Sequence[str], folder: Path, resources: Sequence[Asked]) -> float:
    start = time.perf_counter()
    with pack(command, folder) as stub:
        ask(stub, resources)
        return time.perf_counter() - start


def agreement(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    """Of each check: labelled resources, and how many pgkeep and AWSGuard judge as labelled."""
    from tests.policies.test_agreement import CASES, refused_addresses

    with pack(["node", "index.js"], folder) as theirs:
        for check, policy in SAME_QUESTION.items():
            count = right = right_theirs = 0
            for case in (case for case in CASES if case["check_id"] == check):
                asked = {item["address"]: _asked(item) for item in case["resources"]}
                by_us, by_them = refused_addresses(case), ask(theirs, list(asked.values()))
                for label, addresses in case["expected"].items():
                    for address in addresses:
                        count += 1
                        right += (address in by_us) == (label == "fail")
                        refused = policy in by_them[asked[address].urn]
                        right_theirs += refused == (label == "fail")
            yield check, count, right, right_theirs


def _asked(item: dict[str, Any]) -> Asked:
    prefix = "urn:pulumi:prod::bench::"
    references = {
        key: [f"{prefix}{target}" for target in targets]
        for key, targets in item["propertyDependencies"].items()
    }
    return Asked(
        item["type"], f"{prefix}{item['type']}::{item['address']}", item["props"], references
    )


def main() -> int:
    """Prints the table of agreement."""
    folder = installed()
    if folder is None:
        print("AWSGuard could not be installed: npm is missing, or its registry is not reachable.")
        return 1
    print("| check | AWSGuard's policy | labelled resources | pgkeep agrees | AWSGuard agrees |")
    print("|---|---|---|---|---|")
    total = [0, 0, 0]
    for check, *counts in agreement(folder):
        shown = " | ".join(map(str, counts))
        print(f"| {check} | `{SAME_QUESTION[check]}` | {shown} |")
        total = [sum(pair) for pair in zip(total, counts, strict=True)]
    print(f"| | | **{total[0]}** | **{total[1]}** | **{total[2]}** |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
