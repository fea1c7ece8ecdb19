"""Checks every request of a role against its policies, the resource's and the endpoint's.

A mistake in a least-privilege role then fails here as it fails on AWS. The administrator (any key
that STS has not given out) is exempt, except from what the policy of a bucket, or of a key that is
used, denies to everybody.
"""

import datetime
import logging
import os
from collections.abc import Sequence
from typing import Any

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.utils import get_service_model
from moto.ec2.models import ec2_backends
from moto.s3.exceptions import S3ClientError

from localcloud.permissions import (
    accounts,
    callers,
    encryption,
    resource_policies,
    resources,
    roles,
)
from localcloud.permissions.callers import Caller
from localcloud.permissions.policies import Decision, Principal, Request, evaluate

_log = logging.getLogger(__name__)

# `observe` only logs what would be refused: to find out whether a failure comes from here.
_MODE_VARIABLE = "PGKEEP_LOCALCLOUD_PERMISSIONS"
_NOBODY = '{"Statement": []}'
_ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})
_KEY_USES = frozenset(
    f"kms:{use}"
    for use in (
        *("Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
        *("Sign", "Verify", "GenerateMac", "VerifyMac"),
    )
)
_UNAUTHORIZED = {"ec2": "UnauthorizedOperation", "s3": "AccessDenied"}
_QUERY_SERVICES = frozenset({"sns", "iam", "sts", "rds", "autoscaling", "elasticloadbalancing"})


class AccessDeniedError(S3ClientError):
    """What AWS answers to a request that no policy allows; S3 handles only its own errors."""


def context(response: Any, caller: Caller) -> dict[str, str | Sequence[str]]:
    """The global condition keys of a request."""
    headers = response.headers
    # The endpoints in a VPC say which protocol the client used; without them the request comes
    # from the administrator on the same machine.
    proto = headers.get("X-Forwarded-Proto", "https")
    now = datetime.datetime.now(datetime.UTC)
    values: dict[str, str | Sequence[str]] = {
        "aws:securetransport": "true" if proto == "https" else "false",
        "aws:currenttime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws:epochtime": str(int(now.timestamp())),
        "aws:requestedregion": str(response.region),
        "aws:resourceaccount": str(response.current_account),
        "aws:viaawsservice": "false",
        "aws:principalisawsservice": "false",
        "aws:useragent": headers.get("User-Agent", ""),
        **caller.conditions,
    }
    if caller.principal.arns:
        values["aws:principalarn"] = caller.principal.arns[0]
        values["aws:principalaccount"] = caller.principal.account_id
        values["aws:principaltype"] = "AssumedRole" if caller.role else "Account"
    if caller.role is not None:
        values["aws:userid"] = f"{caller.role.id}:{caller.session_name}"
        for tag in caller.role.tags or []:
            if isinstance(tag, dict):
                values[f"aws:principaltag/{tag['Key'].lower()}"] = tag["Value"]
    if endpoint := headers.get("X-Localcloud-Vpce"):
        values["aws:sourcevpce"] = endpoint
        values["aws:sourcevpc"] = headers.get("X-Localcloud-Vpc", "")
    elif headers.get("X-Forwarded-For"):
        values["aws:sourceip"] = headers["X-Forwarded-For"].partition(",")[0]
    return values


def parameters(response: Any, operation: str) -> dict[str, Any]:
    """The call's parameters by their names in the API."""
    service_model = get_service_model(response.boto3_service_name)
    request = response.normalized_request
    protocol = determine_request_protocol(service_model, request.content_type)
    parser: Any = PROTOCOL_PARSERS[protocol](
        service_model.operation_model(operation), map_type=dict
    )
    return parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": request.data,
            "url_path": request.path,
            "url_params": response.uri_match,
        }
    )


def decide(caller: Caller, request: Request) -> Decision:
    """Combine the role's, the resource's and the boundary's policies.

    A resource of another account needs both: its own policy lets the role or its account in, and
    the role's policies allow it.
    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html
    """
    identity = roles.decide(caller.role, request)
    if identity is Decision.DENY:
        return Decision.DENY
    document = resource_policies.find(request.resource) if request.resource else None
    if request.resource and foreign(caller, request.resource):
        lets_in = evaluate([document or _NOBODY], request, delegated=True)
        return identity if lets_in is Decision.ALLOW else lets_in
    if document is None:
        return identity
    at_resource = evaluate([document], request)
    if at_resource is not Decision.NEUTRAL:
        return at_resource
    if request.action.startswith("kms:"):
        # A key's policy must let IAM decide at all: the statement for the account's root.
        delegated = evaluate([document], request, delegated=True)
        return identity if delegated is Decision.ALLOW else Decision.NEUTRAL
    return identity


def foreign(caller: Caller, resource: str) -> bool:
    """Whether the resource belongs to another account than the caller's."""
    return accounts.owner(resource) not in (None, caller.principal.account_id)


