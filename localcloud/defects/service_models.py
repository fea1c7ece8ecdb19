"""Descriptions of operations that moto's threads may ask for at the same time."""

import threading
from typing import Any

from moto.core.model import OperationModel, ServiceModel


def install() -> None:
    """One thread at a time describes an operation.

    moto's method and botocore's below it keep their results under the same key: in between a second
    thread finds botocore's, which lacks what moto needs, and its request ends as a 500. Several
    functions that are made at once met it.
    """
    original = ServiceModel.operation_model
    lock = threading.Lock()

    def operation_model(self: ServiceModel, *arguments: Any, **named: Any) -> OperationModel:
        with lock:
            return original(self, *arguments, **named)

    ServiceModel.operation_model = operation_model
