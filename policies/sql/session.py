"""The state of a session that statements change: who acts, where names are looked up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pglast.enums import FunctionParameterMode, ObjectType, RoleSpecType

from ..database.model import PUBLIC, Database, Function, Kind, Object, Place, Relation
from ..database.privileges import created
from .bodies import dotted

_OUTPUT_MODES = (FunctionParameterMode.FUNC_PARAM_OUT, FunctionParameterMode.FUNC_PARAM_TABLE)
_KINDS = {
    ObjectType.OBJECT_TABLE: Kind.TABLE,
    ObjectType.OBJECT_VIEW: Kind.TABLE,
    ObjectType.OBJECT_MATVIEW: Kind.TABLE,
    ObjectType.OBJECT_FOREIGN_TABLE: Kind.TABLE,
    ObjectType.OBJECT_SEQUENCE: Kind.SEQUENCE,
    ObjectType.OBJECT_SCHEMA: Kind.SCHEMA,
    ObjectType.OBJECT_DATABASE: Kind.DATABASE,
    ObjectType.OBJECT_FUNCTION: Kind.FUNCTION,
    ObjectType.OBJECT_PROCEDURE: Kind.FUNCTION,
    ObjectType.OBJECT_ROUTINE: Kind.FUNCTION,
}

#: Objects of one schema that stand for all that no file names.
EVERY_OTHER = "*"


class UndecidableError(Exception):
    """What a statement does cannot be told; the text is the end of the sentence "it …"."""


@dataclass(frozen=True)
class Note:
    """Something that a rule other than the model's has to know of a statement."""

    rule_id: str
    place: Place
    found: str


@dataclass
class _Saved:
    """What a BEGIN or SAVEPOINT goes back to."""

    name: str
    database: Database
    notes: int
    role: str
    search_path: tuple[str, ...]
    local: tuple[str, tuple[str, ...]] | None


