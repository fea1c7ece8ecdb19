"""Functions really run: archive, layers, environment, limits, errors, retries, and nothing left."""

import base64
import json
import time

import pytest

from tests.localcloud.planes import REGION, Planes, archive

pytestmark = pytest.mark.root

HANDLER = """
import json, logging, os, subprocess, sys, time
cold = True
logging.getLogger().setLevel("INFO")

def handler(event, context):
    global cold
    was_cold, cold = cold, False
    action = event.get("action")
    print("hello from", context.function_name)
    logging.info("structured %s", action)
    if action == "environment":
        return dict(os.environ)
    if action == "context":
        return {
            "remaining": context.get_remaining_time_in_millis(),
            "id": context.aws_request_id, "arn": context.invoked_function_arn,
            "memory": context.memory_limit_in_mb, "group": context.log_group_name,
            "stream": context.log_stream_name, "version": context.function_version,
        }
    if action == "raise":
        raise ValueError("no such thing")
    if action == "exit":
        os._exit(3)
    if action == "sleep":
        subprocess.Popen(["/bin/sleep", "600"])
        time.sleep(event["seconds"])
    if action == "memory":
        return len(bytearray(event["mib"] * 1024 * 1024))
    if action == "tmp":
        with open("/tmp/file", "wb") as file:
            for _ in range(event["mib"]):
                file.write(bytes(1024 * 1024))
        return os.path.getsize("/tmp/file")
    if action == "sandbox":
        def denied(path):
            try:
                open(path, "w")
            except OSError as error:
                return error.strerror
        return {
            "uid": os.getuid(), "task": denied("/var/task/x"), "root": denied("/etc/x"),
            "processes": sorted(p for p in os.listdir("/proc") if p.isdigit()).__len__(),
            "interfaces": sorted(os.listdir("/sys/class/net")) if os.path.exists("/sys/class/net") else open("/proc/net/dev").read().count(":"),
            "layer": open("/opt/layer.txt").read() if os.path.exists("/opt/layer.txt") else None,
            "python_layer": __import__("from_layer").NAME if os.path.exists("/opt/python") else None,
            "resolv": open("/etc/resolv.conf").read(),
        }
    if action == "boto":
        import boto3
        return boto3.client("sts").get_caller_identity()["Arn"]
    if action == "unserializable":
        return {1, 2}
    return {"event": event, "cold": was_cold}
"""


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory):
    with Planes(tmp_path_factory.mktemp("pk"), "functions") as started:
        yield started


@pytest.fixture(scope="module")
def function(planes: Planes) -> str:
    planes.role("worker", "lambda.amazonaws.com", ["logs:*", "sqs:SendMessage"])
    planes.function("worker", HANDLER, role="worker", Timeout=5, MemorySize=256)
    return "worker"


def invoke(planes: Planes, name: str, event: dict, **options):
    answer = planes.client("lambda").invoke(
        FunctionName=name, Payload=json.dumps(event), LogType="Tail", **options
    )
    payload = answer["Payload"].read()
    return answer, json.loads(payload) if payload else None


def test_result_is_what_the_handler_returns_and_a_warm_process_is_reused(planes, function):
    planes.function("warm", HANDLER, role="worker")
    assert invoke(planes, "warm", {"a": "ü"})[1] == {"event": {"a": "ü"}, "cold": True}
    start = time.monotonic()
    assert invoke(planes, "warm", {})[1] == {"event": {}, "cold": False}
    assert time.monotonic() - start < 0.3


