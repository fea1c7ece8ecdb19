"""What an application may ask of its database: roles, grants, limits and migrations.

The models check shape only (names, known words, required fields). What a role of a kind may be
given is judged twice elsewhere: by the policy pack before an update and by `operations.roles`
before anything reaches the database.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

# NAMEDATALEN is 64, so PostgreSQL keeps 63 bytes; two go to the suffix of a login user ("_1").
MAX_ROLE_NAME_LENGTH = 61

Identifier = Annotated[
    str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*$", max_length=MAX_ROLE_NAME_LENGTH)
]
RoleKind = Literal["owner", "migrator", "app", "readonly", "backup", "health"]
#: Kinds that connect through the pooler; the others (DDL, dumps) go to the database directly.
POOLED_KINDS: frozenset[RoleKind] = frozenset({"app", "readonly", "health"})
ObjectType = Literal["schema", "table", "sequence"]
Privilege = Literal[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
    "MAINTAIN",
    "USAGE",
    "CREATE",
]

#: What PostgreSQL 17 lets be granted on each type of object
#: (https://www.postgresql.org/docs/17/ddl-priv.html, table 5.2).
PRIVILEGES_OF: Mapping[ObjectType, frozenset[str]] = {
    "schema": frozenset({"USAGE", "CREATE"}),
    "table": frozenset(
        {
            "SELECT",
            "INSERT",
            "UPDATE",
            "DELETE",
            "TRUNCATE",
            "REFERENCES",
            "TRIGGER",
            "MAINTAIN",
        }
    ),
    "sequence": frozenset({"USAGE", "SELECT", "UPDATE"}),
}

EVERY_OBJECT = "*"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Grant(_Model):
    """Privileges on named objects, or on all present and future ones with `objects: ["*"]`."""

    object_type: ObjectType
    schema_name: Identifier | None = Field(default=None, alias="schema")
    objects: tuple[str, ...] = Field(min_length=1)
    privileges: tuple[Privilege, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        wrong = sorted(set(self.privileges) - PRIVILEGES_OF[self.object_type])
        if wrong:
            known = ", ".join(sorted(PRIVILEGES_OF[self.object_type]))
            raise ValueError(
                f"privileges {', '.join(wrong)} do not exist on a {self.object_type}; "
                f"PostgreSQL knows {known}"
            )
        if self.object_type == "schema":
            if self.schema_name is not None or EVERY_OBJECT in self.objects:
                raise ValueError("a grant on schemas names them in `objects`, without `schema`")
        elif self.schema_name is None:
            raise ValueError(f"a grant on a {self.object_type} names its `schema`")
        if EVERY_OBJECT in self.objects and len(self.objects) > 1:
            raise ValueError('`objects: ["*"]` already means all; remove the other names')
        return self

    @property
    def covers_every_object(self) -> bool:
        """Whether present and future objects are meant."""
        return self.objects == (EVERY_OBJECT,)


class Role(_Model):
    """A group role and, with `login`, its two alternating users `<name>_1` and `<name>_2`.

    Limits are per user, in the unit of their name; 0 switches a timeout off and
    `connection_limit` -1 means no limit, as in PostgreSQL.
    """

    name: Identifier
    kind: RoleKind
    login: bool
    member_of: tuple[Identifier, ...] = ()
    grants: tuple[Grant, ...] = ()
    secret_arn: str | None = Field(
        default=None, description="ARN or name of the secret with the role's credentials."
    )
    connection_limit: int = Field(default=-1, ge=-1, le=5000)
    statement_timeout_seconds: int = Field(default=0, ge=0, le=86_400)
    lock_timeout_seconds: int = Field(default=0, ge=0, le=3_600)
    idle_in_transaction_session_timeout_seconds: int = Field(default=0, ge=0, le=86_400)

    @property
    def users(self) -> tuple[str, str]:
        """The two login users that alternate when the password is rotated."""
        return f"{self.name}_1", f"{self.name}_2"


class RoleSet(_Model):
    """A workload's roles in its database and schema."""

    workload: Identifier
    database: Identifier
    # `schema` alone would hide a method of pydantic's BaseModel.
    schema_name: Identifier = Field(alias="schema")
    roles: tuple[Role, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_roles(self) -> Self:
        names = [role.name for role in self.roles]
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise ValueError(f"role {doubles[0]} is listed twice; list each role once")
        owners = [role.name for role in self.roles if role.kind == "owner"]
        if len(owners) != 1:
            raise ValueError(
                f"a workload has exactly one role of kind owner, got {len(owners)}; "
                "the owner holds every object of the schema"
            )
        for role in self.roles:
            for parent in role.member_of:
                if parent not in names and not parent.startswith("pg_"):
                    raise ValueError(
                        f"role {role.name} is a member of {parent}, which is neither a role of "
                        "this workload nor one of PostgreSQL's predefined pg_ roles"
                    )
        return self

    @property
    def owner(self) -> Role:
        """The role that owns the schema and every object in it."""
        return next(role for role in self.roles if role.kind == "owner")

    @property
    def login_roles(self) -> tuple[Role, ...]:
        """Roles that somebody logs in as; each has a secret."""
        return tuple(role for role in self.roles if role.login)


class RoleManifest(RoleSet):
    """The input of the roles function: every role with its grants and where its secret is."""

    @model_validator(mode="after")
    def _check_secrets(self) -> Self:
        for role in self.login_roles:
            if not role.secret_arn:
                raise ValueError(
                    f"role {role.name} can log in but has no secret_arn; "
                    "name the secret that receives its credentials"
                )
        return self

    def to_json(self) -> str:
        """The manifest as JSON text, with the keys of the contract (`schema`, not `schema_name`).

        Defaults are left out of nothing, so that a policy sees every value.
        """
        return self.model_dump_json(by_alias=True, exclude_none=True)


class Migration(_Model):
    """One SQL file of a workload; `sha256` is the hex digest of its bytes."""

    name: str = Field(pattern=r"^[0-9]{4}_[a-z0-9_]+\.sql$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Objectives(_Model):
    """What the workload asks of its backups. Seconds are unset where it asks for nothing."""

    rto_seconds: int | None = Field(
        default=None, gt=0, description="Longest time until the data is back."
    )
    rpo_seconds: int | None = Field(
        default=None, gt=0, description="Longest time whose changes may be lost."
    )
    restore_test_max_age_days: int = Field(
        default=90,
        gt=0,
        le=90,
        description="Age of the last proven restore; guide cryptowallet: 90 days at most.",
    )

    @property
    def recovery(self) -> dict[str, int]:
        """Those that a restore is compared with."""
        seconds = {"rto_seconds": self.rto_seconds, "rpo_seconds": self.rpo_seconds}
        return {name: value for name, value in seconds.items() if value is not None}


class RestoreCheck(_Model):
    """A question to a restored database, and the answer that a whole one gives.

    It is asked in a read-only transaction with the workload's schema first on the search_path.
    """

    name: str = Field(min_length=1, max_length=100, description="What holds, in a few words.")
    query: str = Field(min_length=1, max_length=10_000, description="One SELECT.")
    expect: Literal["no rows"] | tuple[tuple[str | int | float | bool | None, ...], ...] = Field(
        default="no rows",
        description="The rows, in order, values compared as text; or that there are none.",
    )
    timeout_seconds: int = Field(
        default=60, gt=0, le=600, description="Longer than this is no answer."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.expect:
            raise ValueError(f"check {self.name!r} expects no rows; write it so: no rows")
        return self


class WorkloadContract(RoleSet):
    """One application's demands, as its `contract.yaml` states them."""

    description: str
    objectives: Objectives = Objectives()
    checks: tuple[RestoreCheck, ...] = Field(
        default=(), description="What must hold in every restored database."
    )

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [check.name for check in self.checks]
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise ValueError(f"check {doubles[0]!r} is listed twice; give each its own name")
        return self

    def role_manifest(self, secret_arns: Mapping[str, str]) -> RoleManifest:
        """The manifest with `secret_arns` (role name -> ARN or name of its secret) filled in.

        Raises `ValueError` (pydantic's) when a login role has none.
        """
        roles = tuple(
            role.model_copy(update={"secret_arn": secret_arns.get(role.name)})
            if role.login
            else role
            for role in self.roles
        )
        return RoleManifest(
            workload=self.workload, database=self.database, schema=self.schema_name, roles=roles
        )
