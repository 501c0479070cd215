"""A machine that goes to another computer: another DSVM_HOME, with nothing of this one's."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from dsvm.errors import DsvmError
from dsvm.home import Home
from dsvm.machines.disk import adopt_disk
from dsvm.machines.machine import Machine
from dsvm.machines.stale import CLUSTER
from dsvm.machines.state import Machines
from dsvm.store import Store
from tests.system.typed import Dsvm

NAME = "packed"
DELETED = "what-was-deleted-before"
DEFINITION = f"""\
name = "{NAME}"
profile = ""
tools = ["git"]
[environments.one]
requirements = ["tabulate"]
[size]
cpus = 1
memory = "1G"
"""


@pytest.fixture(scope="module")
def machine(home: Home, dsvm: Dsvm) -> Iterator[Machine]:
    folder = home.root / "definitions" / NAME
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dsvm.toml").write_text(DEFINITION)
    up = dsvm("up", "--yes", "--engine", "nspawn", cwd=folder, timeout_s=900)
    assert up.returncode == 0, up.stderr
    made = Machines(home).get(NAME)
    script = f"""
        echo year > work
        for count in $(seq 50000); do echo {DELETED}; done > deleted; sync; rm deleted; sync
        /opt/dsvm/envs/one/bin/python -c "
import sqlite3
base = sqlite3.connect('base'); base.execute('create table t(x)')
base.execute('insert into t values (42)'); base.commit()
import pathlib, sysconfig
pathlib.Path(sysconfig.get_path('purelib'), 'mine.py').write_text('')"
    """
    ran = dsvm("run", NAME, "--", "sh", "-ec", script)
    assert ran.returncode == 0, ran.stderr
    yield made
    dsvm("rm", NAME, "--yes")


@pytest.fixture(scope="module")
def there(home: Home) -> Iterator[Dsvm]:
    """`./dsvm` on the other computer."""
    root = home.root / "elsewhere"
    root.mkdir()
    other = Dsvm(root)
    yield other
    for name in Machines(Home(root)).names():
        other("rm", name, "--yes")
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def thin(machine: Machine, dsvm: Dsvm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(dsvm, tmp_path_factory.mktemp("thin") / "thin.dsvm", "--thin")


def packed(dsvm: Dsvm, file: Path, *words: str) -> Path:
    done = dsvm("pack", NAME, str(file), "--yes", *words)
    assert done.returncode == 0, done.stderr
    return file


def done(dsvm: Dsvm, *words: str, cwd: Path = Path("/")) -> str:
    answer = dsvm(*words, cwd=cwd, timeout_s=400)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def kept(dsvm: Dsvm, name: str) -> str:
    """What the person wrote: a file, a row, a package of an environment."""
    script = """
        cat work; cd ~
        /opt/dsvm/envs/one/bin/python -c "
