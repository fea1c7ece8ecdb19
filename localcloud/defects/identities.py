"""IAM's requests, one after another."""

import threading
from typing import Any


def install() -> None:
    """One thread at a time is in moto's IAM.

    Listing the policies of a role walks a dict that another thread's AttachRolePolicy changes: the
    request ends as a 500, and `up` with it.
    """
    from moto.core.responses import BaseResponse
    from moto.iam.responses import IamResponse

    lock = threading.Lock()

    def call_action(self: IamResponse) -> Any:
        with lock:
            return BaseResponse.call_action(self)  # As it is by then: `errors` guards it.

    IamResponse.call_action = call_action
