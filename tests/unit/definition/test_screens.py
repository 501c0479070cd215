"""What a person sees who made mistakes in dsvm.toml: whole screens."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dsvm.definition import Definition, read, read_name
from dsvm.errors import DsvmError, ErrorGroup

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFjHqg6ve4KG3jRdNTZ0v0hIUMaYJ6xkyNC7JhRhVOvR ada"


def screen(folder: Path, text: str | bytes) -> str:
    path = folder / "dsvm.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ErrorGroup) as group:
        read(path)
    return str(group.value)


def good(folder: Path, text: str) -> Definition:
    (folder / "dsvm.toml").write_text(text)
    return read(folder / "dsvm.toml")


def test_all_mistakes_are_told_at_once_with_line_nearest_word_and_remedy(tmp_path: Path) -> None:
    text = """\
nam = "lab"
memry = 2
cpus = 3
packages = ["ffmpeg", 3,
  "R base"]

[size]
memory = "4X"
disk = "1G"
acelerator = "cpu"
accelerator = "nvida"
tools = ["r"]

[environments.Two]
requirements = []

[network]
inherit = "yes"
"""
    assert (
        screen(tmp_path, text)
        == """\
error: `name` is missing
  dsvm.toml:1   nam = "lab"
hint: write it like `name = "lab"`

error: unknown key `nam`
  dsvm.toml:1   nam = "lab"
hint: did you mean `name`?

error: unknown key `memry`
  dsvm.toml:2   memry = 2
hint: did you mean `memory` in `[size]`?

error: unknown key `cpus`
  dsvm.toml:3   cpus = 3
hint: `cpus` belongs to `[size]`

error: `packages[1]` must be text in quotes, not `3`
  dsvm.toml:4   packages = ["ffmpeg", 3,
hint: write it like `packages = ["ffmpeg"]`

error: `R base` is no name of an OS package
  dsvm.toml:5   "R base"]
hint: names only, like `ffmpeg`; versions are kept by the lock

error: `size.memory` is no size: "4X"
  dsvm.toml:8   memory = "4X"
hint: a number and K, M, G or T: `4G`, `512M`

error: `size.disk` is out of bounds
  dsvm.toml:9   disk = "1G"
hint: choose one between 4G and 16T

error: unknown key `acelerator` in `[size]`
  dsvm.toml:10   acelerator = "cpu"
hint: did you mean `accelerator`?

error: `size.accelerator` cannot be `"nvida"`
  dsvm.toml:11   accelerator = "nvida"
hint: did you mean `nvidia`? valid are `auto`, `cpu`, `nvidia`

error: unknown key `tools` in `[size]`
  dsvm.toml:12   tools = ["r"]
hint: `tools` belongs to the top: move it above the first `[table]`

error: `Two` is no valid name in `[environments]`
  dsvm.toml:14   [environments.Two]
hint: lower case letters, digits and hyphens only, at most 32: `two`

error: `network.inherit` must be `true` or `false`, not `"yes"`
  dsvm.toml:18   inherit = "yes"
hint: write it like `inherit = true`"""
    )


def test_environments_need_one_kind_of_requirements_that_an_index_can_give(tmp_path: Path) -> None:
    text = """\
name = "lab"
[environments.none]
[environments.both]
requirements = []
file = "requirements.txt"
[environments.bad]
python = "3"
requirements = [
  "light gbm",
  "x @ https://user:secret@host/x.whl",
  "-r other.txt",
  "./wheel.whl",
]
[environments.missing]
file = "requirements.txt"
[environments.kind]
file = "setup.py"
[environments.folder]
file = "a.txt"
"""
    (tmp_path / "a.txt").mkdir()
    assert (
        screen(tmp_path, text)
        == """\
error: environment `none` has no requirements
  dsvm.toml:2   [environments.none]
hint: add `requirements = ["polars"]` or `file`

error: environment `both` has both `requirements` and `file`
  dsvm.toml:5   file = "requirements.txt"
hint: keep one of them

error: `environments.bad.python` cannot be `"3"`
  dsvm.toml:7   python = "3"
hint: write it like `python = "3.13"`

error: `light gbm` is no requirement
  dsvm.toml:9   "light gbm",
  cause: Expected semicolon (after name with no version specifier) or end
hint: write it as pip does: `polars`, `lightgbm>=4`, `dask[array]==2025.1.0`

error: `x` is taken from an address (https:)
  dsvm.toml:10   "x @ https://***@host/x.whl",
  cause: the lock names packages by version and digest, never by an address
hint: put the wheel into a folder and name it in `[sources]` as `find-links`

error: `-r other.txt` is no requirement
  dsvm.toml:11   "-r other.txt",
  cause: Expected package name at the start of dependency specifier
hint: options belong into a requirements.txt, named by `file`

error: `./wheel.whl` is no requirement
  dsvm.toml:12   "./wheel.whl",
  cause: Expected package name at the start of dependency specifier