import mine, sqlite3, tabulate
print(sqlite3.connect('base').execute('select x from t').fetchall(), mine.__name__)"
    """
    return done(dsvm, "run", name, "--", "sh", "-ec", script)


KEPT = "year\n[(42,)] mine"


def test_a_running_machine_goes_to_another_computer_and_engine(
    machine: Machine, dsvm: Dsvm, there: Dsvm, tmp_path: Path
) -> None:
    file = packed(dsvm, tmp_path / "full.dsvm")
    assert file.stat().st_mode & 0o777 == 0o600
    assert kept(dsvm, NAME) == KEPT

    said = done(there, "unpack", str(file), "--yes", "--engine", "qemu", "--json", cwd=tmp_path)
    told = json.loads(said)

    assert told["missing_layers"] == []
    # A stranger's layers run where they came with, and are no results of a build here.
    assert Store(Home(there.home).store).records("layers") == []
    assert Path(told["folder"]) == tmp_path / NAME
    assert (tmp_path / NAME / "dsvm.toml").read_text() == DEFINITION
    done(there, "start", NAME)
    assert kept(there, NAME) == KEPT
    new = Machines(Home(there.home)).get(NAME)
    assert new.record.engine == "qemu"
    for key in ("ssh/id_ed25519", "ssh/host_ed25519"):
        assert (new.folder / key).read_text() != (machine.folder / key).read_text()


def test_a_thin_pack_is_small_and_finds_the_layers_that_are_there(
    dsvm: Dsvm, there: Dsvm, thin: Path, tmp_path: Path
) -> None:
    assert thin.stat().st_size < 20 << 20

    done(
        there, "unpack", str(thin), "--yes", "--name", "second", "--engine", "nspawn", cwd=tmp_path
    )
    up = there("up", cwd=tmp_path / "second")

    assert up.returncode == 0, up.stderr
    assert "building" not in up.stderr
    assert kept(there, "second") == KEPT
    done(there, "stop", "second")


def test_a_thin_pack_names_the_layers_that_are_not_there(
    home: Home, thin: Path, tmp_path: Path
) -> None:
    bare = Dsvm(home.root / "bare")
    try:
        told = json.loads(done(bare, "unpack", str(thin), "--yes", "--json", cwd=tmp_path))
        refused = bare("start", NAME)
    finally:
        bare("rm", NAME, "--yes")
        shutil.rmtree(bare.home)

    assert told["missing_layers"] == ["disk", "env-one-cpu"]
    assert refused.returncode == 1
    assert "env-one-cpu: not in the store" in refused.stderr
    assert f"`dsvm up` in {tmp_path / NAME}" in refused.stderr


def test_no_secret_and_nothing_deleted_is_in_a_pack(machine: Machine, thin: Path) -> None:
    with thin.open("rb") as file:
        content = zstandard.ZstdDecompressor().stream_reader(file).read()
    keys = [(machine.folder / "ssh" / key).read_text() for key in ("id_ed25519", "host_ed25519")]
    seed = (machine.folder / "seed" / "seed.json").read_text()

    assert b"year\n" in content
    assert DELETED.encode() not in content
    for key in keys:
        line = key.splitlines()[1]
        assert line in json.loads(seed)["host_key"] or key == keys[0]
        assert line.encode() not in content


def test_a_name_or_a_definition_that_is_there_is_not_replaced(
    there: Dsvm, thin: Path, tmp_path: Path
) -> None:
    taken = there("unpack", str(thin), "--yes", cwd=tmp_path)
    (tmp_path / "dsvm.toml").write_text('name = "mine"\n')
    other = there("unpack", str(thin), "--yes", "--name", "third", "--folder", str(tmp_path))

    assert (taken.returncode, other.returncode) == (1, 1)
    assert "--name" in taken.stderr
    assert "--folder" in other.stderr
    assert (tmp_path / "dsvm.toml").read_text() == 'name = "mine"\n'


@pytest.mark.parametrize("spoil", ["cut off", "a flipped bit", "no pack"])
def test_a_damaged_pack_leaves_no_machine(
    there: Dsvm, thin: Path, tmp_path: Path, spoil: str
) -> None:
    content = bytearray(thin.read_bytes())
    if spoil == "a flipped bit":
        content[len(content) // 2] ^= 1
    elif spoil == "cut off":
        del content[len(content) // 2 :]
    else:
        content = bytearray(b"a text\n" * 100)
    (tmp_path / "bad.dsvm").write_bytes(content)

    refused = there("unpack", "bad.dsvm", "--yes", "--name", "third", cwd=tmp_path)

    assert refused.returncode == 1
    assert "bad.dsvm cannot be unpacked" in refused.stderr
    assert "third" not in Machines(Home(there.home)).names()
    assert not (there.home / "machines" / "third" / "machine.json").exists()


@pytest.mark.parametrize("option", ["backing_file=/etc/shadow,backing_fmt=raw", "data_file=secret"])
def test_a_disk_that_leads_to_another_file_is_refused(tmp_path: Path, option: str) -> None:
    disk = tmp_path / "disk.qcow2"
    options = ["-o", option.replace("secret", str(tmp_path / "secret")), "-u"]
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*create, *options, disk, str(1 << 30)], check=True)

    with pytest.raises(DsvmError, match="is refused"):
        adopt_disk(disk, tmp_path / "image", 1 << 30)


def test_a_disk_of_a_machine_that_was_killed_is_taken_and_its_lost_space_given_back(
    tmp_path: Path,
) -> None:
    disk = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, str(1 << 30)], check=True)
    leak(disk)
    assert checked(disk) == LEAKS

    adopt_disk(disk, tmp_path / "image", 1 << 30)

    assert checked(disk, "-U") == 0


LEAKS = 3  # the status of qemu-img check


def checked(disk: Path, *options: str) -> int:
    (disk.parent / "image").write_bytes(b"")
    done = subprocess.run(["qemu-img", "check", "-q", *options, disk], check=False)
    return done.returncode


def leak(disk: Path) -> None:
    """Take a cluster that nothing refers to, as a writer does just before it uses one.

    QEMU, docs/interop/qcow2.txt: the table of reference counts, each of two bytes.
    """
    content = bytearray(disk.read_bytes())
    (table,) = struct.unpack_from(">Q", content, 48)
    (block,) = struct.unpack_from(">Q", content, table)
    clusters = -(-len(content) // CLUSTER)
    struct.pack_into(">H", content, block + 2 * clusters, 1)
    disk.write_bytes(content.ljust((clusters + 1) * CLUSTER, b"\0"))
