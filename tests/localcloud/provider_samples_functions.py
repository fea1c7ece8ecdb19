"""Functions, schedules, secrets and parameters: one example of each type, each after what it needs."""

from tests.localcloud.provider_sample import NEW_TAGS, TAGS, Sample, code

SAMPLES = (
    Sample(
        "layer",
        "aws:lambda/layerVersion:LayerVersion",
        lambda _: {
            "layerName": "ca",
            "code": code("pem"),
            "compatibleRuntimes": ["python3.13"],
        },
        replace={"description": "another"},
    ),
    Sample(
        "function",
        "aws:lambda/function:Function",
        lambda made: {
            "name": "backup",
            "role": made["role"]["arn"],
            "code": code("one"),
            "runtime": "python3.13",
            "handler": "index.handler",
            "timeout": 900,
            "memorySize": 1024,
            "architectures": ["x86_64"],
            "layers": [made["layer"]["arn"]],
            "environment": {"variables": {"BACKUP_BUCKET": made["bucket"].id}},
            "vpcConfig": {
                "subnetIds": [made["subnet-a"].id],
                "securityGroupIds": [made["group"].id],
            },
            "deadLetterConfig": {"targetArn": made["queue"]["arn"]},
            "reservedConcurrentExecutions": 1,
            "tags": TAGS,
        },
        lambda _: {"code": code("two"), "timeout": 600, "tags": NEW_TAGS},
        ("UpdateFunctionCode", "UpdateFunctionConfiguration", "TagResource", "UntagResource"),
        {"name": "other"},
    ),
    Sample(
        "invoke-config",
        "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
        lambda made: {
            "functionName": made["function"]["name"],
            "maximumRetryAttempts": 0,
            "destinationConfig": {"onFailure": {"destination": made["queue"]["arn"]}},
        },
        lambda _: {"maximumRetryAttempts": 1},
        ("PutFunctionEventInvokeConfig",),
        {"functionName": "other"},
        moto_defect="put_function_event_invoke_config keeps the first one",
    ),
    Sample(
        "permission",
        "aws:lambda/permission:Permission",
        lambda made: {
            "action": "lambda:InvokeFunction",
            "function": made["function"]["name"],
            "principal": "secretsmanager.amazonaws.com",
            "sourceAccount": "123456789012",
            "statementId": "secrets",
        },
        replace={"sourceAccount": "210987654321"},
    ),
    Sample(
        "schedule",
        "aws:scheduler/schedule:Schedule",
        lambda made: {
            "scheduleExpression": "cron(0 3 * * ? *)",
            "flexibleTimeWindow": {"mode": "OFF"},
            "target": {
                "arn": made["function"]["arn"],
                "roleArn": made["role"]["arn"],
                "input": '{"class": "daily"}',
                "retryPolicy": {"maximumRetryAttempts": 2},
            },
        },
        lambda _: {"scheduleExpression": "rate(1 day)"},
        ("UpdateSchedule",),
        {"groupName": "other"},
    ),
    Sample(
        "secret",
        "aws:secretsmanager/secret:Secret",
        lambda made: {
            "name": "pgkeep/app",
            "kmsKeyId": made["key"]["arn"],
            "recoveryWindowInDays": 0,
            "tags": TAGS,
        },
        lambda _: {"description": "application user"},
        ("UpdateSecret",),
        {"name": "other"},
    ),
    Sample(
        "parameter",
        "aws:ssm/parameter:Parameter",
        lambda _: {"name": "/pgkeep/ca", "type": "String", "value": "pending", "tags": TAGS},
        lambda _: {"value": "PEM"},
        ("PutParameter",),
        {"type": "SecureString"},
    ),
)
