"""The texts in which connections and secrets stand, and that pgkeep's own user data passes."""

from __future__ import annotations

import base64
import gzip

import pytest

from policies.connections import weakness
from policies.secret_texts import secret_in, secret_in_variable, unpacked
from tests.unit.recorder import deploy, raw_settings


def test_the_poolers_own_user_data_has_no_secret_and_no_weak_connection() -> None:
    from stacks.settings import load

    recorder = deploy(load(raw_settings("prod"), "prod"))
    encoded = recorder.inputs("pooler-hosts-template")["userData"]
    layers = list(unpacked(encoded))
    assert any("server_tls_sslmode" in layer for layer in layers)
    assert secret_in(encoded) is None
    assert weakness(encoded) is None
    text = gzip.decompress(base64.b64decode(encoded)).decode()
    weaker = text.replace("verify-full", "require")
    assert weaker != text
    packed = base64.b64encode(gzip.compress(weaker.encode())).decode()
    assert weakness(packed) is not None


@pytest.mark.parametrize("broken", ["H4sIAAAA" * 20, "\x00\ud800", "A" * 2_000_000, "=" * 100])
def test_what_cannot_be_unpacked_is_read_as_it_is(broken: str) -> None:
    assert secret_in(broken) is None
    assert weakness(broken) is None


def test_a_bomb_is_unpacked_to_a_bound_only() -> None:
    bomb = base64.b64encode(gzip.compress(b" " * 50_000_000)).decode()
    assert max(len(layer) for layer in unpacked(bomb)) <= 1_000_000


def test_messages_quote_no_secret() -> None:
    for text in ("PGPASSWORD=hunter2hunter2", "postgresql://app:hunter2hunter2@db/app"):
        assert "hunter2" not in (secret_in(text) or "") + (weakness(text) or "")
    assert "hunter2" not in (secret_in_variable("DB_PASSWORD", "hunter2") or "")