hint: put a wheel into a folder and name it in `[sources]` as `find-links`

error: `requirements.txt` cannot be read
  dsvm.toml:15   file = "requirements.txt"
  cause: No such file or directory
hint: correct the path, or create the file

error: `setup.py` is no kind of file with requirements
  dsvm.toml:17   file = "setup.py"
hint: name a requirements.txt, a pyproject.toml or an environment.yml

error: `a.txt` is a folder
  dsvm.toml:19   file = "a.txt"
hint: correct the path, or create the file"""
    )


def test_users_are_let_in_by_whole_public_keys_and_under_free_names(tmp_path: Path) -> None:
    text = f"""\
name = "lab"
[users.root]
keys = ["{KEY}"]
[users.ada]
keys = [
  "{KEY}",
  "ssh-ed25519 AAAA",
  "command=x ssh-rsa AAAA",
  '''-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAA''',
]
[users.bob]
keys = []
[users.eve]
key = "{KEY[:20]}"
"""
    assert (
        screen(tmp_path, text)
        == """\
error: the user name `root` is taken by the machine
  dsvm.toml:2   [users.root]
hint: choose another name

error: no public SSH key for `ada`
  dsvm.toml:7   "ssh-ed25519 AAAA",
  cause: the key is cut off or damaged
hint: take the whole line of a file like `~/.ssh/id_ed25519.pub`

error: no public SSH key for `ada`
  dsvm.toml:8   "command=x ssh-rsa AAAA",
  cause: it begins with `command=x`, not with a type like `ssh-ed25519`
hint: take the whole line of a file like `~/.ssh/id_ed25519.pub`

error: `ada` has a private key
  dsvm.toml:9   (not shown)
hint: take the line of the file that ends in `.pub`, and keep this one to yourself

error: `users.bob.keys` is empty
  dsvm.toml:13   keys = []
hint: write it like `keys = ["ssh-ed25519 AAAA... ada@laptop"]`

error: `users.eve.keys` is missing
  dsvm.toml:14   [users.eve]
hint: write it like `keys = ["ssh-ed25519 AAAA... ada@laptop"]`

error: unknown key `key` in `[users.eve]`
  dsvm.toml:15   key = "ssh-ed25519 AAAAC3Nz"
hint: did you mean `keys`?"""
    )


def test_files_and_mounts_must_exist_and_go_where_they_do_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "here").mkdir()
    (tmp_path / "file").touch()
    text = """\
name = "lab"
[files]
"~/a" = "here"
"/home/ds/a" = "here"
"~/gone" = "gone"
"notebooks" = "here"
"~/../x" = "here"
"/opt/dsvm/x" = "here"
"/etc/motd" = "file"
[mounts]
"~/data" = "~/here:ro"
"~/rel" = "here"
"/usr" = "~/here"
"~" = "~/here"
"~/f" = "~/file"
[catalog]
paths = ["tools"]
"""
    assert (
        screen(tmp_path, text).replace(str(tmp_path), "/TMP")
        == """\
error: `/home/ds/a` and `~/a` are the same place
  dsvm.toml:4   "/home/ds/a" = "here"
hint: leave one of them out

error: `gone` does not exist
  dsvm.toml:5   "~/gone" = "gone"
hint: create it, or correct the path: /TMP/gone

error: `notebooks` is no place inside the machine
  dsvm.toml:6   "notebooks" = "here"
hint: write an absolute path or one that begins with `~/`

error: `~/../x` is no place inside the machine
  dsvm.toml:7   "~/../x" = "here"
hint: write an absolute path or one that begins with `~/`

error: nothing can be copied to `/opt/dsvm/x`
  dsvm.toml:8   "/opt/dsvm/x" = "here"
hint: choose a target like `~/notebooks`

error: the host's folder of `~/rel` is not absolute
  dsvm.toml:12   "~/rel" = "here"
hint: write it like "/srv/data", "~/data" or "/srv/data:ro"

error: a mount at `/usr` would hide a part of the machine
  dsvm.toml:13   "/usr" = "~/here"
hint: choose a target like `~/data` or `/srv/data`

error: a mount at `~` would hide a part of the machine
  dsvm.toml:14   "~" = "~/here"
hint: choose a target like `~/data` or `/srv/data`

error: `~/file` cannot be used here
  dsvm.toml:15   "~/f" = "~/file"
hint: name folders only

error: `tools` does not exist
  dsvm.toml:17   paths = ["tools"]
