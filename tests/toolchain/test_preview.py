"""A stack that cannot be read is refused before the engine starts, which then keeps no log."""

from pathlib import Path

import pytest

from toolchain import preview
from toolchain.steps import RefusedError


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(preview, "STACKS", tmp_path)
    monkeypatch.setattr(preview, "stack_names", lambda: ["dev", "prod"])
    monkeypatch.delenv("PGKEEP_STACK_CONFIG_FILE", raising=False)
    return tmp_path


def test_an_unknown_stack_lists_the_known_ones(stacks: Path) -> None:
    with pytest.raises(RefusedError, match="there is no stack 'qa'; stacks/ has dev, prod"):
        preview.read_stack("qa")


@pytest.mark.parametrize("text", ["config: [", "\tconfig:", "a: b: c"])
def test_broken_yaml_names_file_and_place(stacks: Path, text: str) -> None:
    (stacks / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(RefusedError, match=r"Pulumi\.dev\.yaml is not valid YAML: .*line 1"):
        preview.read_stack("dev")


@pytest.mark.parametrize("text", ["", "config: 3", "- a", "settings: {}"])
def test_a_file_without_config_is_refused(stacks: Path, text: str) -> None:
    (stacks / "Pulumi.dev.yaml").write_text(text)
    with pytest.raises(RefusedError, match="has no mapping `config:`"):
        preview.read_stack("dev")


def test_another_file_serves_the_local_stack_only(
    stacks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = stacks / "elsewhere.yaml"
    chosen.write_text("config: {a: 1}")
    monkeypatch.setenv("PGKEEP_STACK_CONFIG_FILE", str(chosen))
    (stacks / "Pulumi.dev.yaml").write_text("config: {a: 2}")
    assert preview.read_stack("local") == {"config": {"a": 1}}
    assert preview.read_stack("dev") == {"config": {"a": 2}}


def test_the_engine_keeps_no_log_in_the_folder_that_is_thrown_away(
    stacks: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (stacks / "Pulumi.dev.yaml").write_text("config: {}")
    monkeypatch.setattr(preview, "build_archive", lambda _architecture: None)  # pyright: ignore[reportUnknownArgumentType, reportUnknownLambdaType]
    with preview.offline_stack("dev") as (config, environment):
        # `stack init` has run: the engine has left the file alone that stands in the log's place.
        assert "encryptionsalt" in config.read_text()
        assert (Path(environment["PULUMI_HOME"]) / "logs").read_bytes() == b""
    # What the engine says with --json is all that a reader gets.
    out, err = capfd.readouterr()
    assert out == "" and "Functions archive" in err
