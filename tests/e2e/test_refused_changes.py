"""Bad changes are blocked by the real engine at preview, with the rule, the resource and the remedy.

Each change is made to the program's own resources on their way to the engine (a transform), so the
rest of the stack is what a team would deploy.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.e2e.local_stack import REPOSITORY, last_words

PROGRAM = """
import json, runpy, sys
import pulumi

sys.path.insert(0, {repository!r})
def change(arguments):
    properties = dict(arguments.props)
{change}
    return pulumi.ResourceTransformResult(props=properties, opts=arguments.opts)
pulumi.runtime.register_resource_transform(change)
runpy.run_path({main!r}, run_name="__main__")
{after}
"""

PUBLIC_DATABASE = """
if arguments.type_ == "aws:rds/instance:Instance":
    properties["publiclyAccessible"] = True
"""
NO_SSL = """
if arguments.type_ == "aws:rds/parameterGroup:ParameterGroup":
    properties["parameters"] = [
        {**p, "value": "0"} if p["name"] == "rds.force_ssl" else p for p in properties["parameters"]
    ]
"""
DELETE_FOR_APP = """
if arguments.type_ == "aws:lambda/invocation:Invocation" and "roles" in arguments.name:
    def grant(text):
        event = json.loads(text)
        for role in event["manifest"]["roles"]:
            for granted in role["grants"] if role["kind"] == "app" else []:
                if granted["object_type"] == "table":
                    granted["privileges"].append("DELETE")
        return json.dumps(event)
    properties["input"] = pulumi.Output.from_input(properties["input"]).apply(grant)
"""
NO_ENCRYPTION = """
if arguments.type_ == "aws:rds/instance:Instance":
    properties["storageEncrypted"] = False
"""
SHORT_RETENTION = """
if arguments.type_ == "aws:rds/instance:Instance":
    properties["backupRetentionPeriod"] = 0
"""
PLAIN_TRANSPORT = """
if arguments.type_ == "aws:s3/bucketPolicy:BucketPolicy":
    properties["policy"] = json.dumps({"Version": "2012-10-17", "Statement": []})
"""
WILDCARD_ACTION = """
if arguments.type_ == "aws:iam/rolePolicy:RolePolicy":
    properties["policy"] = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
"""
OPEN_BUCKET = """
from pulumi_aws import s3
s3.Bucket("uploads", force_destroy=False)
"""

# Change made, code after the program, the rule that must refuse it, part of the resource as shown.
CASES = {
    "public database": (PUBLIC_DATABASE, "", "rds-not-public", "database-instance"),
    "rds.force_ssl=0": (NO_SSL, "", "rds-ssl-enforced", "database-"),
    "DELETE for app": (DELETE_FOR_APP, "", "db-app-cannot-delete", "roles-apply"),
    "unencrypted storage": (NO_ENCRYPTION, "", "rds-storage-encrypted", "database-instance"),
    "no PITR": (SHORT_RETENTION, "", "rds-pitr-retention", "database-instance"),
    "bucket policy without TLS": (PLAIN_TRANSPORT, "", "s3-tls-only", "backups-"),
    "wildcard action": (WILDCARD_ACTION, "", "iam-no-wildcard-actions", "backup-policy"),
    "bucket without public access block": ("", OPEN_BUCKET, "s3-public-access-blocked", "uploads"),
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What one preview says of all changes together: each spoils something else."""
    changes = "".join(change for change, _, _, _ in CASES.values())
    result = preview_program(
        tmp_path_factory.mktemp("spoilt"),
        PROGRAM.format(
            repository=str(REPOSITORY),
            main=str(REPOSITORY / "__main__.py"),
            change=textwrap.indent(changes, "    "),
            after="".join(after for _, after, _, _ in CASES.values()),
        ),
    )
    text = result.stdout + result.stderr
    assert result.returncode != 0, text
    return text


@pytest.mark.parametrize("name", CASES)
def test_the_engine_blocks_it_at_preview(name: str, refusals: str) -> None:
    _, _, rule, resource = CASES[name]
    # "- [mandatory] [severity: high]  RULE  (TYPE: NAME)", and the rule's message on the next line.
    lines = refusals.splitlines()
    messages = [
        lines[number + 1]
        for number, line in enumerate(lines)
        if "[mandatory]" in line and f"  {rule}  (" in line and resource in line.rsplit("(", 1)[1]
    ]
    assert messages, refusals
    assert all(message.strip().startswith(f"{rule}: ") for message in messages)
    assert all("What to do: " in message for message in messages)


def test_the_unchanged_program_passes(tmp_path: Path) -> None:
    result = preview_program(
        tmp_path,
        PROGRAM.format(
            repository=str(REPOSITORY),
            main=str(REPOSITORY / "__main__.py"),
            change="    pass",
            after="",
        ),
    )
    assert result.returncode == 0, last_words(result)


def preview_program(folder: Path, program: str) -> subprocess.CompletedProcess:
    """Previews a program that wraps pgkeep's, for stack prod, offline, with the policy pack."""
    (folder / "__main__.py").write_text(program)
    (folder / "Pulumi.yaml").write_text("name: pgkeep\nruntime: python\n")
    (folder / ".build").symlink_to(REPOSITORY / ".build")
    return subprocess.run(
        [sys.executable, "-m", "toolchain", "preview", "prod", "--cwd", str(folder)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
