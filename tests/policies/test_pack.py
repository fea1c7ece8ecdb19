"""The pack as the engine runs it, over gRPC: `python -m pulumi.policy` on the folder, or itself.

The folder is copied elsewhere under another name first: the pack must stand alone.
"""

from __future__ import annotations

import ast
import datetime
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from policies.catalogue import RULES
from tests.policies.good_stack import BLOCK, BUCKET, GOOD, INSTANCE, UNKNOWN_STRING, urn
from tests.policies.test_specs import ADVICE

PACK = Path(__file__).resolve().parents[2] / "policies"
IGNORE = shutil.ignore_patterns("__pycache__")
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


@contextmanager
def served(
    scratch: Path, *command: str, prints: IO[str] | None = None, **variables: str
) -> Generator[Any]:
    """A copy of the pack, run by Python with `command` in front of it; it must end well."""
    folder = scratch / "rules of ours"
    shutil.copytree(PACK, folder, ignore=IGNORE)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    arguments = ["127.0.0.1:1", str(folder)] if command else [str(folder), "127.0.0.1:1"]
    with subprocess.Popen(
        [sys.executable, "-u", *command, *arguments],
        cwd=folder,
        env={**environment, **variables},
        stdout=subprocess.PIPE,
        stderr=prints,
        text=True,
    ) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = analyzer_pb2_grpc.AnalyzerStub(channel)
            yield stub
            stub.Cancel(empty_pb2.Empty())
        assert process.wait(timeout=10) == 0


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with served(tmp_path_factory.mktemp("elsewhere"), "-m", "pulumi.policy") as stub:
        yield stub


def configure(
    pack: Any, stack: str = "prod", *, dry_run: bool = True, config: dict[str, Any] | None = None
) -> None:
    texts = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in (config or {}).items()
    }
    pack.ConfigureStack(
        analyzer_pb2.AnalyzerStackConfigureRequest(
            stack=stack, project="pgkeep", dry_run=dry_run, config=texts
        )
    )


def struct(properties: dict[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(properties)
    return message


def analyze(pack: Any, kind: str, properties: dict[str, Any], name: str = "x") -> list[Any]:
    request = analyzer_pb2.AnalyzeRequest(
        type=kind, name=name, urn=f"urn:{name}", properties=struct(properties)
    )
    return list(pack.Analyze(request).diagnostics)


def analyze_stack(pack: Any, **changes: dict[str, Any] | None) -> list[Any]:
    """The good stack with properties changed; `None` leaves a resource out."""
    resources: list[Any] = []
    for name, (kind, properties, references) in GOOD.items():
        if name in changes and changes[name] is None:
            continue
        resources.append(
            analyzer_pb2.AnalyzerResource(
                type=kind,
                name=name,
                urn=urn(name),
                properties=struct({**properties, **(changes.get(name) or {})}),
                options=analyzer_pb2.AnalyzerResourceOptions(protect=True),
                propertyDependencies={
                    key: analyzer_pb2.AnalyzerPropertyDependencies(urns=[urn(t) for t in targets])
                    for key, targets in references.items()
                },
            )
        )
    return list(
        pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources)).diagnostics
    )


def test_the_good_stack_passes(pack: Any) -> None:
    for dry_run in (True, False):
        configure(pack, dry_run=dry_run)
        for name, (kind, properties, _) in GOOD.items():
            assert analyze(pack, kind, properties, name) == []
        assert analyze_stack(pack) == []


def test_by_itself_it_says_the_same_and_loads_of_pulumi_only_the_protocol(
    pack: Any, tmp_path: Path
) -> None:
    imports = tmp_path / "imports"
    spoilt = {**GOOD["db"][1], "publiclyAccessible": True}
    with (
        imports.open("w") as prints,
        served(tmp_path, prints=prints, PYTHONPROFILEIMPORTTIME="1") as alone,
    ):
        for one in (pack, alone):
            configure(one)
        nothing = empty_pb2.Empty()
        assert alone.GetAnalyzerInfo(nothing) == pack.GetAnalyzerInfo(nothing)
        assert analyze(alone, INSTANCE, spoilt) == analyze(pack, INSTANCE, spoilt) != []
        assert analyze_stack(alone, block=None) == analyze_stack(pack, block=None) != []
    loaded = {line.rpartition("|")[2].strip() for line in imports.read_text().splitlines()}
    assert {name for name in loaded if name.split(".")[0] == "pulumi"} == {
        *("pulumi.runtime.proto.analyzer_pb2", "pulumi.runtime.proto.analyzer_pb2_grpc"),
        "pulumi.runtime.proto.plugin_pb2",
    }


def test_notes_come_in_one_order_however_the_properties_come(pack: Any) -> None:
    """A map of the protocol has none: each process sees another."""
    configure(pack)
    names = [f"SETTING_{number}" for number in range(20)]
    environment = {"variables": dict.fromkeys(reversed(names), UNKNOWN_STRING)}
    notes = analyze(pack, "aws:lambda/function:Function", {"environment": environment})
    places = [
        note.message.split("environment.variables.")[1].split()[0]
        for note in notes
        if "environment.variables." in note.message
    ]
    assert places == sorted(names)


