"""RDS rules: each property of a good database spoilt in every way that people write it wrong."""

from __future__ import annotations

from typing import Any

import pytest

from policies import databases
from policies.databases import CLUSTER, CLUSTER_INSTANCE, CLUSTER_PARAMETER_GROUP
from policies.inventory import Resource
from policies.rules import Environment
from tests.policies import good_stack
from tests.policies.good_stack import (
    GOOD,
    INSTANCE,
    UNKNOWN_STRING,
    notes,
    resource,
    urn,
    verdicts,
    violations,
)


@pytest.fixture(autouse=True)
def _only_this_theme(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other themes' rules would speak about the same resources."""
    monkeypatch.setattr(good_stack, "RULES", databases.RULES)


def group(*parameters: dict[str, Any], **changes: Any) -> Resource:
    return resource("group", parameters=list(parameters), **changes)


class TestSsl:
    @pytest.mark.parametrize("value", ["1", 1, 1.0])
    def test_one_in_any_type_is_accepted(self, value: object) -> None:
        assert violations(group({"name": "rds.force_ssl", "value": value})) == []

    @pytest.mark.parametrize(
        "value", ["0", 0, "true", True, "on", "", None, " 1", "01", "2", [], ["1"], {"value": "1"}]
    )
    def test_anything_else_is_refused_at_the_group(self, value: object) -> None:
        found = violations(group({"name": "rds.force_ssl", "value": value}))
        # The database that uses the group is not repeated.
        assert found == [("rds-ssl-enforced", "group")]

    def test_the_message_says_what_where_and_what_to_do(self) -> None:
        (verdict,) = verdicts(group({"name": "rds.force_ssl", "value": "on"}))
        assert verdict.message.startswith(
            'rds-ssl-enforced: aws:rds/parameterGroup:ParameterGroup "group" has '
            'rds.force_ssl = "on", which RDS does not accept; it must set rds.force_ssl to 1.'
        )
        assert "What to do: set the parameter rds.force_ssl = 1" in verdict.message
        assert verdict.urn == urn("group")
        assert verdict.blocks

    def test_the_name_does_not_regard_case(self) -> None:
        assert violations(group({"name": "RDS.Force_SSL", "value": "1"})) == []
        assert violations(group({"name": "RDS.Force_SSL", "value": "0"})) != []

    def test_every_entry_of_the_name_counts(self) -> None:
        good, bad = {"name": "rds.force_ssl", "value": "1"}, {"name": "rds.force_ssl", "value": "0"}
        assert violations(group(good, bad)) == [("rds-ssl-enforced", "group")]
        assert violations(group(bad, good)) == [("rds-ssl-enforced", "group")]

    @pytest.mark.parametrize("method", ["pending-reboot", "Immediate", 1])
    def test_waiting_for_a_reboot_is_refused(self, method: object) -> None:
        entry = {"name": "rds.force_ssl", "value": "1", "applyMethod": method}
        assert violations(group(entry)) == [("rds-ssl-enforced", "group")]

    @pytest.mark.parametrize("parameters", [None, [], [{"name": "ssl", "value": "1"}]])
    def test_a_group_without_the_parameter_is_refused(self, parameters: object) -> None:
        assert violations(resource("group", parameters=parameters)) == [
            ("rds-ssl-enforced", "group")
        ]

    @pytest.mark.parametrize("family", ["mysql8.0", "aurora-postgresql16", "sqlserver-ee-16.0"])
    def test_groups_of_other_families_are_not_judged_but_do_not_serve_postgres(
        self, family: str
    ) -> None:
        spoilt = resource("group", family=family, parameters=[])
        assert ("rds-ssl-enforced", "group") not in violations(spoilt)
        assert ("rds-ssl-enforced", "db") in violations(spoilt)

    @pytest.mark.parametrize("name", [None, "", "default.postgres17", "made-by-hand"])
    def test_a_database_without_a_group_of_the_stack_is_refused(self, name: str | None) -> None:
        kind, properties, _ = GOOD["db"]
        database = Resource.of(
            type=kind,
            name="db",
            urn=urn("db"),
            properties={**properties, "parameterGroupName": name},
        )
        found = violations(database)
        assert ("rds-ssl-enforced", "db") in found

    def test_a_group_that_is_made_in_the_same_preview_is_joined_by_dependency(self) -> None:
        new_group = resource("group", name=UNKNOWN_STRING)
        database = resource("db", parameterGroupName=UNKNOWN_STRING)
        assert verdicts(new_group, database) == []
        bad = resource("group", name=UNKNOWN_STRING, parameters=[])
        assert violations(bad, database) == [("rds-ssl-enforced", "group")]

    def test_an_unknown_group_from_elsewhere_is_noted(self) -> None:
        kind, properties, _ = GOOD["db"]
        changed = {**properties, "parameterGroupName": UNKNOWN_STRING}
        database = Resource.of(type=kind, name="db", urn=urn("db"), properties=changed)
        assert ("rds-ssl-enforced", "db") in notes(database)

    @pytest.mark.parametrize("engine", ["mysql", "mariadb", "oracle-ee"])
    def test_other_engines_are_not_judged(self, engine: str) -> None:
        other = resource("db", engine=engine, parameterGroupName=None)
        assert not any(
            rule == "rds-ssl-enforced" and name == "db" for rule, name in violations(other)
        )

    @pytest.mark.parametrize("engine", [None, "postgres", "Postgres", 5, ""])
    def test_whatever_may_be_postgres_is_judged(self, engine: object) -> None:
        assert ("rds-ssl-enforced", "db") in violations(
            resource("db", engine=engine, parameterGroupName=None)
        )

    def test_a_replica_has_the_group_of_its_source(self) -> None:
        assert violations(resource("replica", engine=None)) == []
        lonely = resource("replica", replicateSourceDb="elsewhere", storageEncrypted=True)
        assert violations(lonely) == [("rds-ssl-enforced", "replica")]

    def test_a_replica_of_another_region_needs_its_own_group(self) -> None:
        arn = "arn:aws:rds:us-east-1:123456789012:db:db-1"
        far = resource("replica", replicateSourceDb=arn, storageEncrypted=True)
        assert violations(far) == [("rds-ssl-enforced", "replica")]
        own = resource(
            "replica", replicateSourceDb=arn, storageEncrypted=True, parameterGroupName="group-1"
        )
        assert violations(own) == []

    def test_replicas_in_a_circle_end(self) -> None:
        first = resource("db", replicateSourceDb="db-2", parameterGroupName=None)
        assert isinstance(violations(first), list)

    def test_aurora_is_judged_by_its_cluster_group(self) -> None:
        def aurora(value: str) -> list[tuple[str, str]]:
            made = Resource.of(
                type=CLUSTER_PARAMETER_GROUP,
                name="aurora-group",
                properties={
                    "name": "aurora-1",
                    "family": "aurora-postgresql16",
                    "parameters": [{"name": "rds.force_ssl", "value": value}],
                },
            )
            cluster = Resource.of(
                type=CLUSTER,
                name="aurora",
                properties={
                    "engine": "aurora-postgresql",
                    "dbClusterParameterGroupName": "aurora-1",
                    "storageEncrypted": True,
                    "backupRetentionPeriod": 30,
                },
            )
            return violations(made, cluster)

        assert aurora("1") == []
        assert aurora("0") == [("rds-ssl-enforced", "aurora-group")]


class TestEncryption:
    @pytest.mark.parametrize("value", [False, "false", None, 1, "yes", []])
    def test_anything_but_true_is_refused(self, value: object) -> None:
        assert violations(resource("db", storageEncrypted=value)) == [
            ("rds-storage-encrypted", "db")
        ]

    def test_true_as_text_is_what_the_provider_makes_of_it(self) -> None:
        assert violations(resource("db", storageEncrypted="true")) == []

    def test_a_replica_has_the_encryption_of_its_source(self) -> None:
        assert violations(resource("replica", storageEncrypted=False)) == [
            ("rds-storage-encrypted", "replica")
        ]
        outside = resource("replica", replicateSourceDb="elsewhere", parameterGroupName="group-1")
        assert violations(outside) == [("rds-storage-encrypted", "replica")]
        assert violations(resource("replica", kmsKeyId="key")) == []


class TestPublicAccess:
    @pytest.mark.parametrize("value", [True, "true", "True", 1, "yes", {}, []])
    def test_public_and_wrong_are_refused(self, value: object) -> None:
        assert violations(resource("db", publiclyAccessible=value)) == [("rds-not-public", "db")]

    @pytest.mark.parametrize("value", [False, "false", None])
    def test_private_and_the_default_are_accepted(self, value: object) -> None:
        assert violations(resource("db", publiclyAccessible=value)) == []

    def test_replicas_and_aurora_instances_are_judged_too(self) -> None:
        assert violations(resource("replica", publiclyAccessible=True)) == [
            ("rds-not-public", "replica")
        ]
        aurora = Resource.of(
            type=CLUSTER_INSTANCE, name="a", properties={"publiclyAccessible": "true"}
        )
        assert violations(aurora) == [("rds-not-public", "a")]


class TestRetention:
    @pytest.mark.parametrize(
        ("environment", "least"),
        [
            (Environment.LOCAL, 1),
            (Environment.DEV, 3),
            (Environment.STAGING, 7),
            (Environment.PROD, 30),
        ],
    )
    def test_the_least_days_of_each_environment(self, environment: Environment, least: int) -> None:
        def found(days: object) -> list[tuple[str, str]]:
            spoilt = resource("db", backupRetentionPeriod=days)
            return violations(spoilt, environment=environment)

        refused = [("rds-pitr-retention", "db")]
        assert found(least) == []
        assert found(str(least)) == []
        assert found(float(least)) == []
        assert found(least - 1) == refused
        assert found(35) == []
        assert found(36) == refused

    @pytest.mark.parametrize("days", [0, -1, 30.5, True, "thirty", "", "9" * 5000, [30]])
    def test_wrong_values_are_refused(self, days: object) -> None:
        spoilt = resource("db", backupRetentionPeriod=days)
        assert violations(spoilt, environment=Environment.LOCAL) == [("rds-pitr-retention", "db")]

    def test_a_missing_value_is_the_one_day_of_aws(self) -> None:
        silent = resource("db", backupRetentionPeriod=None)
        assert violations(silent, environment=Environment.LOCAL) == []
        assert violations(silent, environment=Environment.DEV) == [("rds-pitr-retention", "db")]

    def test_the_pack_configuration_may_set_the_days(self) -> None:
        spoilt = resource("db", backupRetentionPeriod=14)
        thresholds = {"rds-pitr-retention": {"minimumDays": 14}}
        assert violations(spoilt, thresholds=thresholds) == []

    def test_replicas_are_not_judged(self) -> None:
        assert violations(resource("replica", backupRetentionPeriod=0)) == []

    def test_clusters_are_judged(self) -> None:
        cluster = Resource.of(
            type=CLUSTER, name="c", properties={"engine": "aurora-mysql", "storageEncrypted": True}
        )
        assert violations(cluster) == [("rds-pitr-retention", "c")]


def test_databases_of_no_group_message_names_the_default() -> None:
    found = verdicts(resource("db", parameterGroupName=None))
    assert any("default group differs by version" in verdict.message for verdict in found)
    assert INSTANCE in found[0].message
