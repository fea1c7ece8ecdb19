"""The functions' archive and the client layer: content, reproducibility, speed of a second call."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from operations import archive, elf, postgresql_client, postgresql_client_layer, reproducible_zip
from operations.errors import OperationError

ROOT = Path(archive.__file__).parent.parent
#: e_machine of ELF, at offset 18.
MACHINE = {"x86_64": 0x3E, "arm64": 0xB7}


def machine(header: bytes) -> int:
    return int.from_bytes(header[18:20], "little")


@pytest.mark.parametrize("architecture", sorted(archive.PLATFORMS))
def test_archive_has_the_handlers_and_libraries_of_its_architecture(architecture: str) -> None:
    with zipfile.ZipFile(archive.build(architecture)) as built:
        names = set(built.namelist())
        for name in ("master_credentials", "pooler_certificates", "roles", "migrations", "backup"):
            assert f"operations/functions/{name}.py" in names
        assert "workloads/node_pass/migrations/0001_buyers.sql" in names
        assert "psycopg/__init__.py" in names
        assert not [name for name in names if "__pycache__" in name or name.startswith("boto")]
        libraries = [name for name in names if name.endswith(".so")]
        assert libraries
        assert {machine(built.read(name)[:20]) for name in libraries} == {MACHINE[architecture]}
        assert sum(entry.file_size for entry in built.infolist()) < 200 * 1024 * 1024


@pytest.mark.parametrize(
    "module", ["operations.archive", "operations.postgresql_client_layer"], ids=["archive", "layer"]
)
def test_second_call_does_no_work(module: str) -> None:
    command = [sys.executable, "-m", module, "--architecture", "x86_64"]
    path = Path(subprocess.check_output(command, cwd=ROOT, text=True).strip())
    before = path.stat()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_archive_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    for name in ("operations", "workloads"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    assert archive.build("x86_64", tmp_path).read_bytes() == archive.build("x86_64").read_bytes()


def test_changed_source_is_built_again(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    target = tmp_path / "out.zip"
    builds: list[str] = []

    def build(path: Path) -> None:
        builds.append(source.read_text())
        reproducible_zip.write(path, [("a.py", source)])

    for text in ("one", "one", "two"):
        source.write_text(text)
        key = reproducible_zip.content_key([source], "x86_64")
        reproducible_zip.build_once(target, key, build)
    assert builds == ["one", "two"]


def test_a_failed_build_leaves_the_old_archive(tmp_path: Path) -> None:
    target = tmp_path / "out.zip"
    reproducible_zip.build_once(target, "1", lambda path: path.write_text("good") and None)

    def fail(path: Path) -> None:
        path.write_text("half")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        reproducible_zip.build_once(target, "2", fail)
    assert target.read_text() == "good"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.zip", "out.zip.key"]


@pytest.mark.parametrize("architecture", sorted(postgresql_client_layer.DEBIAN))
def test_layer_has_every_library_that_its_programs_need(architecture: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(postgresql_client_layer.build(architecture)) as built:
        built.extractall(tmp_path)
    for path in (tmp_path / "pg").rglob("*"):
        if path.is_file():
            assert machine(path.read_bytes()[:20]) == MACHINE[architecture]
            for name in elf.needed_libraries(path):
                assert (tmp_path / "pg/lib" / name).is_file(), f"{path.name} needs {name}"


def test_programs_of_the_layer_run_through_its_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(postgresql_client_layer.build("x86_64")) as built:
        for entry in built.infolist():
            Path(built.extract(entry, tmp_path)).chmod(entry.external_attr >> 16 & 0o777)
    monkeypatch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(tmp_path / "pg"))
    for program in postgresql_client_layer.PROGRAMS:
        command = [*postgresql_client.command(program), "--version"]
        assert "(PostgreSQL) 17." in subprocess.check_output(command, text=True)


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGKEEP_POSTGRESQL_CLIENT", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OperationError, match=r"pg_dump is neither in .* nor on PATH; attach the"):
        postgresql_client.command("pg_dump")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(archive.BuildError, match=r"uv is neither in this Python .* `make setup`"):
        archive._uv(tmp_path, "export")
    with pytest.raises(postgresql_client_layer.BuildError, match="mmdebstrap is not on PATH"):
        postgresql_client_layer._unpack(tmp_path / "x", "amd64")


def test_unknown_architecture_lists_those_there_are() -> None:
    with pytest.raises(archive.BuildError, match="'riscv' is unknown; one of arm64, x86_64"):
        archive.build("riscv")
    with pytest.raises(postgresql_client_layer.BuildError, match="one of arm64, x86_64"):
        postgresql_client_layer.build("riscv")


def test_what_is_no_elf_file_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "a"
    text.write_text("#!/bin/sh\n")
    with pytest.raises(ValueError, match="is not a 64-bit little-endian ELF file"):
        elf.needed_libraries(text)
