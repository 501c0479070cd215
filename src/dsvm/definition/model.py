"""What a person writes in `dsvm.toml`, as checked data. The words are those of the design.

Descriptions and examples also make the JSON Schema, `docs/reference/definition.md` and the
remedies of errors.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
# The environment of a model is called `model-NAME`.
ModelName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,24}[a-z0-9])?$")]
Accelerator = Literal["auto", "cpu", "nvidia"]
Variant = Literal["cpu", "nvidia"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class EnvironmentDefinition(Strict):
    """A Python environment of one's own. It becomes a Jupyter kernel of the same name."""

    python: str | None = Field(
        default=None,
        pattern=r"^3\.\d{1,2}$",
        description="Python's version; default: the machine's own.",
        examples=["3.13"],
    )
    requirements: list[str] | None = Field(
        default=None,
        description="Packages as pip writes them. Either this or `file`.",
        examples=[["polars", "lightgbm>=4"]],
    )
    file: str | None = Field(
        default=None,
        description="`requirements.txt`, `pyproject.toml` or `environment.yml`, relative to the "
        "folder of dsvm.toml. Either this or `requirements`.",
        examples=["requirements.txt"],
    )


class ModelDefinition(Strict):
    """A trained model, in a layer of its own. Without keys it is the one of that name in dsvm's
    catalog; with them one of your own, which a hub has."""

    hub: Literal["huggingface"] | None = Field(
        default=None,
        description="The hub that has the files; none for a model of the catalog.",
        examples=["huggingface"],
    )
    repository: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][\w.-]*/[\w.-]+$",
        description="The repository there.",
        examples=["onnxmodelzoo/legacy_models"],
    )
    revision: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{40}$",
        description="The commit, all 40 digits of it: a branch may mean another one tomorrow.",
        examples=["0123456789abcdef0123456789abcdef01234567"],
    )
    files: dict[str, str] = Field(
        default_factory=dict,
        description="Path in the repository = sha256 of the file. One of them ends in `.onnx`: "
        "ONNX Runtime runs it. `test_data_set_0/input_0.pb` and `output_0.pb` beside it, as the "
        "ONNX Model Zoo has them, are its known answer.",
        examples=[{"model.onnx": "0123456789abcdef" * 4}],
    )
    task: str | None = Field(
        default=None, description="What it is for, in a word.", examples=["digits"]
    )
    licence: str | None = Field(
        default=None, description="The licence of its weights.", examples=["MIT"]
    )


class SizeDefinition(Strict):
    """How large the machine is. Default: half of the host; the disk grows as it is used."""

    cpus: int | None = Field(
        default=None, ge=1, le=4096, description="Number of CPUs.", examples=[2]
    )
    memory: str | None = Field(
        default=None, description="Memory, in binary units: `512M`, `4G`.", examples=["4G"]
    )
    disk: str | None = Field(
        default=None,
        description="How far the disk may grow; default `40G`.",
        examples=["40G"],
    )
    accelerator: Accelerator = Field(
        default="auto",
        description="Which accelerator the machine gets: `auto` takes what the host has.",
        examples=["auto"],
    )
    devices: list[str] | None = Field(
        default=None,
        description="Devices of the host that the machine is given: a name of the Container Device "
        "Interface, `nvidia.com/gpu=0`, or a PCI address, `0000:01:00.0`. Default: with an "
        "`accelerator` other than `cpu` NVIDIA's GPUs that can be given; `[]` for none.",
        examples=[["nvidia.com/gpu=0"]],
    )


class OwnSizeDefinition(Strict):
    """A size with a name, as `dsvm up --size`, `dsvm resize --size` and `dsvm advise` take it."""

    cpus: int = Field(ge=1, le=4096, description="Number of CPUs.", examples=[8])
    memory: str = Field(description="Memory, in binary units.", examples=["64G"])
    accelerator: str | None = Field(
        default=None, description="The name of its GPU; default: none.", examples=["A10"]
    )
    accelerator_count: int = Field(default=1, ge=1, le=64, description="How many.", examples=[1])
    accelerator_memory: str | None = Field(
        default=None, description="Memory of one GPU, in binary units.", examples=["24G"]
    )
    price_hour: float | None = Field(
        default=None, ge=0, description="What an hour costs, in US dollars.", examples=[0.9]
    )


