"""One request to the AWS API, and what the log says when it gets no answer.

Importing this imports moto: the daemon sets moto's environment first.
"""

import logging
import traceback
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler

logger = logging.getLogger(__name__)


class RequestHandler(MotoRequestHandler):
    """moto's handler; it says which request ended without an answer."""

    def connection_dropped(
        self, error: BaseException, environ: dict[str, Any] | None = None
    ) -> None:
        """Log the request and where it broke off.

        werkzeug calls this for each ConnectionError and TimeoutError, those of the operation itself
        too, and says nothing.
        """
        del environ
        # Without the query: it can carry a presigned URL's signature.
        path = getattr(self, "path", "").partition("?")[0]
        method = getattr(self, "command", None) or "a request"
        frames = traceback.extract_tb(error.__traceback__)
        place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
        logger.warning(
            "%s %s got no answer: %s: %s%s", method, path, type(error).__name__, error, place
        )
