"""The roles that a policy document is given to, and what else holds for them.

An explicit Deny in another policy of a role, and the role's permissions boundary, take away from
what a document allows; what another policy allows everywhere may add the step that was missing to
an escalation. That is certain only where everything that exists is known: in a state. At a preview
a document is judged by itself, since its neighbours may come later or never.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from .documents import MalformedDocumentError, Statement, parse
from .effective import Restraint
from .inventory import Resource, Stack
from .links import targets
from .permissions import POLICY, ROLE, all_statements

_ROLE_POLICY: Final = "aws:iam/rolePolicy:RolePolicy"
_DOCUMENTS: Final = (ROLE, POLICY, _ROLE_POLICY)
_BOUNDARY: Final = "permissionsBoundary"
_AWS_OWN: Final = ":iam::aws:policy/"
# Attachments: the property that names the policy, and those that name who gets it.
_ATTACHMENTS: Final = {
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("policyArn", ("role",)),
    "aws:iam/policyAttachment:PolicyAttachment": ("policyArn", ("roles",)),
    ROLE: ("managedPolicyArns", ()),
}
# What gives a policy to somebody that is no role.
_OTHERS: Final = {
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": ("policyArn", ("user",)),
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": ("policyArn", ("group",)),
    "aws:iam/policyAttachment:PolicyAttachment": ("policyArn", ("users", "groups")),
}


def restrained(resources: Sequence[Resource]) -> list[Resource]:
    """`resources`, each policy document with what else holds for the roles that it is given to."""
    stack = Stack(resources)
    roles = stack.of_type(ROLE)
    documents = stack.of_type(*_DOCUMENTS)
    found: dict[Resource, tuple[Restraint, ...]] = {}
    said = {one: tuple(_statements(one)) for one in documents}
    if any(map(_matters_beside, chain.from_iterable(said.values()))) or any(
        one.get(_BOUNDARY) is not None for one in roles
    ):
        found = _restraints(stack, roles, said)
    return [
        one if one.restraints == found.get(one, ()) else replace(one, restraints=found.get(one, ()))
        for one in resources
    ]


def _restraints(
    stack: Stack, roles: Sequence[Resource], said: Mapping[Resource, tuple[Statement, ...]]
) -> dict[Resource, tuple[Restraint, ...]]:
    shared = _given_to_others(stack)
    found: dict[Resource, list[Restraint]] = {}
    for role in roles:
        boundary = _boundary(stack, role)
        policies = dict.fromkeys(_held(stack, role))
        matters = any(_matters_beside(one) for held in policies for one in said[held])
        for document in policies:
            others = [said[one] for one in policies if one is not document] if matters else []
            restraint = Restraint(tuple(chain.from_iterable(others)), boundary)
            if document not in shared:
                found.setdefault(document, []).append(restraint)
    return {document: tuple(restraints) for document, restraints in found.items()}


def _held(stack: Stack, role: Resource) -> Iterator[Resource]:
    """The documents that certainly hold for a role: its own, and those that are attached to it."""
    yield role
    yield from _pointing(stack, role)


def _pointing(stack: Stack, role: Resource) -> list[Resource]:
    def make() -> dict[Resource, list[Resource]]:
        by_role: dict[Resource, list[Resource]] = {}
        for policy in stack.of_type(_ROLE_POLICY):
            for one in targets(stack, policy, "role", (ROLE,)).found:
                by_role.setdefault(one, []).append(policy)
        for kind, (policy_property, holders) in _ATTACHMENTS.items():
            for attachment in stack.of_type(kind):
                receivers = [
                    one for key in holders for one in targets(stack, attachment, key, (ROLE,)).found
                ]
                for one in receivers if holders else [attachment]:
                    given = _policies(stack, attachment, policy_property)
                    by_role.setdefault(one, []).extend(given)
        return by_role

    return stack.remembered("held by roles", make).get(role, [])


def _policies(stack: Stack, resource: Resource, property_name: str) -> list[Resource]:
    """The stack's own policies that a property names; AWS's may have the same name."""
    value = resource.get(property_name)
    names = value if isinstance(value, list) else [value]
    if any(_AWS_OWN in str(name) for name in names):
        names = [name for name in names if _AWS_OWN not in str(name)]
        resource = replace(resource, properties={property_name: names}, property_dependencies={})
    return list(targets(stack, resource, property_name, (POLICY,)).found)


def _given_to_others(stack: Stack) -> set[Resource]:
    return {
        policy
        for kind, (policy_property, receivers) in _OTHERS.items()
        for attachment in stack.of_type(kind)
        if any(attachment.get(one) not in (None, []) for one in receivers)
        for policy in _policies(stack, attachment, policy_property)
    }


def _boundary(stack: Stack, role: Resource) -> tuple[Statement, ...] | None:
    if role.get(_BOUNDARY) is None:
        return None
    policies = _policies(stack, role, _BOUNDARY)
    if len(policies) != 1:
        return None
    try:
        found = parse(policies[0].get("policy"))
    except MalformedDocumentError:
        return None
    return tuple(found) if isinstance(found, list) else None


def _statements(document: Resource) -> Iterator[Statement]:
    for _place, one in all_statements(document, ""):
        if isinstance(one, Statement):
            yield one


def _matters_beside(statement: Statement) -> bool:
    """Whether another policy of the role is read differently because of it."""
    return statement.denies or statement.is_everywhere
