"""A provider named `aws` for engine tests: it creates nothing and echoes inputs as outputs.

Started by the engine as `pulumi-resource-aws`. Each real create is appended to the file
ECHO_PROVIDER_CREATED, so that tests can tell what would have reached AWS.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# What AWS assigns, and Pulumi therefore does not know at preview.
COMPUTED = ("arn", "bucket", "name", "identifier")


class EchoProvider(provider_pb2_grpc.ResourceProviderServicer):
    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(
            accept_secrets=True, accept_resources=True, accept_outputs=False
        )

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse()

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=True
        )

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="7.51.1")

    def Check(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Create(self, request: Any, context: Any) -> Any:
        name = request.urn.rpartition("::")[2]
        outputs = struct_pb2.Struct()
        outputs.CopyFrom(request.properties)
        for key in COMPUTED:
            if key not in outputs:
                value = f"arn:aws:s3:::{name}" if key == "arn" else name
                outputs[key] = UNKNOWN if request.preview else value
        if request.preview:
            return provider_pb2.CreateResponse(properties=outputs)
        with Path(os.environ["ECHO_PROVIDER_CREATED"]).open("a") as created:
            created.write(f"{request.urn}\n")
        return provider_pb2.CreateResponse(id=name, properties=outputs)

    def Delete(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


if __name__ == "__main__":
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(EchoProvider(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Event().wait()
