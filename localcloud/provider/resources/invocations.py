"""Invocations of Lambda functions as resources."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from localcloud.provider.context import Context, Names, names
from localcloud.provider.errors import ProviderError
from localcloud.provider.operations import Operation
from localcloud.provider.resource import Resource
from localcloud.provider.sdk_types import Failure
from localcloud.provider.wire import Unknown


class _Invocation(Resource):
    """Calls the function when it is made. With lifecycleScope CREATE_ONLY (pulumi-aws's default) a
    changed input or trigger means a new invocation in place of the old; with CRUD the function is
    told of update and delete under the key `terraformKey` of its input."""

    def check(self, inputs: Mapping[str, Any]) -> list[Failure]:
        scope = inputs.get("lifecycleScope")
        if scope not in ("CREATE_ONLY", "CRUD") and not isinstance(scope, Unknown):
            return [Failure("lifecycleScope", f"{scope!r} is neither CREATE_ONLY nor CRUD")]
        value = inputs.get("input")
        if isinstance(value, str):
            try:
                parsed = json.loads(value)
            except ValueError as error:
                return [Failure("input", f"is not JSON: {error}")]
            if scope == "CRUD" and not isinstance(parsed, dict):
                return [Failure("input", "must be a JSON object with lifecycleScope CRUD")]
        return []

    def plan(self, aws: Any, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
        del aws, inputs
        return [{}]

    def replaced_by(self, inputs: Mapping[str, Any]) -> Names:
        always = self.replaces
        return always if inputs.get("lifecycleScope") == "CRUD" else always | {"input"}

    def create(self, context: Context) -> dict[str, Any]:
        result = self._invoke(context, "create")
        digest = hashlib.md5(result.encode(), usedforsecurity=False).hexdigest()
        qualifier = context.inputs.get("qualifier", "$LATEST")
        context.id = f"{context.inputs['functionName']}_{qualifier}_{digest}"
        return {"result": result}

    def update(self, context: Context, changed: Names) -> dict[str, Any]:
        if "input" not in changed:
            return {"result": context.state.get("result", "")}
        return {"result": self._invoke(context, "update")}

    def observe(self, context: Context) -> dict[str, Any]:
        return {"result": context.state.get("result", "")}

    def delete(self, context: Context) -> None:
        if context.inputs.get("lifecycleScope") == "CRUD":
            self._invoke(context, "delete")

    def _payload(self, context: Context, action: str) -> bytes:
        text = context.inputs["input"]
        if context.inputs.get("lifecycleScope") != "CRUD":
            return text.encode()
        previous = context.old_inputs.get("input")
        key = context.inputs.get("terraformKey", "tf")
        about = {"action": action, "prev_input": json.loads(previous) if previous else None}
        return json.dumps({**json.loads(text), key: about}).encode()

    def _invoke(self, context: Context, action: str) -> str:
        name = context.inputs["functionName"]
        answer = context.call(
            "lambda",
            "Invoke",
            FunctionName=name,
            InvocationType="RequestResponse",
            LogType="Tail",
            Payload=self._payload(context, action),
            Qualifier=context.inputs.get("qualifier", "$LATEST"),
        )
        result = answer["Payload"].read().decode()
        if answer.get("FunctionError"):
            raise ProviderError(_failure(context, name, result, answer.get("LogResult", "")))
        return result


def _failure(context: Context, name: str, result: str, log: str) -> str:
    try:
        said = json.loads(result)
        message = f"{said.get('errorType', 'error')}: {said.get('errorMessage', result)}"
    except (ValueError, AttributeError):
        message = result
    tail = base64.b64decode(log).decode(errors="replace").strip() if log else ""
    lines = "\n".join(f"  {line}" for line in tail.splitlines()[-15:])
    shown = f"\nlast lines of its log:\n{lines}" if lines else ""
    return f"Invoke refused {context.subject}: function {name} failed: {message}{shown}"


RESOURCES: tuple[Resource, ...] = (
    _Invocation(
        kind="aws:lambda/invocation:Invocation",
        service="lambda",
        create_with=Operation("Invoke"),
        identifier="",
        read_with=Operation("Invoke"),
        special=names("functionName input lifecycleScope qualifier terraformKey triggers"),
        replaces=names("functionName qualifier triggers"),
        defaults={"lifecycleScope": "CREATE_ONLY", "qualifier": "$LATEST", "terraformKey": "tf"},
        json_properties=names("input"),
        moving=names("result"),
    ),
)