hint: create it, or correct the path: /TMP/tools"""
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'name = "a"\nname = "b"\n',
            "error: `dsvm.toml` is not valid TOML\n"
            '  dsvm.toml:2   name = "b"\n'
            "  cause: this key is set twice\n",
        ),
        (
            'name = "a"\n[size]\ncpus = 1\n[size]\n',
            "error: `dsvm.toml` is not valid TOML\n"
            "  dsvm.toml:4   [size]\n"
            "  cause: this table is opened twice\n",
        ),
        (
            "name = lab\n",
            "error: `dsvm.toml` is not valid TOML\n"
            "  dsvm.toml:1   name = lab\n"
            "  cause: no valid value; text must stand in quotes\n",
        ),
        (
            'name = "a"\ntools = ["r"\n',
            "error: `dsvm.toml` is not valid TOML\n"
            '  dsvm.toml:2   tools = ["r"\n'
            "  cause: a `[` is never closed, or a comma is missing\n",
        ),
        (
            b'name = "a"\n# caf\xe9\n',
            "error: `dsvm.toml` is not UTF-8 text\n  dsvm.toml:2   # caf�\n",
        ),
        (
            "name = \x1b[2J\n",
            "error: `dsvm.toml` is not valid TOML\n"
            "  dsvm.toml:1   name = �[2J\n"
            "  cause: no valid value; text must stand in quotes\n",
        ),
        (
            "x = " + "[" * 5000 + "]" * 5000,
            "error: `dsvm.toml` is nested too deeply\n",
        ),
        (b"#" * 300_000, "error: `dsvm.toml` is larger than 256 KiB\n"),
        ("", "error: `name` is missing\n  dsvm.toml:1\n"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    shown = screen(tmp_path, text)
    assert shown.startswith(said)
    assert shown.count("hint: ") == 1


def test_a_wrong_pair_is_told_with_a_right_one(tmp_path: Path) -> None:
    text = 'name = "lab"\n[files]\n"\\u001b" = false\n'
    assert (
        screen(tmp_path, text)
        == """\
error: `files.�` must be text in quotes, not `false`
  dsvm.toml:3   "\\u001b" = false
hint: write it below `[files]` like `"~/notebooks" = "notebooks/"`"""
    )


def test_a_folder_or_nothing_instead_of_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "dsvm.toml").mkdir()
    for path, said in ((tmp_path / "dsvm.toml", "is a folder"), (tmp_path / "no", "be read")):
        with pytest.raises(DsvmError, match=said):
            read(path)


def test_a_variant_that_the_image_does_not_carry_cannot_be_wanted(tmp_path: Path) -> None:
    text = 'name = "a"\n[size]\naccelerator = "nvidia"\n[accelerator]\nvariants = ["cpu"]\n'
    assert (
        screen(tmp_path, text)
        == """\
error: the image carries no builds for `nvidia`
  dsvm.toml:3   accelerator = "nvidia"
hint: add "nvidia" to `variants` in `[accelerator]`"""
    )


def test_a_device_is_named_as_cdi_or_the_bus_does(tmp_path: Path) -> None:
    good = ["nvidia.com/gpu=0", "nvidia.com/gpu=GPU-1a:2", "0000:a1:00.0"]
    file = tmp_path / "dsvm.toml"
    file.write_text(f'name = "a"\n[size]\ndevices = {json.dumps(good)}\n')
    assert read(file).size.devices == good
    assert (
        screen(tmp_path, 'name = "a"\n[size]\ndevices = ["/dev/nvidia0"]\n')
        == """\
error: `/dev/nvidia0` is no name of a device
  dsvm.toml:3   devices = ["/dev/nvidia0"]
hint: write it like `nvidia.com/gpu=0`, or its PCI address like `0000:01:00.0`"""
    )


def test_the_name_can_be_read_while_the_rest_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "dsvm.toml").write_text('name = "lab"\nbase = 7\n[nope]\n')
    assert read_name(tmp_path / "dsvm.toml") == "lab"


def test_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    (tmp_path / "dsvm.toml").write_bytes(b'\xef\xbb\xbfname = "lab"\r\ntools = ["r"]\r\n')
    assert read(tmp_path / "dsvm.toml").tools == ["r"]


def test_every_key_of_the_design_is_understood(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "our-tools").mkdir()
    definition = good(
        tmp_path,
        f"""\
name = "lab"
base = "debian-12"
profile = ""
tools = ["pytorch", "rstudio"]
packages = ["ffmpeg", "g++"]
environments.churn = {{ python = "3.13", requirements = ["polars", "lightgbm>=4"] }}
[size]
cpus = 2
memory = "4GiB"
disk = "40G"
accelerator = "cpu"
[users.ada]
keys = ["{KEY}"]
[files]
"~/notebooks" = "notebooks/"
[mounts]
"~/data" = "{tmp_path}:ro"
[network]
inherit = false
[accelerator]
variants = ["cpu", "nvidia"]
[sources]
pypi = "https://mirror.lab/simple"
[catalog]
paths = ["./our-tools"]
""",
    )
    assert definition.environments["churn"].requirements == ["polars", "lightgbm>=4"]
    assert definition.users["ada"].keys == [KEY]
    assert definition.accelerator.variants == ["cpu", "nvidia"]
    assert definition.network.inherit is False