def role_may(account: str, region: str, role_arn: str, action: str, resource: str) -> bool:
    """Whether an AWS service may do this in the name of a role: keys of encrypted targets too."""
    role = roles.find(account, role_arn)
    if role is None:
        return False
    principal = Principal(account, (role_arn,))
    caller = Caller(principal, role, action.partition(":")[0])
    values: dict[str, str | Sequence[str]] = {
        "aws:securetransport": "true",
        "aws:requestedregion": region,
        "aws:resourceaccount": account,
        "aws:principalarn": role_arn,
        "aws:principalaccount": account,
    }
    needed = [Request(action, resource, principal, values)]
    for use in encryption.needed(action, resource, account, region):
        via = {**values, "kms:viaservice": use.via_service, "kms:calleraccount": account}
        needed.append(Request(use.action, use.key_arn, principal, via))
    return all(decide(caller, request) is Decision.ALLOW for request in needed)


def require(caller: Caller, request: Request) -> None:
    """Raise AccessDeniedError unless the request is allowed."""
    decision = decide(caller, request)
    if decision is Decision.ALLOW:
        return
    reason = (
        "with an explicit deny in a policy"
        if decision is Decision.DENY
        else f"because no identity-based policy allows the {request.action} action"
    )
    refuse(caller, request, reason)


def refuse(caller: Caller, request: Request, reason: str) -> None:
    """Raise AccessDeniedError, in AWS's words; in the mode `observe` only log it."""
    on = f" on resource: {request.resource}" if request.resource else ""
    message = f"User: {caller.name} is not authorized to perform: {request.action}{on} {reason}"
    _log.warning("denied: %s", message)
    if os.environ.get(_MODE_VARIABLE) == "observe":
        return
    # The service that was called answers, also where the key that it uses is what refuses.
    service = caller.service or request.action.partition(":")[0]
    default = "AccessDenied" if service in _QUERY_SERVICES else "AccessDeniedException"
    raise AccessDeniedError(_UNAUTHORIZED.get(service, default), message)


def check_endpoint(caller: Caller, request: Request, response: Any) -> None:
    """Refuse what the policy of the VPC endpoint that the request came through does not allow."""
    endpoint_id = response.headers.get("X-Localcloud-Vpce")
    if not endpoint_id:
        return
    backend: Any = ec2_backends[response.current_account][response.region]
    endpoint: Any = backend.vpc_end_points.get(endpoint_id)
    document = endpoint.policy_document if endpoint else None
    if document and evaluate([document], request, delegated=True) is not Decision.ALLOW:
        refuse(caller, request, "because no VPC endpoint policy allows the action")


def check_keys(caller: Caller, key_uses: Sequence[encryption.KeyUse], values: Any) -> None:
    """Require the KMS permissions that a service uses in the caller's name."""
    for use in key_uses:
        via = {**values, "kms:viaservice": use.via_service}
        via["kms:calleraccount"] = caller.principal.account_id
        request = Request(use.action, use.key_arn, caller.principal, via)
        if caller.role is None:
            check_key_policy(caller, request)
        else:
            require(caller, request)


def check_key_policy(caller: Caller, request: Request) -> None:
    """Refuse an administrator what a key's policy denies, or does not allow another account."""
    document = resource_policies.find(str(request.resource)) or _NOBODY
    decision = evaluate([document], request, delegated=True)
    if decision is Decision.DENY:
        refuse(caller, request, "with an explicit deny in a resource-based policy")
    if decision is not Decision.ALLOW and foreign(caller, str(request.resource)):
        refuse(
            caller, request, f"because no resource-based policy allows the {request.action} action"
        )


def _check(response: Any, resource: str = "*") -> None:
    """Take the place of moto's own check, which every action calls first."""
    del resource
    caller = callers.identify(response)
    behind_endpoint = response.headers.get("X-Localcloud-Vpce")
    if caller.role is None and not behind_endpoint and caller.service != "kms":
        return
    operation = response._get_action()
    if not operation:
        return
    name = resources.action(caller.service, operation)
    if name in _ALWAYS_ALLOWED:
        return
    given = parameters(response, operation)
    account, region = response.current_account, response.region
    values = context(response, caller)
    if namespace := given.get("Namespace"):
        values["cloudwatch:namespace"] = namespace
    if user := given.get("InstanceOSUser"):
        values["ec2:osuser"] = user
    for arn in resources.find(name, given, account, region):
        request = Request(name, arn, caller.principal, values)
        check_endpoint(caller, request, response)
        if caller.role is None:
            # A policy that shuts everybody out can still be changed.
            if name in _KEY_USES:
                check_key_policy(caller, request)
            continue
        require(caller, request)
        check_keys(caller, encryption.needed(name, arn, account, region), values)


def install() -> None:
    """Check every action of every service; before moto's first use."""
    accounts.install()
    setattr(ActionAuthenticatorMixin, "_authenticate_and_authorize_normal_action", _check)  # noqa: B010