def test_a_violation_carries_rule_resource_and_remedy(pack: Any) -> None:
    configure(pack)
    (found,) = analyze(pack, INSTANCE, {**GOOD["db"][1], "publiclyAccessible": True})
    assert found.policyName == "rds-not-public"
    assert found.enforcementLevel == analyzer_pb2.MANDATORY
    assert found.severity == analyzer_pb2.POLICY_SEVERITY_CRITICAL
    assert found.urn == "urn:x"
    assert "has publiclyAccessible = true; it must be false" in found.message
    assert "What to do: set publicly_accessible = False" in found.message


def test_unknown_is_an_advisory_note_at_preview_and_mandatory_at_apply(pack: Any) -> None:
    unknown = {**GOOD["db"][1], "storageEncrypted": UNKNOWN_STRING}
    configure(pack)
    (found,) = analyze(pack, INSTANCE, unknown)
    assert found.enforcementLevel == analyzer_pb2.ADVISORY
    assert "rds-storage-encrypted could not be verified before apply" in found.message
    configure(pack, dry_run=False)
    (found,) = analyze(pack, INSTANCE, unknown)
    assert found.enforcementLevel == analyzer_pb2.MANDATORY


def test_one_unknown_value_is_one_note_that_names_every_rule_that_waits_for_it(pack: Any) -> None:
    configure(pack)
    role_policy = "aws:iam/rolePolicy:RolePolicy"
    (found,) = analyze(pack, role_policy, {"role": "r", "policy": UNKNOWN_STRING})
    assert found.enforcementLevel == analyzer_pb2.ADVISORY
    assert found.severity == analyzer_pb2.POLICY_SEVERITY_CRITICAL
    assert found.message.startswith(found.policyName)
    for rule in ("iam-no-wildcard-actions", "iam-no-wildcard-resources", "iam-no-escalation"):
        assert rule in found.message
    configure(pack, dry_run=False)
    at_apply = analyze(pack, role_policy, {"role": "r", "policy": UNKNOWN_STRING})
    assert len(at_apply) > 3
    assert {one.enforcementLevel for one in at_apply} == {analyzer_pb2.MANDATORY}


def test_an_unknown_beside_a_violation_does_not_hide_it(pack: Any) -> None:
    configure(pack)
    both = {**GOOD["db"][1], "storageEncrypted": UNKNOWN_STRING, "publiclyAccessible": True}
    levels = {found.policyName: found.enforcementLevel for found in analyze(pack, INSTANCE, both)}
    assert levels == {
        "rds-storage-encrypted": analyzer_pb2.ADVISORY,
        "rds-not-public": analyzer_pb2.MANDATORY,
    }


def test_secrets_are_judged_like_plain_values(pack: Any) -> None:
    configure(pack)
    secret = {**GOOD["db"][1], "publiclyAccessible": {**SECRET, "value": True}}
    assert [found.policyName for found in analyze(pack, INSTANCE, secret)] == ["rds-not-public"]


def test_null_properties_are_missing_ones(pack: Any) -> None:
    configure(pack)
    found = analyze(pack, BLOCK, {**GOOD["block"][1], "blockPublicAcls": None})
    assert "(not set)" in found[0].message


def test_stack_rules_join_by_reference(pack: Any) -> None:
    configure(pack)
    (found,) = analyze_stack(pack, block=None)
    assert (found.policyName, found.urn) == ("s3-public-access-blocked", urn("backups"))
    first = {"bucket": UNKNOWN_STRING}
    assert analyze_stack(pack, backups=first, block=first, tls=first) != []
    assert all(
        note.enforcementLevel == analyzer_pb2.ADVISORY
        for note in analyze_stack(pack, backups=first, block=first, tls=first)
    )


def test_the_stack_name_chooses_the_environment(pack: Any) -> None:
    week = {**GOOD["db"][1], "backupRetentionPeriod": 7}
    configure(pack, "staging")
    assert analyze(pack, INSTANCE, week) == []
    configure(pack, "somewhere")
    assert "30 to 35 days in prod" in analyze(pack, INSTANCE, week)[0].message


def test_exemptions_come_from_the_stack_configuration(pack: Any) -> None:
    expires = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)
    entry = {
        "rule": "rds-pitr-retention",
        "resource": f"{INSTANCE}::scratch",
        "reason": "rebuilt every night from prod",
        "owner": "platform@example.com",
        "expires": str(expires),
    }
    configure(pack, config={"pgkeep:settings": {"policy_exemptions": [entry]}})
    short = {**GOOD["db"][1], "backupRetentionPeriod": 1}
    (found,) = analyze(pack, INSTANCE, short, "scratch")
    assert found.enforcementLevel == analyzer_pb2.ADVISORY
    assert f"exempted until {expires} by platform@example.com" in found.message
    assert analyze_stack(pack) == []

    configure(pack, config={"pgkeep:policy_exemptions": [entry]})
    (unused,) = analyze_stack(pack)
    assert unused.policyName == "policy-exemptions-valid"
    assert unused.enforcementLevel == analyzer_pb2.MANDATORY
    assert "is not used" in unused.message


