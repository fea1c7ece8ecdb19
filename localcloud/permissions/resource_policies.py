"""Policies at a resource: queues, topics, functions, keys, secrets, buckets, backup vaults."""

import json
from typing import Any

from moto.awslambda.models import lambda_backends
from moto.backup.models import backup_backends
from moto.kms.models import kms_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.models import sns_backends
from moto.sqs.models import sqs_backends

from localcloud.permissions import accounts
from localcloud.permissions.policies import Decision, Principal, Request, evaluate


def find(arn: str) -> str | None:
    """The policy document of the resource, None where there is none."""
    parts = arn.split(":", 5)
    finder = _FINDERS.get(parts[2]) if len(parts) == 6 else None
    return finder(arn, parts[3], parts[4], parts[5]) if finder else None


def _of_queue(arn: str, region: str, account: str, name: str) -> str | None:
    del arn
    queue: Any = sqs_backends[account][region].queues.get(name)
    policy: Any = queue.policy if queue else None
    return policy if policy is None or isinstance(policy, str) else json.dumps(policy)


def _of_topic(arn: str, region: str, account: str, name: str) -> str | None:
    del name
    topic: Any = sns_backends[account][region].topics.get(arn)
    return topic.policy if topic else None


def _of_function(arn: str, region: str, account: str, name: str) -> str | None:
    del name
    function: Any = lambda_backends[account][region].get_function_by_arn(arn)
    if function is None or not function.policy.statements:
        return None
    return json.dumps({"Statement": function.policy.statements})


def _of_key(arn: str, region: str, account: str, name: str) -> str | None:
    del arn
    key: Any = kms_backends[account][region].keys.get(name.removeprefix("key/"))
    return key.policy if key else None


def _of_secret(arn: str, region: str, account: str, name: str) -> str | None:
    del name
    secret: Any = secretsmanager_backends[account][region].secrets.get(arn)
    return getattr(secret, "policy", None) if secret else None


def _of_bucket(arn: str, region: str, account: str, name: str) -> str | None:
    del arn, region, account
    bucket = accounts.find_bucket(name.partition("/")[0])
    return bucket.policy.decode() if bucket and bucket.policy else None


def _of_vault(arn: str, region: str, account: str, name: str) -> str | None:
    del arn
    backend: Any = backup_backends[account][region]
    policies: dict[str, str] = getattr(backend, "vault_policies", {})
    return policies.get(name.removeprefix("backup-vault:"))


_FINDERS = {
    "backup": _of_vault,
    "sqs": _of_queue,
    "sns": _of_topic,
    "lambda": _of_function,
    "kms": _of_key,
    "secretsmanager": _of_secret,
    "s3": _of_bucket,
}


def service_may(service: str, action: str, arn: str, source_arn: str) -> bool:
    """Whether the resource's policy lets an AWS service act for its resource `source_arn`."""
    document = find(arn)
    if document is None:
        return False
    account = source_arn.split(":")[4]
    context = {
        "aws:sourcearn": source_arn,
        "aws:sourceaccount": account,
        "aws:securetransport": "true",
    }
    request = Request(action, arn, Principal(account, service=service), context)
    return evaluate([document], request) is Decision.ALLOW