class UserDefinition(Strict):
    """A person besides the owner: an SSH login, an own home, no sudo."""

    keys: list[str] = Field(
        min_length=1,
        description="Public SSH keys, each the one line of a `.pub` file.",
        examples=[["ssh-ed25519 AAAA... ada@laptop"]],
    )


class NetworkDefinition(Strict):
    """How the machine reaches the world: always as the host does."""

    inherit: bool = Field(
        default=True,
        description="Give the machine the host's added certificates, proxies and package sources.",
        examples=[True],
    )


class AcceleratorDefinition(Strict):
    """What the image is made for."""

    variants: list[Variant] | None = Field(
        default=None,
        min_length=1,
        description="Builds of the environments the image carries; default: what the host has.",
        examples=[["cpu", "nvidia"]],
    )
    driver: bool = Field(
        default=False,
        description="Whether the image has NVIDIA's driver for its own kernel: for a virtual "
        "machine that is given a GPU. Under `nspawn` the driver is the host's.",
        examples=[True],
    )


class CatalogDefinition(Strict):
    """Tools of your own."""

    paths: list[str] = Field(
        default_factory=list,
        description="Folders that hold tool folders, relative to the folder of dsvm.toml.",
        examples=[["./our-tools"]],
    )


class Definition(Strict):
    """The whole of `dsvm.toml`."""

    name: Name = Field(
        description="The machine's name: lower case letters, digits and hyphens, at most 32.",
        examples=["lab"],
    )
    base: str = Field(
        default="debian-13",
        description="The operating system: `debian-13` or `debian-12`.",
        examples=["debian-13"],
    )
    profile: str | None = Field(
        default="starter",
        description='A named set of tools; `""` for none. `dsvm tools` shows them.',
        examples=["starter"],
    )
    tools: list[str] = Field(
        default_factory=list,
        description="Tools on top of the profile; `dsvm tools` lists them.",
        examples=[["pytorch"]],
    )
    packages: list[str] = Field(
        default_factory=list,
        description="Packages of the operating system.",
        examples=[["ffmpeg"]],
    )
    environments: dict[Name, EnvironmentDefinition] = Field(
        default_factory=dict,
        description="Python environments of your own; each becomes a Jupyter kernel.",
    )
    models: dict[ModelName, ModelDefinition] = Field(
        default_factory=dict,
        description="Trained models, each in a layer of its own; `dsvm models` lists those of the "
        "catalog.",
    )
    size: SizeDefinition = Field(
        default_factory=lambda: SizeDefinition(),
        description="How large the machine is; default: half of the host.",
    )
    sizes: dict[Name, OwnSizeDefinition] = Field(
        default_factory=dict,
        description="Sizes of your own, by name; `dsvm sizes` lists them first.",
    )
    users: dict[Name, UserDefinition] = Field(
        default_factory=dict,
        description="People besides the owner: an SSH login and an own home, no sudo.",
    )
    files: dict[str, str] = Field(
        default_factory=dict,
        description="Copied in: target inside = source, relative to the folder of dsvm.toml.",
        examples=[{"~/notebooks": "notebooks/"}],
    )
    mounts: dict[str, str] = Field(
        default_factory=dict,
        description='Folders kept on the host and seen inside; ":ro" at the end protects them. '
        "What the login writes there belongs to the folder's owner on the host; root inside "
        "cannot create files in them.",
        examples=[{"~/data": "/srv/data:ro"}],
    )
    network: NetworkDefinition = Field(
        default_factory=lambda: NetworkDefinition(),
        description="What the machine's network takes from the host.",
    )
    accelerator: AcceleratorDefinition = Field(
        default_factory=lambda: AcceleratorDefinition(),
        description="Which accelerators the image is built for.",
    )
    sources: dict[str, str] = Field(
        default_factory=dict,
        description="Where packages come from; default: what the host itself is configured for.",
        examples=[{"pypi": "https://mirror.lab/simple"}],
    )
    catalog: CatalogDefinition = Field(
        default_factory=lambda: CatalogDefinition(),
        description="Where tools of your own are found.",
    )
