"""Exceptions as gRPC statuses with one line for the person who ran Pulumi."""

import traceback
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import status_pb2  # pyright: ignore[reportMissingModuleSource]
from pulumi.runtime.proto import provider_pb2

from localcloud.provider.errors import InitializationError, ProviderError
from localcloud.provider.outputs import without_internal
from localcloud.provider.wire import decode, encode


class _ErrorsToStatus(grpc.ServerInterceptor):
    """Turns exceptions into gRPC statuses with one line; a defect keeps its traceback."""

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        handler = continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler
        method = handler_call_details.method.rsplit("/", 1)[-1]

        def invoke(request: Any, context: Any) -> Any:
            try:
                return handler.unary_unary(request, context)
            except InitializationError as error:
                context.set_trailing_metadata(
                    (("grpc-status-details-bin", _initialization_details(error, request)),)
                )
                context.abort(grpc.StatusCode.UNKNOWN, str(error))
            except ProviderError as error:
                context.abort(grpc.StatusCode.UNKNOWN, str(error))
            except Exception:
                if context.code() is None:
                    trace = traceback.format_exc()
                    context.abort(
                        grpc.StatusCode.INTERNAL,
                        f"defect in the local cloud's aws provider ({method}): {trace}",
                    )
                raise

        return grpc.unary_unary_rpc_method_handler(
            invoke, handler.request_deserializer, handler.response_serializer
        )


def _initialization_details(error: InitializationError, request: Any) -> bytes:
    # Create carries its inputs in `properties`, update in `news`.
    sent = request.properties if hasattr(request, "properties") else request.news
    properties = decode(sent)
    detail = provider_pb2.ErrorResourceInitFailed(
        id=error.identifier,
        properties=encode(without_internal(error.state), properties.secret_keys),
        reasons=[str(error)],
        inputs=sent,
    )
    packed = AnyMessage()
    packed.Pack(detail)
    status = status_pb2.Status(
        code=grpc.StatusCode.UNKNOWN.value[0], message=str(error), details=[packed]
    )
    return status.SerializeToString()


def error_interceptor() -> grpc.ServerInterceptor:
    """The interceptor that every server of `AwsProvider` needs."""
    return _ErrorsToStatus()
