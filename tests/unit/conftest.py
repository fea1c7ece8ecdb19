"""Every environment deployed once under mocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.unit.recorder import REPOSITORY, Recorder, deploy, settings

Deployed = Callable[[str], Recorder]


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """`deployed("prod")` is what the program asked the engine for."""
    home = tmp_path_factory.mktemp("localcloud")
    bundle = (REPOSITORY / "stacks/rds_ca/eu-west-1.pem").read_text()
    (home / "rds-ca-bundle.pem").write_text(bundle)
    patch = pytest.MonkeyPatch()
    patch.setenv("PGKEEP_LOCALCLOUD_HOME", str(home))

    def run(environment: str) -> Recorder:
        return deploy(settings(environment))

    yield run
    patch.undo()


@pytest.fixture(params=["local", "dev", "staging", "prod"])
def environment(request: pytest.FixtureRequest) -> str:
    """Each environment in turn."""
    return str(request.param)
