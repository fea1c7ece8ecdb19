"""Rules for Lambda functions: network, runtime, concurrency, tracing, secrets, who may call."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Final, cast

from .hosts import FUNCTION, FUNCTION_URL
from .inventory import Resource, Stack
from .links import targets
from .requirements import (
    ADVISORY_BELOW_STAGING,
    ADVISORY_EVERYWHERE,
    at_least,
    given,
    number,
    on_resource,
    one_of,
)
from .rules import Context, Outcome, Rule, Severity, Unverified, Violation
from .secret_texts import secret_in_variable
from .values import UNKNOWN, contains_unknown, one_or_many, shown, text

PERMISSION: Final = "aws:lambda/permission:Permission"
_LONG_AGO: Final = datetime.date(2024, 1, 1)
# End of support: AWS Lambda developer guide, "Lambda runtimes"; what ended before 2024 at its date
# or earlier. A runtime that is not named here is newer than this table.
_SUPPORT_ENDED: Final = {
    **dict.fromkeys(
        (
            *("dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "dotnet5.0"),
            *("go1.x", "java8", "nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10"),
            *("nodejs8.10", "nodejs10.x", "nodejs12.x", "nodejs14.x", "provided", "python2.7"),
            *("python3.6", "python3.7", "ruby2.5", "ruby2.7", "dotnet7"),
        ),
        _LONG_AGO,
    ),
    "nodejs16.x": datetime.date(2024, 6, 12),
    "python3.8": datetime.date(2024, 10, 14),
    "dotnet6": datetime.date(2024, 12, 20),
    "nodejs18.x": datetime.date(2025, 9, 1),
    "python3.9": datetime.date(2025, 12, 15),
    "ruby3.2": datetime.date(2026, 3, 31),
    "nodejs20.x": datetime.date(2026, 4, 30),
}


def _is_image(function: Resource) -> bool:
    return function.get("packageType") == "Image"


def _several_zones(function: Resource, context: Context) -> Iterator[Outcome]:
    if function.get("vpcConfig") is not None:
        yield from on_resource(at_least("vpcConfig.subnetIds", 2, "subnets"))(function, context)


def _supported_runtime(function: Resource, context: Context) -> Iterator[Outcome]:
    if _is_image(function):
        return
    runtime = text(function.get("runtime"))
    limit = "be a runtime that AWS still patches"
    if runtime is UNKNOWN:
        yield Unverified(function, "runtime")
    elif not isinstance(runtime, str):
        yield Violation(function, f"has runtime = {shown(function.get('runtime'))}", limit)
    elif (ended := _SUPPORT_ENDED.get(runtime)) and ended < context.today:
        found = f'has runtime = "{runtime}", whose support ended on {ended}'
        yield Violation(function, found, limit)


def _no_secret_variables(function: Resource, _context: Context) -> Iterator[Outcome]:
    limit = "hold the ARN of a secret instead, which the function reads"
    environment = function.get("environment")
    if environment is UNKNOWN:
        yield Unverified(function, "environment")
        return
    fields = cast("dict[str, object]", environment) if isinstance(environment, dict) else {}
    variables = fields.get("variables")
    if variables is UNKNOWN:
        yield Unverified(function, "environment.variables")
    elif isinstance(variables, dict):
        for name, value in cast("dict[str, object]", variables).items():
            if value is UNKNOWN:
                yield Unverified(function, f"environment.variables.{name}")
            elif kind := secret_in_variable(name, value):
                yield Violation(function, f"has {kind} in the variable {name[:60]}", limit)
    elif environment not in (None, {}):
        yield Violation(function, f"has environment = {shown(environment)}", "be variables")


def allows_every(url: Resource, name: str) -> object:
    """Whether `cors` of a function URL has the wildcard in `name`."""
    cors = url.get("cors")
    if cors is UNKNOWN:
        return UNKNOWN
    fields = cast("dict[str, object]", cors) if isinstance(cors, dict) else {}
    listed = one_or_many(fields.get(name))
    return True if "*" in listed else UNKNOWN if contains_unknown(listed) else False


def functions_of(stack: Stack, url: Resource) -> tuple[Resource, ...]:
    """The functions of the stack that a URL calls."""
    return targets(stack, url, "functionName", (FUNCTION,)).found


def _origins_named(stack: Stack, _context: Context) -> Iterator[Outcome]:
    for url in stack.of_type(FUNCTION_URL):
        every = allows_every(url, "allowOrigins")
        if every is UNKNOWN:
            yield Unverified(url, "cors.allowOrigins")
        elif every:
            limit = "name the origins that call it"
            for one in functions_of(stack, url) or (url,):
                yield Violation(one, "answers pages of every origin", limit)


def _not_for_everyone(permission: Resource, _context: Context) -> Iterator[Outcome]:
    principal = permission.get("principal")
    limit = "name an account, a role or a service"
    if UNKNOWN in (principal, permission.get("principalOrgId")):
        yield Unverified(permission, "principal")
    elif (not isinstance(principal, str) or not principal.strip("*? ")) and permission.get(
        "principalOrgId"
    ) in (None, ""):
        yield Violation(permission, f"has principal = {shown(principal)}", limit)
    elif _of_s3(permission) and permission.get("principalOrgId") in (None, ""):
        account = permission.get("sourceAccount")
        if account is UNKNOWN:
            yield Unverified(permission, "sourceAccount")
        elif not isinstance(account, str) or not account.strip("* "):
            # A bucket's ARN has no account: whoever takes the name over calls the function.
            found = f"lets S3 call with sourceAccount = {shown(account)}"
            yield Violation(permission, found, "have the account of the bucket in sourceAccount")


def _of_s3(permission: Resource) -> bool:
    return str(permission.get("principal")).lower().startswith("s3.amazonaws.")


def _bound_services(permission: Resource, _context: Context) -> Iterator[Outcome]:
    principal = permission.get("principal")
    bounds = [permission.get(name) for name in ("sourceArn", "sourceAccount", "principalOrgId")]
    if principal is UNKNOWN:
        yield Unverified(permission, "principal")
    elif isinstance(principal, str) and ".amazonaws." in principal.lower():
        if any(isinstance(one, str) and one.strip("* ") for one in bounds):
            return
        if UNKNOWN in bounds:
            yield Unverified(permission, "sourceArn")
        else:
            found = f"lets {principal[:80]} call for every account"
            yield Violation(permission, found, "have sourceArn or sourceAccount")


RULES: Final = (
    Rule(
        id="lambda-url-origins",
        title="Function URLs answer pages of named origins",
        what="cors.allowOrigins of no function URL has a wildcard.",
        why="Any page that a person opens could call the function in that person's name.",
        remediation="name the origins in cors of the aws.lambda_.FunctionUrl.",
        severity=Severity.HIGH,
        catalogue=("LMB-04",),
        controls=("CKV2_AWS_75",),
        types=(),
        check_stack=_origins_named,
        joined_types=(FUNCTION_URL, FUNCTION),
    ),
    Rule(
        id="lambda-in-vpc",
        title="Functions run in the VPC",
        what="vpcConfig names subnets on every function. pgkeep's functions that reach the "
        "database have them. One that calls nothing but AWS's own API needs nothing in the VPC: "
        "inside it would need an interface endpoint for each service that it calls (about 8 USD a "
        "month for each service and zone), and could no longer help when the network is what has "
        "failed. So this is advice.",
        why="A function outside of the VPC reaches the whole internet, past every flow log.",
        remediation="set vpc_config with private subnets (vpc_subnet_ids of FunctionSpec in "
        "components/operation_function.py).",
        severity=Severity.MEDIUM,
        catalogue=("LMB-01",),
        controls=("CKV_AWS_117", "Lambda.3"),
        types=(FUNCTION,),
        enforcement=ADVISORY_EVERYWHERE,
        check_resource=on_resource(at_least("vpcConfig.subnetIds", 1, "subnet")),
    ),
    Rule(
        id="lambda-several-zones",
        title="Functions in a VPC span two zones",
        what="vpcConfig of every function that has one names at least two subnets.",
        why="The loss of one zone would stop backups and rotation.",
        remediation="set network.availability_zone_count: 2 or more.",
        severity=Severity.MEDIUM,
        catalogue=("LMB-01",),
        controls=("Lambda.5",),
        types=(FUNCTION,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=_several_zones,
    ),
    Rule(
        id="lambda-concurrency",
        title="Functions have a bound on how many run at once",
        what="reservedConcurrentExecutions is set, 0 or more, on every function.",
        why="One function in a loop would take the whole account's share, the backups' too.",
        remediation="set reserved_concurrent_executions (components/operation_function.py).",
        severity=Severity.MEDIUM,
        catalogue=("LMB-03",),
        controls=("CKV_AWS_115",),
        types=(FUNCTION,),
        check_resource=on_resource(number("reservedConcurrentExecutions", default=-1)),
    ),
    Rule(
        id="lambda-tracing",
        title="Runs of functions are traced",
        what="tracingConfig.mode is Active or PassThrough on every function.",
        why="Where a slow or failed run spent its time would be a guess.",
        remediation="set functions.tracing: true in stacks/Pulumi.<environment>.yaml "
        "(tracing_config of the function).",
        severity=Severity.MEDIUM,
        catalogue=("LMB-03",),
        controls=("CKV_AWS_50",),
        types=(FUNCTION,),
        enforcement=ADVISORY_BELOW_STAGING,
        check_resource=on_resource(one_of("tracingConfig.mode", ("Active", "PassThrough"))),
    ),
    Rule(
        id="lambda-runtime",
        title="Functions run on a supported runtime",
        what="runtime of no function has reached the end of its support.",
        why="Later there are no security fixes, and then no deployments.",
        remediation="set runtime to a current one (components/function_code.py).",
        severity=Severity.HIGH,
        catalogue=("LMB-03",),
        controls=("CKV_AWS_363", "Lambda.2"),
        types=(FUNCTION,),
        check_resource=_supported_runtime,
    ),
    Rule(
        id="lambda-code-signed",
        title="Functions run signed code only",
        what="codeSigningConfigArn is set on every function of a zip archive. AWS Signer signs "
        "only what lies in S3 already, so that archives would have to be uploaded and signed "
        "before the update that uses them; and a profile that the same role may use proves "
        "nothing: it must be the organisation's, outside of this stack. So this is advice.",
        why="Whoever may update a function could run any code with its role.",
        remediation="set code_signing_config_arn to an aws.lambda_.CodeSigningConfig.",
        severity=Severity.MEDIUM,
        catalogue=("LMB-03",),
        controls=("CKV_AWS_272",),
        types=(FUNCTION,),
        enforcement=ADVISORY_EVERYWHERE,
        check_resource=on_resource(given("codeSigningConfigArn"), unless=_is_image),
    ),
    Rule(
        id="lambda-no-secret-variables",
        title="Variables of functions hold no secret",
        what="No environment variable of a function has a key, a password or a token in it.",
        why="Everybody who may read functions reads their variables, and so does the state.",
        remediation="pass the secret's ARN (components/operation_function.py) and read it at run "
        "time.",
        severity=Severity.CRITICAL,
        catalogue=("LMB-02",),
        controls=("CKV_AWS_45",),
        types=(FUNCTION,),
        check_resource=_no_secret_variables,
    ),
    Rule(
        id="lambda-not-public",
        title="Nobody unknown may call a function",
        what="principal of no function permission is a wildcard without an organisation, and "
        "S3 calls with a sourceAccount only.",
        why="Anyone with an AWS account could run the function.",
        remediation="name the service, account or role in principal of the "
        "aws.lambda_.Permission, and source_account for S3.",
        severity=Severity.CRITICAL,
        catalogue=("LMB-04",),
        controls=("CKV_AWS_301", "Lambda.1"),
        types=(PERMISSION,),
        check_resource=_not_for_everyone,
    ),
    Rule(
        id="lambda-services-bound",
        title="Services call functions for one's own resources only",
        what="Every permission of a service has sourceArn, sourceAccount or principalOrgId.",
        why="Anyone could have the service call the function from an account of their own.",
        remediation="set source_arn or source_account on the aws.lambda_.Permission.",
        severity=Severity.HIGH,
        catalogue=("LMB-04",),
        controls=("CKV_AWS_364", "configureSourceArn"),
        types=(PERMISSION,),
        check_resource=_bound_services,
    ),
)