def test_environment_is_that_of_lambda(planes, function):
    planes.client("lambda").update_function_configuration(
        FunctionName=function, Environment={"Variables": {"DB_HOST": "db.internal"}}
    )
    environment = invoke(planes, function, {"action": "environment"})[1]
    assert environment["DB_HOST"] == "db.internal"
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "worker"
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["AWS_REGION"] == REGION
    assert environment["_HANDLER"] == "main.handler"
    assert environment["LAMBDA_TASK_ROOT"] == "/var/task"
    assert environment["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert "HOME" not in environment and "PGKEEP_LOCALCLOUD_HOME" not in environment


def test_context_knows_the_call(planes, function):
    answer, context = invoke(planes, function, {"action": "context"})
    assert 0 < context["remaining"] <= 5000
    assert context["arn"].endswith(":function:worker") and context["memory"] == "256"
    assert context["group"] == "/aws/lambda/worker" and "[$LATEST]" in context["stream"]
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert f"START RequestId: {context['id']} Version: $LATEST" in tail


def test_handler_runs_as_lambdas_user_in_a_read_only_root(planes, function):
    seen = invoke(planes, function, {"action": "sandbox"})[1]
    assert seen["uid"] == 993
    assert seen["task"] == seen["root"] == "Read-only file system"
    # It sees its own process, none of the machine's.
    assert seen["processes"] == 1


def test_role_credentials_reach_the_api(planes, function):
    arn = invoke(planes, function, {"action": "boto"})[1]
    assert arn == "arn:aws:sts::123456789012:assumed-role/worker/worker"


def test_exception_is_unhandled_with_its_stack(planes, function):
    answer, payload = invoke(planes, function, {"action": "raise"})
    assert answer["FunctionError"] == "Unhandled" and answer["StatusCode"] == 200
    assert payload["errorType"] == "ValueError" and payload["errorMessage"] == "no such thing"
    assert len(payload["stackTrace"]) == 1 and "in handler" in payload["stackTrace"][0]
    assert "[ERROR] ValueError: no such thing" in base64.b64decode(answer["LogResult"]).decode()


@pytest.mark.parametrize(
    ("event", "error_type", "message"),
    [
        ({"action": "exit"}, "Runtime.ExitError", "exit status 3"),
        ({"action": "memory", "mib": 400}, "Runtime.OutOfMemory", "signal: killed"),
        ({"action": "unserializable"}, "Runtime.MarshalError", "Unable to marshal response"),
    ],
)
def test_a_lost_runtime_is_an_error_and_the_next_call_works(
    planes, function, event, error_type, message
):
    answer, payload = invoke(planes, function, event)
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == error_type and message in payload["errorMessage"]
    assert invoke(planes, function, {})[1]["event"] == {}


def test_a_handler_is_killed_at_its_timeout_with_its_children(planes, function):
    planes.function("slow", HANDLER, role="worker", Timeout=1)
    start = time.monotonic()
    _, payload = invoke(planes, "slow", {"action": "sleep", "seconds": 30})
    assert time.monotonic() - start < 4
    assert payload["errorMessage"].endswith("Task timed out after 1.00 seconds")
    assert payload["errorType"] == "Sandbox.Timedout"
    assert planes.processes_below_home() == [] or b"sleep" not in planes.command_lines()


def test_tmp_is_writable_and_limited_and_not_part_of_the_memory(planes, function):
    assert invoke(planes, function, {"action": "tmp", "mib": 400})[1] == 400 * 1024 * 1024
    _, payload = invoke(planes, function, {"action": "tmp", "mib": 600})
    assert payload["errorType"] == "OSError" and "No space left" in payload["errorMessage"]


def test_import_error_is_named(planes, function):
    planes.function("broken", "import nothing_like_this", role="worker")
    _, payload = invoke(planes, "broken", {})
    assert payload["errorType"] == "Runtime.ImportModuleError"
    assert "No module named 'nothing_like_this'" in payload["errorMessage"]


def test_layers_are_merged_and_a_later_one_wins(planes, function):
    client = planes.client("lambda")
    arns = [
        client.publish_layer_version(LayerName=name, Content={"ZipFile": archive(files)})[
            "LayerVersionArn"
        ]
        for name, files in (
            ("first", {"layer.txt": "first", "python/from_layer.py": "NAME = 'first'"}),
            ("second", {"layer.txt": "second"}),
        )
    ]
    planes.function("layered", HANDLER, role="worker", Layers=arns)
    seen = invoke(planes, "layered", {"action": "sandbox"})[1]
    assert (seen["layer"], seen["python_layer"]) == ("second", "first")


def test_new_code_replaces_the_warm_process(planes, function):
    planes.function("changing", "def handler(e, c): return 1", role="worker")
    assert invoke(planes, "changing", {})[1] == 1
    code = archive({"main.py": "def handler(e, c): return 2"})
    planes.client("lambda").update_function_code(FunctionName="changing", ZipFile=code)
    assert invoke(planes, "changing", {})[1] == 2


def test_logs_and_metrics_are_written(planes, function):
    planes.function("observed", HANDLER, role="worker")
    invoke(planes, "observed", {"action": "raise"})
    logs = planes.client("logs").filter_log_events(logGroupName="/aws/lambda/observed")
    text = "\n".join(event["message"] for event in logs["events"])
    assert "hello from observed" in text and "REPORT RequestId:" in text
    for name, expected in (("Invocations", 1), ("Errors", 1)):
        assert planes.metric_sum("AWS/Lambda", name, FunctionName="observed") == expected
    assert planes.metric_sum("AWS/Lambda", "Duration", FunctionName="observed") > 0


def test_embedded_metrics_of_the_log_become_metrics(planes, function):
    code = """
import json, time
def handler(event, context):
    metric = {"Namespace": "PgKeep", "Dimensions": [["environment"]],
              "Metrics": [{"Name": "BackupSize", "Unit": "Bytes"}]}
    print(json.dumps({"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [metric]},
                      "environment": "local", "BackupSize": 4096}))
    print('{"_aws": {"Timestamp": "never"}}')
"""
    planes.function("measuring", code, role="worker")
    answer, _ = invoke(planes, "measuring", {})
    assert "FunctionError" not in answer
    assert planes.metric_sum("PgKeep", "BackupSize", environment="local") == 4096


def test_without_permission_to_log_nothing_is_logged(planes, function):
    planes.role("silent", "lambda.amazonaws.com", ["sqs:SendMessage"])
    planes.function("silent", HANDLER, role="silent")
    assert invoke(planes, "silent", {})[1]["cold"] is True
    groups = planes.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/silent")
    assert groups["logGroups"] == []


def test_dry_run_checks_and_runs_nothing(planes, function):
    answer = planes.client("lambda").invoke(FunctionName=function, InvocationType="DryRun")
    assert answer["StatusCode"] == 204


def test_event_is_retried_twice_and_then_reaches_queue_and_destination(planes, function):
    sqs = planes.client("sqs")
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "failed")]
    arns = [f"arn:aws:sqs:{REGION}:123456789012:{name}" for name in ("dead", "failed")]
    client = planes.client("lambda")
    planes.function("failing", HANDLER, role="worker", DeadLetterConfig={"TargetArn": arns[0]})
    client.put_function_event_invoke_config(
        FunctionName="failing", DestinationConfig={"OnFailure": {"Destination": arns[1]}}
    )
    answer = client.invoke(
        FunctionName="failing", InvocationType="Event", Payload=json.dumps({"action": "raise"})
    )
    assert answer["StatusCode"] == 202
    dead = planes.receive(urls[0])
    assert json.loads(dead["Body"]) == {"action": "raise"}
    assert dead["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no such thing"
    record = json.loads(planes.receive(urls[1])["Body"])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responsePayload"]["errorType"] == "ValueError"
    assert planes.metric_sum("AWS/Lambda", "Errors", FunctionName="failing") == 3


def test_a_second_event_invoke_config_replaces_the_first(planes, function):
    client = planes.client("lambda")
    key = {"FunctionName": function}
    queue = f"arn:aws:sqs:{REGION}:123456789012:failed"
    client.put_function_event_invoke_config(
        **key,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )
    client.put_function_event_invoke_config(**key, MaximumRetryAttempts=1)
    found = client.get_function_event_invoke_config(**key)
    assert found["MaximumRetryAttempts"] == 1
    assert not found.get("DestinationConfig", {}).get("OnFailure")
    client.update_function_event_invoke_config(**key, MaximumEventAgeInSeconds=60)
    found = client.get_function_event_invoke_config(**key)
    assert (found["MaximumRetryAttempts"], found["MaximumEventAgeInSeconds"]) == (1, 60)
    client.delete_function_event_invoke_config(**key)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function_event_invoke_config(**key)


def test_concurrent_calls_get_environments_of_their_own_up_to_the_reserved_number(planes, function):
    from concurrent.futures import ThreadPoolExecutor

    planes.function("parallel", HANDLER, role="worker", Timeout=10)
    planes.client("lambda").put_function_concurrency(
        FunctionName="parallel", ReservedConcurrentExecutions=2
    )

    def call(_):
        try:
            return invoke(planes, "parallel", {"action": "sleep", "seconds": 2})[1]["cold"]
        except planes.client("lambda").exceptions.TooManyRequestsException:
            return "throttled"

    with ThreadPoolExecutor(3) as pool:
        assert sorted(map(str, pool.map(call, range(3)))) == ["True", "True", "throttled"]


def test_function_in_a_vpc_runs_in_its_interface(planes, function):
    vpc, subnet, group = planes.network()
    config = {"SubnetIds": [subnet], "SecurityGroupIds": [group]}
    client = planes.client("lambda")
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="on EC2"):
        planes.function("private", HANDLER, role="worker", VpcConfig=config)
    planes.role("vpc-worker", "lambda.amazonaws.com", [])
    planes.client("iam").attach_role_policy(
        RoleName="vpc-worker",
        PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole",
    )
    created = planes.function("private", HANDLER, role="vpc-worker", VpcConfig=config)
    assert created["VpcConfig"]["VpcId"] == vpc
    seen = invoke(planes, "private", {"action": "sandbox"})[1]
    assert seen["interfaces"] == 1 and "nameserver 10.0.0.2" in seen["resolv"]
    assert f"{planes.prefix}-fn-private" in planes.namespaces()
    client.delete_function(FunctionName="private")
    assert planes.namespaces() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Runtime": "nodejs22.x"}, "has python3.13 only"),
        ({"MemorySize": 20000}, "not within 128 and 10240"),
        ({"Timeout": 901}, "not within 1 and 900"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys"),
        ({"Environment": {"Variables": {"A": "x" * 5000}}}, "exceeded the 4096 bytes limit"),
        ({"Code": {"ZipFile": b"no archive"}}, "Could not unzip"),
        (
            {"VpcConfig": {"SubnetIds": ["subnet-0"], "SecurityGroupIds": ["sg-0"]}},
            "permissions to call",
        ),
    ],
)
def test_what_lambda_refuses_is_refused(planes, function, change, message):
    client = planes.client("lambda")
    with pytest.raises(client.exceptions.ClientError, match=message):
        planes.function("refused", "x = 1", role="worker", **change)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_function(FunctionName="refused")


def test_a_role_lambda_may_not_assume_is_refused(planes, function):
    planes.role("other", "ec2.amazonaws.com", ["logs:*"])
    with pytest.raises(Exception, match="cannot be assumed by Lambda"):
        planes.function("refused", HANDLER, role="other")


def test_bad_json_and_too_large_events_are_refused(planes, function):
    client = planes.client("lambda")
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke(FunctionName=function, Payload=b"{no json")
    with pytest.raises(client.exceptions.RequestTooLargeException):
        client.invoke(FunctionName=function, Payload=json.dumps("x" * 7_000_000))


def test_stopping_leaves_nothing(tmp_path, function):
    with Planes(tmp_path / "stop", "functions") as planes:
        planes.role("worker", "lambda.amazonaws.com", ["logs:*"])
        planes.function("left", HANDLER, role="worker", Timeout=60)
        invoke(planes, "left", {})
        assert planes.processes_below_home() and planes.mounts_below_home()
        client = planes.client("lambda")
        event = json.dumps({"action": "sleep", "seconds": 50})
        client.invoke(FunctionName="left", InvocationType="Event", Payload=event)
        time.sleep(1)
    assert planes.processes_below_home() == []
    assert planes.mounts_below_home() == []
    assert planes.cgroups() == []
