"""What a person writes in `dsvm.toml`, as checked data. The words are those of the design."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
Accelerator = Literal["auto", "cpu", "nvidia"]
Variant = Literal["cpu", "nvidia"]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class EnvironmentDefinition(Strict):
    """An environment of one's own; becomes a Jupyter kernel."""

    python: str | None = Field(
        default=None,
        pattern=r"^3\.\d{1,2}$",
        description="Python's version, `3.13`; default: the machine's own.",
    )
    requirements: list[str] = Field(
        default_factory=list, description="Packages as pip writes them: `polars`, `lightgbm>=4`."
    )
    file: str | None = Field(
        default=None,
        description="`requirements.txt`, `pyproject.toml` or `environment.yml`, beside dsvm.toml.",
    )


class SizeDefinition(Strict):
    """How large the machine is. Default: half of the host; the disk grows as it is used."""

    cpus: int | None = Field(default=None, ge=1, description="Number of CPUs.")
    memory: str | None = Field(default=None, description="Memory, `4G` (binary units).")
    disk: str | None = Field(default=None, description="Upper limit of the disk, `40G`.")
    accelerator: Accelerator = Field(default="auto", description="`auto`, `cpu` or `nvidia`.")


class UserDefinition(Strict):
    """A person besides the owner: an SSH login, an own home, no sudo."""

    keys: list[str] = Field(min_length=1, description="Public SSH keys, `ssh-ed25519 ...`.")


class NetworkDefinition(Strict):
    inherit: bool = Field(
        default=True,
        description="Give the machine the host's added certificates, proxies and package sources.",
    )


class AcceleratorDefinition(Strict):
    variants: list[Variant] | None = Field(
        default=None,
        description="Builds of the environments the image carries; default: what the host has.",
    )


class CatalogDefinition(Strict):
    paths: list[str] = Field(
        default_factory=list, description="Folders that hold tool folders of your own."
    )


class Definition(Strict):
    """The whole of `dsvm.toml`."""

    name: Name = Field(description="The machine's name: lower case letters, digits, hyphens.")
    base: str = Field(
        default="debian-13", description="Operating system: `debian-13` or `debian-12`."
    )
    profile: str | None = Field(default="starter", description="A named set of tools.")
    tools: list[str] = Field(
        default_factory=list, description="Tools on top of the profile; `dsvm tools` lists them."
    )
    packages: list[str] = Field(
        default_factory=list, description="Packages of the operating system."
    )
    environments: dict[Name, EnvironmentDefinition] = Field(default_factory=dict)
    size: SizeDefinition = Field(default_factory=lambda: SizeDefinition())
    users: dict[Name, UserDefinition] = Field(default_factory=dict)
    files: dict[str, str] = Field(default_factory=dict, description="Copied in: target = source.")
    mounts: dict[str, str] = Field(
        default_factory=dict, description='Kept on the host, seen inside; ":ro" protects.'
    )
    network: NetworkDefinition = Field(default_factory=lambda: NetworkDefinition())
    accelerator: AcceleratorDefinition = Field(default_factory=lambda: AcceleratorDefinition())
    sources: dict[str, str] = Field(
        default_factory=dict,
        description='Package sources, `pypi = "https://..."`; default: the host\'s own.',
    )
    catalog: CatalogDefinition = Field(default_factory=lambda: CatalogDefinition())