@dataclass
class Session:
    """One session over all files; `database` is what it makes."""

    database: Database
    runner: str
    """Who applies the migrations: the owner that they SET ROLE to, or whoever runs the files."""
    search_path: tuple[str, ...] = ("public",)
    role: str = ""
    place: Place = field(default_factory=lambda: Place(""))
    notes: list[Note] = field(default_factory=list[Note])
    initial_path: tuple[str, ...] = ()
    local: tuple[str, tuple[str, ...]] | None = None
    """Role and search_path that the end of the transaction brings back."""

    undoable: bool = False
    """Whether a ROLLBACK comes, so that BEGIN and SAVEPOINT have to keep what is there."""
    saved: list[_Saved] = field(default_factory=list["_Saved"])

    def __post_init__(self) -> None:
        """A session starts as the runner."""
        self.role = self.role or self.runner
        self.initial_path = self.initial_path or self.search_path

    def note(self, rule_id: str, found: str) -> None:
        """Keep something for a rule."""
        self.notes.append(Note(rule_id, self.place, found))

    def reset(self) -> None:
        """As a new session of the runner."""
        self.role, self.search_path, self.local = self.runner, self.initial_path, None
        self.saved.clear()

    def save(self, name: str) -> None:
        """BEGIN (without a name) or SAVEPOINT."""
        if self.undoable:
            before = self.database.copied()
            here = (name, before, len(self.notes), self.role, self.search_path, self.local)
            self.saved.append(_Saved(*here))

    def undo(self, name: str) -> bool:
        """ROLLBACK (without a name) or ROLLBACK TO; whether what was there is known."""
        places = [number for number, one in enumerate(self.saved) if one.name == name]
        if not places:
            return False
        place = places[-1] if name else places[0]
        kept = self.saved[place]
        vars(self.database).update(vars(kept.database.copied()))
        del self.notes[kept.notes :]
        self.role, self.search_path, self.local = kept.role, kept.search_path, kept.local
        del self.saved[place + 1 if name else place :]
        return True

    @property
    def creation_schema(self) -> str:
        """Where a name without a schema is created."""
        return self.search_path[0] if self.search_path else "public"

    def name(self, schema: str | None, bare: str) -> str:
        """The full name of a relation: the first of the search_path that has it."""
        if schema:
            return f"{schema}.{bare}"
        for one in ("pg_temp", *self.search_path):
            if f"{one}.{bare}" in self.database.relations:
                return f"{one}.{bare}"
        return f"{self.creation_schema}.{bare}"

    def relation_name(self, variable: Any) -> str:
        """The relation that a RangeVar means."""
        return self.name(variable.schemaname, str(variable.relname))

    def new_relation(self, variable: Any, kind: Kind = Kind.TABLE) -> Relation:
        """Create what a RangeVar names; what is there already stays (IF NOT EXISTS, OR REPLACE)."""
        schema = variable.schemaname or self.creation_schema
        if variable.relpersistence == "t":
            schema = "pg_temp"
        name = f"{schema}.{variable.relname}"
        known = self.database.relations.get(name)
        if known is not None and known.via.line:
            return known
        relation = Relation(Object(kind, name), self.role, self.place)
        self.database.relations[name] = relation
        created(self.database, relation.object, self.role, self.place)
        return relation

    def relation(self, name: str, kind: Kind = Kind.TABLE) -> Relation:
        """A relation, which may have been made where nobody looks: then by the runner."""
        known = self.database.relations.get(name)
        if known is None:
            known = Relation(Object(kind, name), self.runner, self.place)
            self.database.relations[name] = known
            created(self.database, known.object, self.runner, self.place)
        return known

    def roles(self, specs: Iterable[Any] | None) -> list[str]:
        """The names of RoleSpecs."""
        return [self.role_name(spec) for spec in specs or ()]

    def role_name(self, spec: Any) -> str:
        """The name of a RoleSpec."""
        if spec.roletype == RoleSpecType.ROLESPEC_PUBLIC:
            return PUBLIC
        if spec.roletype == RoleSpecType.ROLESPEC_SESSION_USER:
            return self.runner
        if spec.roletype == RoleSpecType.ROLESPEC_CSTRING:
            return str(spec.rolename)
        return self.role

    def function_name(self, names: Any, parameters: Any) -> str:
        """Name and argument types of a function that is being created."""
        parts = [str(part.sval) for part in names]
        schema = parts[0] if len(parts) > 1 else self.creation_schema
        return f"{schema}.{parts[-1]}({_types(parameters)})"

    def functions(self, described: Any) -> list[Function]:
        """The functions that an ObjectWithArgs means; `UndecidableError` if none is known."""
        wanted = dotted(described.objname)
        schemas = [""] if "." in wanted else [f"{one}." for one in self.search_path]
        for schema in schemas:
            start = f"{schema}{wanted}("
            found = [one for name, one in self.database.functions.items() if name.startswith(start)]
            if not described.args_unspecified:
                given = described.objfuncargs or ()
                found = [one for one in found if one.object.name == f"{start}{_types(given)})"]
            if found:
                return found
        raise UndecidableError(f"names the function {wanted}, which is not created here")

    def objects(self, kind: ObjectType, named: Iterable[Any]) -> list[Object]:
        """The objects that GRANT or ALTER names."""
        own = _KINDS.get(kind, Kind.OTHER)
        found: list[Object] = []
        for one in named:
            if own in (Kind.TABLE, Kind.SEQUENCE):
                name = self.relation_name(one) if hasattr(one, "relname") else self.parts(one)
                found.append(self.relation(name, own).object)
            elif own is Kind.FUNCTION:
                found += [function.object for function in self.functions(one)]
            else:
                found.append(Object(own, str(getattr(one, "sval", "") or _shown(one))))
        return found

    def parts(self, names: Any) -> str:
        """The full name of a relation from its parts."""
        parts = [str(part.sval) for part in names]
        return self.name(parts[-2] if len(parts) > 1 else None, parts[-1])


def object_kind(kind: ObjectType) -> Kind:
    """What an object type of the grammar is in the model."""
    return _KINDS.get(kind, Kind.OTHER)


def _types(parameters: Any) -> str:
    return ",".join(_type(one.argType) for one in parameters or () if one.mode not in _OUTPUT_MODES)


def _type(described: Any) -> str:
    return str(described.names[-1].sval) + "[]" * len(described.arrayBounds or ())


def _shown(value: Any) -> str:
    names = getattr(value, "names", value)
    return dotted(names) if isinstance(names, tuple) else "?"