def test_the_pack_configuration_sets_thresholds_and_levels(pack: Any) -> None:
    configure(pack)
    info = pack.GetAnalyzerInfo(empty_pb2.Empty())
    levels = {policy.name: policy.enforcementLevel for policy in info.policies}
    levels["rds-storage-encrypted"] = analyzer_pb2.ADVISORY
    levels["rds-not-public"] = analyzer_pb2.DISABLED
    config = {
        name: analyzer_pb2.PolicyConfig(enforcementLevel=level) for name, level in levels.items()
    }
    config["rds-pitr-retention"].properties.update({"minimumDays": 14})
    pack.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=config))
    spoilt = {
        **GOOD["db"][1],
        "backupRetentionPeriod": 14,
        "storageEncrypted": False,
        "publiclyAccessible": True,
    }
    found = {one.policyName: one.enforcementLevel for one in analyze(pack, INSTANCE, spoilt)}
    assert found == {
        "rds-storage-encrypted": analyzer_pb2.ADVISORY,
        # Cannot be exempted in prod, so it cannot be switched off there either.
        "rds-not-public": analyzer_pb2.MANDATORY,
    }


def test_metadata_reaches_the_engine(pack: Any) -> None:
    configure(pack)
    info = pack.GetAnalyzerInfo(empty_pb2.Empty())
    policies = {policy.name: policy for policy in info.policies}
    coverage = policies.pop("policy-coverage-complete")
    assert coverage.enforcementLevel == analyzer_pb2.ADVISORY
    assert policies.keys() == {*(rule.id for rule in RULES), "policy-exemptions-valid"}
    advice = {name for name, p in policies.items() if p.enforcementLevel != analyzer_pb2.MANDATORY}
    assert advice == ADVICE
    retention = policies["rds-pitr-retention"]
    assert "minimumDays" in retention.configSchema.properties
    assert "CKV_AWS_133" in retention.tags
    assert retention.remediation_steps


def test_what_no_rule_judges_is_one_advisory_note_a_type(pack: Any) -> None:
    configure(pack)
    resources = [
        analyzer_pb2.AnalyzerResource(
            type=kind,
            name=f"r{number}",
            urn=f"urn:r{number}",
            provider=analyzer_pb2.AnalyzerProviderResource(type="pulumi:providers:x"),
        )
        for number, kind in enumerate(
            ["aws:dynamodb/table:Table"] * 2
            + ["mysql:index/database:Database"]
            + ["aws:rds/subnetGroup:SubnetGroup", "random:index/randomId:RandomId"]
        )
    ]
    request = analyzer_pb2.AnalyzeStackRequest(resources=resources)
    found = pack.AnalyzeStack(request).diagnostics
    assert {note.enforcementLevel for note in found} == {analyzer_pb2.ADVISORY}
    assert [note.message.partition(". ")[0] for note in found] == [
        "policy-coverage-complete: aws:dynamodb/table:Table holds data, and no rule judges its "
        "type (not covered: 2)",
        "policy-coverage-complete: mysql:index/database:Database is of the provider "
        "mysql, which no rule knows (not covered: 1)",
    ]


def test_aws_native_is_judged_part_by_part(pack: Any) -> None:
    configure(pack)
    found = analyze(pack, "aws-native:s3:Bucket", {"versioningConfiguration": {"status": "Off"}})
    assert "s3-versioned" in {one.policyName for one in found}
    bucket = analyzer_pb2.AnalyzerResource(
        type="aws-native:s3:Bucket",
        name="b",
        urn="urn:b",
        provider=analyzer_pb2.AnalyzerProviderResource(type="pulumi:providers:aws-native"),
    )
    bucket.properties.update({"websiteConfiguration": {"indexDocument": "index.html"}})
    told = pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=[bucket])).diagnostics
    assert "s3-versioned" in {one.policyName for one in told}
    assert [
        one.message.partition(". ")[0]
        for one in told
        if one.policyName == "policy-coverage-complete"
    ] == [
        "policy-coverage-complete: aws-native:s3:Bucket has websiteConfiguration, which no rule "
        "reads (not covered: 1)"
    ]


def test_other_types_are_not_touched(pack: Any) -> None:
    configure(pack)
    assert analyze(pack, "random:index/randomId:RandomId", {"byteLength": 4}) == []
    assert analyze(pack, BUCKET, {"bucket": 5}) == []


def test_the_pack_file_is_what_the_engine_needs() -> None:
    content = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())
    assert content["runtime"] == "python"
    assert content["version"]


def test_modules_shadow_nothing_and_import_only_what_pulumi_brings() -> None:
    """The engine starts Python in this folder, so that a module `secrets` would replace Python's."""
    allowed = {*sys.stdlib_module_names, "grpc", "google", "pulumi", "policies"}
    for module in PACK.glob("*.py"):
        assert module.stem not in sys.stdlib_module_names
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            assert {name.split(".")[0] for name in names} <= allowed, module.name
