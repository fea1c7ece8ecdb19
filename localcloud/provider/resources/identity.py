"""IAM roles, policies and instance profiles."""

import json
import urllib.parse
from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.errors import NotFoundError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.sdk_types import Failure
from localcloud.provider.tags import Tags
from localcloud.provider.wire import Unknown, fingerprint

_NO_ENTITY = names("NoSuchEntity")


def document(value: Any) -> str:
    """A policy as JSON text: IAM answers it URL-encoded or parsed."""
    if isinstance(value, Mapping):
        return json.dumps(value)
    text = str(value)
    return urllib.parse.unquote(text) if text.startswith("%7B") else text


def policy_failure(name: str, value: Any) -> list[Failure]:
    """A policy text must be a JSON object."""
    if value is None or isinstance(value, Unknown | dict):
        return []
    try:
        parsed = json.loads(value)
    except ValueError as error:
        return [Failure(name, f"is not JSON: {error}")]
    if not isinstance(parsed, dict):
        return [Failure(name, "must be a JSON object")]
    return []


class _Role(Resource):
    """A role with its inline and managed policies, which are the whole truth when given."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        return policy_failure("assumeRolePolicy", inputs.get("assumeRolePolicy"))

    def apply_updates(self, context: Context, changed: Names) -> None:
        inputs, old = context.inputs, context.old_inputs
        if "assumeRolePolicy" in changed:
            context.call(
                "iam",
                "UpdateAssumeRolePolicy",
                RoleName=context.id,
                PolicyDocument=document(inputs["assumeRolePolicy"]),
            )
        if changed & {"description", "maxSessionDuration"}:
            context.call(
                "iam",
                "UpdateRole",
                RoleName=context.id,
                Description=inputs.get("description", ""),
                MaxSessionDuration=inputs.get("maxSessionDuration", 3600),
            )
        if "permissionsBoundary" in changed:
            boundary = inputs.get("permissionsBoundary")
            if boundary:
                context.call(
                    "iam",
                    "PutRolePermissionsBoundary",
                    RoleName=context.id,
                    PermissionsBoundary=boundary,
                )
            else:
                context.call("iam", "DeleteRolePermissionsBoundary", RoleName=context.id)
        if "managedPolicyArns" in changed:
            before = set(old.get("managedPolicyArns") or [])
            after = set(inputs.get("managedPolicyArns") or [])
            for arn in sorted(before - after):
                context.call("iam", "DetachRolePolicy", RoleName=context.id, PolicyArn=arn)
            for arn in sorted(after - before):
                context.call("iam", "AttachRolePolicy", RoleName=context.id, PolicyArn=arn)
        if "inlinePolicies" in changed:
            after = {p["name"]: p["policy"] for p in inputs.get("inlinePolicies") or []}
            for policy in old.get("inlinePolicies") or []:
                if policy["name"] not in after:
                    context.call(
                        "iam", "DeleteRolePolicy", RoleName=context.id, PolicyName=policy["name"]
                    )
            for name, policy in after.items():
                context.call(
                    "iam",
                    "PutRolePolicy",
                    RoleName=context.id,
                    PolicyName=name,
                    PolicyDocument=document(policy),
                )

    def outputs(self, context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
        found = {
            **found,
            "AssumeRolePolicyDocument": document(found.get("AssumeRolePolicyDocument")),
        }
        values = super().outputs(context, found)
        attached = context.call("iam", "ListAttachedRolePolicies", RoleName=context.id)
        values["managedPolicyArns"] = [p["PolicyArn"] for p in attached["AttachedPolicies"]]
        return values

    def delete(self, context: Context) -> None:
        if context.inputs.get("forceDetachPolicies") or context.inputs.get("managedPolicyArns"):
            attached = context.call("iam", "ListAttachedRolePolicies", RoleName=context.id)
            for policy in attached["AttachedPolicies"]:
                context.call(
                    "iam", "DetachRolePolicy", RoleName=context.id, PolicyArn=policy["PolicyArn"]
                )
        if context.inputs.get("forceDetachPolicies") or context.inputs.get("inlinePolicies"):
            inline = context.call("iam", "ListRolePolicies", RoleName=context.id)
            for name in inline["PolicyNames"]:
                context.call("iam", "DeleteRolePolicy", RoleName=context.id, PolicyName=name)
        super().delete(context)


class _RolePolicy(Resource):
    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        return policy_failure("policy", inputs.get("policy"))

    def start(self, context: Context) -> None:
        self._put(context)
        context.id = f"{context.inputs['role']}:{context.inputs['name']}"

    def _put(self, context: Context) -> None:
        context.call(
            "iam",
            "PutRolePolicy",
            RoleName=context.inputs["role"],
            PolicyName=context.inputs["name"],
            PolicyDocument=document(context.inputs["policy"]),
        )

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "policy" in changed:
            self._put(context)

    def _key(self, context: Context) -> dict[str, str]:
        role, name = context.id.split(":", 1)
        return {"RoleName": role, "PolicyName": name}

    def read(self, context: Context) -> dict[str, Any]:
        found = context.call("iam", "GetRolePolicy", **self._key(context))
        return {**found, "PolicyDocument": document(found["PolicyDocument"])}

    def delete(self, context: Context) -> None:
        context.call("iam", "DeleteRolePolicy", **self._key(context))


class _RolePolicyAttachment(Resource):
    def start(self, context: Context) -> None:
        role, arn = context.inputs["role"], context.inputs["policyArn"]
        context.call("iam", "AttachRolePolicy", RoleName=role, PolicyArn=arn)
        context.id = f"{role}-{fingerprint(arn, 20)}"

    def read(self, context: Context) -> dict[str, Any]:
        role, arn = context.inputs["role"], context.inputs["policyArn"]
        attached = context.call("iam", "ListAttachedRolePolicies", RoleName=role)
        if arn not in [p["PolicyArn"] for p in attached["AttachedPolicies"]]:
            raise NotFoundError(f"{context.subject}: {arn} is not attached to {role}")
        return {"RoleName": role, "PolicyArn": arn}

    def delete(self, context: Context) -> None:
        role, arn = context.inputs["role"], context.inputs["policyArn"]
        context.call("iam", "DetachRolePolicy", RoleName=role, PolicyArn=arn)


class _InstanceProfile(Resource):
    """Holds at most one role, which is added and removed by requests of its own."""

    def apply_updates(self, context: Context, changed: Names) -> None:
        if "role" not in changed:
            return
        old, new = context.old_inputs.get("role"), context.inputs.get("role")
        if old:
            self._role(context, "RemoveRoleFromInstanceProfile", old)
        if new:
            self._role(context, "AddRoleToInstanceProfile", new)

    def _role(self, context: Context, operation: str, role: str) -> None:
        context.call("iam", operation, InstanceProfileName=context.id, RoleName=role)

    def delete(self, context: Context) -> None:
        for role in self.read(context).get("Roles") or []:
            self._role(context, "RemoveRoleFromInstanceProfile", role["RoleName"])
        super().delete(context)


def _iam_tags(noun: str) -> Tags:
    key = {f"{noun}Name": "$id"}
    return Tags(tag=Operation(f"Tag{noun}", key), untag=Operation(f"Untag{noun}", key))


RESOURCES: tuple[Resource, ...] = (
    _Role(
        kind="aws:iam/role:Role",
        in_place=names("assumeRolePolicy description maxSessionDuration permissionsBoundary"),
        service="iam",
        create_with=Operation("CreateRole", result="Role"),
        identifier="result.RoleName",
        read_with=Operation("GetRole", {"RoleName": "$id"}, "Role"),
        delete_with=Operation("DeleteRole", {"RoleName": "$id"}),
        renames={
            "name": "RoleName",
            "assumeRolePolicy": "AssumeRolePolicyDocument",
            "uniqueId": "RoleId",
        },
        later=names("inlinePolicies managedPolicyArns"),
        local=names("forceDetachPolicies"),
        replaces=names("name namePrefix path"),
        defaults={"forceDetachPolicies": False, "maxSessionDuration": 3600, "path": "/"},
        autoname="name",
        json_properties=names("assumeRolePolicy"),
        unordered=names("managedPolicyArns inlinePolicies"),
        computed={"permissionsBoundary": "PermissionsBoundary.PermissionsBoundaryArn"},
        tags=_iam_tags("Role"),
        not_found=_NO_ENTITY,
        delete_retries=names("DeleteConflict"),
    ),
    _RolePolicy(
        kind="aws:iam/rolePolicy:RolePolicy",
        in_place=names("policy"),
        service="iam",
        create_with=Operation("PutRolePolicy"),
        identifier="",
        read_with=Operation("GetRolePolicy"),
        renames={"name": "PolicyName", "policy": "PolicyDocument", "role": "RoleName"},
        replaces=names("name namePrefix role"),
        autoname="name",
        json_properties=names("policy"),
        not_found=_NO_ENTITY,
    ),
    _RolePolicyAttachment(
        kind="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        service="iam",
        create_with=Operation("AttachRolePolicy"),
        identifier="",
        read_with=Operation("ListAttachedRolePolicies"),
        renames={"role": "RoleName"},
        replaces=names("role policyArn"),
        not_found=_NO_ENTITY,
    ),
    _InstanceProfile(
        kind="aws:iam/instanceProfile:InstanceProfile",
        service="iam",
        create_with=Operation("CreateInstanceProfile", result="InstanceProfile"),
        identifier="result.InstanceProfileName",
        read_with=Operation(
            "GetInstanceProfile", {"InstanceProfileName": "$id"}, "InstanceProfile"
        ),
        delete_with=Operation("DeleteInstanceProfile", {"InstanceProfileName": "$id"}),
        renames={"name": "InstanceProfileName", "uniqueId": "InstanceProfileId"},
        later=names("role"),
        computed={"role": "Roles[0].RoleName"},
        replaces=names("name namePrefix path"),
        defaults={"path": "/"},
        autoname="name",
        autoname_limit=128,
        tags=_iam_tags("InstanceProfile"),
        not_found=_NO_ENTITY,
    ),
)
