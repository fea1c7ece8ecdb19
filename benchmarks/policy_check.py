"""The policies beside checkov and AWSGuard, each on the same resources, in one run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import awsguard
from benchmarks.outside_programs import installed
from benchmarks.results import Measurement

# The version whose examples the labelled policy cases come from.
CHECKOV = "3.3.13"
_RESOURCES = 10_000
# checkov's time grows faster than the number of resources; more would take minutes.
_COMPARED = 1_000
# Terraform's names where they are not Pulumi's in snake case.
_TERRAFORM = {
    "aws:rds/instance:Instance": "aws_db_instance",
    "aws:rds/parameterGroup:ParameterGroup": "aws_db_parameter_group",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "aws_cloudwatch_metric_alarm",
    "aws:cloudwatch/logGroup:LogGroup": "aws_cloudwatch_log_group",
    "aws:ec2/securityGroup:SecurityGroup": "aws_security_group",
    "aws:ec2/vpc:Vpc": "aws_vpc",
    "aws:ec2/subnet:Subnet": "aws_subnet",
    "aws:s3/bucket:Bucket": "aws_s3_bucket",
    "aws:s3/bucketPolicy:BucketPolicy": "aws_s3_bucket_policy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "aws_s3_bucket_public_access_block",
    "aws:s3/bucketVersioning:BucketVersioning": "aws_s3_bucket_versioning",
    "aws:iam/role:Role": "aws_iam_role",
    "aws:iam/rolePolicy:RolePolicy": "aws_iam_role_policy",
    "aws:kms/key:Key": "aws_kms_key",
    "aws:secretsmanager/secret:Secret": "aws_secretsmanager_secret",
    "aws:sns/topic:Topic": "aws_sns_topic",
    "aws:lambda/function:Function": "aws_lambda_function",
}


def measure() -> list[Measurement]:
    """All measurements; checkov's is left out, with a note, where it cannot be installed."""
    with TemporaryDirectory(prefix="pgkeep-bench-") as folder:
        scratch = Path(folder)
        cold, _ = _timed([sys.executable, "-m", "pgkeep", "check"])
        large = scratch / "large.json"
        large.write_text(json.dumps(_state(_RESOURCES)))
        seconds, mebibytes = _timed(
            [sys.executable, "-m", "pgkeep", "check", "--state", str(large)]
        )
        found = [
            Measurement("check of four environments, cold", cold, "s", aim="< 3 s"),
            Measurement(f"state of {_RESOURCES} resources", seconds, "s", aim="< 10 s"),
            Measurement("its memory", mebibytes, "MB", aim="< 500 MB"),
        ]
        return [*found, _beside_checkov(scratch), awsguard.measure(_asked(_COMPARED))]


def _beside_checkov(scratch: Path) -> Measurement:
    file = scratch / "compared.json"
    file.write_text(json.dumps(_state(_COMPARED)))
    ours, _ = _timed([sys.executable, "-m", "pgkeep", "check", "--state", str(file)])
    terraform = scratch / "terraform"
    terraform.mkdir()
    (terraform / "main.tf").write_text(_terraform(_COMPARED))
    name = f"state of {_COMPARED} resources"
    try:
        checkov = installed(f"checkov=={CHECKOV}", "checkov")
    except subprocess.CalledProcessError:
        return Measurement(name, ours, "s", note="checkov could not be installed")
    # Its bytecode is written before it is measured.
    version = subprocess.check_output([checkov, "--version"], text=True).strip()
    arguments = ["--directory", str(terraform), "--framework", "terraform", "--quiet", "--compact"]
    arguments += ["--skip-download"]
    theirs, _ = _timed([checkov, *arguments, "--output", "json"])
    return Measurement(name, ours, "s", f"checkov {version}", theirs)


def _timed(command: list[str]) -> tuple[float, float]:
    """Seconds and greatest memory in MB of one command; violations are no failure."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # Not getrusage: its maximum is over all children, also those of earlier benchmarks.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{command[:5]} ended with {process.returncode}")
    return seconds, usage.ru_maxrss / 1024


def _copies(count: int) -> list[tuple[str, str, dict[str, Any], dict[str, list[str]]]]:
    """`count` resources out of the policy tests' good stack, each copy with names of its own."""
    from tests.policies.good_stack import ALL

    kinds = {name: one for name, one in ALL.items() if one[0] in _TERRAFORM}
    copies: list[tuple[str, str, dict[str, Any], dict[str, list[str]]]] = []
    number = 0
    while len(copies) < count:
        for name, (kind, properties, references) in kinds.items():
            own = {
                key: f"{value}-{number}"
                if key
                in ("identifier", "name", "bucket", "replicateSourceDb", "parameterGroupName")
                else value
                for key, value in properties.items()
            }
            targets = {
                key: [f"{ALL[target][0]}::{target}-{number}" for target in listed]
                for key, listed in references.items()
            }
            copies.append((kind, f"{name}-{number}", own, targets))
        number += 1
    return copies[:count]


def _asked(count: int) -> list[awsguard.Asked]:
    prefix = "urn:pulumi:prod::bench::"
    return [
        awsguard.Asked(
            kind,
            f"{prefix}{kind}::{name}",
            properties,
            {key: [prefix + target for target in listed] for key, listed in references.items()},
        )
        for kind, name, properties, references in _copies(count)
    ]


def _state(count: int) -> dict[str, Any]:
    prefix = "urn:pulumi:prod::bench::"
    resources = [
        {
            "urn": f"{prefix}{kind}::{name}",
            "custom": True,
            "id": f"{name}-id",
            "type": kind,
            "inputs": properties,
            "outputs": {**properties, "arn": f"arn:aws:x:eu-west-1:1:{name}", "tagsAll": {}},
            "propertyDependencies": {
                key: [prefix + target for target in listed] for key, listed in references.items()
            },
        }
        for kind, name, properties, references in _copies(count)
    ]
    return {"version": 3, "deployment": {"manifest": {}, "resources": resources}}


def _terraform(count: int) -> str:
    """The resources in Terraform's own language (checkov reads no JSON of it)."""
    blocks = (
        f'resource "{_TERRAFORM[kind]}" "{name}" {{\n{_body(properties)}}}\n'
        for kind, name, properties, _ in _copies(count)
    )
    return "\n".join(blocks)


def _body(properties: dict[str, Any]) -> str:
    lines: list[str] = []
    for key, value in properties.items():
        name = re.sub("([A-Z])", r"_\1", key).lower()
        if isinstance(value, dict) and "Statement" in value:
            lines.append(f"{name} = {json.dumps(json.dumps(value))}\n")
        elif isinstance(value, dict) and name not in ("tags", "dimensions", "variables"):
            lines.append(f"{name} {{\n{_body(value)}}}\n")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            # Blocks have the singular of the property's name.
            lines += [f"{name.removesuffix('s')} {{\n{_body(item)}}}\n" for item in value]
        else:
            lines.append(f"{name} = {json.dumps(value)}\n")
    return "".join(lines)
