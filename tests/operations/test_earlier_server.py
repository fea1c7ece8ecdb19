"""What pg_restore 17 says to a server that is a 16, and what else fails."""

import pytest

from operations.restore.schema import only_unknown_parameter

UNKNOWN = (
    b"pg_restore: error: could not execute query: "
    b'ERROR:  unrecognized configuration parameter "transaction_timeout"\n'
    b"Command was: SET transaction_timeout = 0;\n"
)
OTHER = b'pg_restore: error: could not execute query: ERROR:  role "owner" does not exist\n'
SPLIT = UNKNOWN + b"pg_restore: " + UNKNOWN + UNKNOWN.removeprefix(b"pg_restore: ")


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (UNKNOWN + b"pg_restore: warning: errors ignored on restore: 1\n", True),
        # Of four sessions, as seen with --jobs=2.
        (UNKNOWN * 4 + b"pg_restore: warning: errors ignored on restore: 2\n", True),
        # As seen too: one session's words between another's.
        (SPLIT + b"pg_restore: warning: errors ignored on restore: 2\n", True),
        (SPLIT + OTHER[12:] + b"pg_restore: warning: errors ignored on restore: 3\n", False),
        (UNKNOWN + OTHER + b"pg_restore: warning: errors ignored on restore: 2\n", False),
        (OTHER + b"pg_restore: warning: errors ignored on restore: 1\n", False),
        (UNKNOWN, False),
        (b"", False),
    ],
)
def test_only_the_parameter_that_16_does_not_know_is_passed_over(
    errors: bytes, expected: bool
) -> None:
    assert only_unknown_parameter(errors) is expected
