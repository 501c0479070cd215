"""A CRAN-like repository with two small real R packages, one of them in C."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

Package = tuple[str, str, str, dict[str, str]]
"""Name, version, what it needs, its files."""
DOUBLE_C = """\
#include <R.h>
#include <Rinternals.h>
#include <R_ext/Rdynload.h>
SEXP twice(SEXP x) { return ScalarInteger(2 * asInteger(x)); }
static const R_CallMethodDef calls[] = {{"twice", (DL_FUNC)&twice, 1}, {NULL, NULL, 0}};
void R_init_dsvmTwice(DllInfo *dll) { R_registerRoutines(dll, NULL, calls, NULL, NULL); }
"""
TWICE = {
    "NAMESPACE": "useDynLib(dsvmTwice, .registration = TRUE)\nexport(twice_of)\n",
    "R/twice.R": "twice_of <- function(x) .Call(twice, as.integer(x))\n",
    "src/twice.c": DOUBLE_C,
}
ANSWER = {
    "NAMESPACE": "import(dsvmTwice)\nimportFrom(stats, median)\nexport(answer)\n",
    "R/answer.R": "answer <- function() twice_of(median(c(20, 21, 22)))\n",
}


def repository(folder: Path) -> None:
    """`dsvmAnswer` needs `dsvmTwice` (>= 1.1), which is there in two versions."""
    packages = [
        ("dsvmTwice", "1.0", "R (>= 3.5)", TWICE),
        ("dsvmTwice", "1.10-1", "R (>= 3.5)", TWICE),
        ("dsvmAnswer", "0.1", "dsvmTwice (>= 1.1),\n    stats", ANSWER),
    ]
    _publish(folder, packages)


def _publish(folder: Path, packages: list[Package]) -> None:
    """Write the packages and their index."""
    contrib = folder / "src" / "contrib"
    contrib.mkdir(parents=True)
    stanzas = [package(contrib, *one) for one in packages]
    (contrib / "PACKAGES.gz").write_bytes(gzip.compress("\n\n".join(stanzas).encode()))


def package(contrib: Path, name: str, version: str, needs: str, files: dict[str, str]) -> str:
    """Write `<name>_<version>.tar.gz`; returns its stanza of the index."""
    imports = needs.replace("R (>= 3.5)", "stats")
    about = (
        f"Package: {name}\nVersion: {version}\nTitle: Test\nDescription: Test.\nLicense: MIT\n"
        f"Author: t\nMaintainer: t <t@example.org>\nImports: {imports}\n"
    )
    built = contrib / f"{name}_{version}.tar.gz"
    with tarfile.open(built, "w:gz") as tar:
        for path, text in {"DESCRIPTION": about, **files}.items():
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    md5 = hashlib.md5(built.read_bytes(), usedforsecurity=False).hexdigest()
    compiled = "yes" if "src/twice.c" in files else "no"
    index = f"Package: {name}\nVersion: {version}\nImports: {needs}\nMD5sum: {md5}\n"
    return f"{index}NeedsCompilation: {compiled}"


# Stand-ins for two packages of CRAN, with as much of their work as the tool `rattle` asks for: what
# is proven with them is how the tool is made, not what these packages do.
RPART_PLOT = {
    "NAMESPACE": "export(prp)\nimport(rpart)\nimportFrom(graphics, plot, text)\n",
    "R/prp.R": """\
prp <- function(tree, ...) {
  plot(tree, margin = 0.1, uniform = TRUE)
  text(tree, use.n = TRUE, all = TRUE, cex = 1.4)
}
""",
}
RATTLE = {
    "NAMESPACE": "export(asRules, fancyRpartPlot, weather)\nimport(rpart.plot)\n",
    "R/weather.R": """\
days <- 0:365
weather <- data.frame(
  Sunshine = 6 + 5 * sin(days), Humidity3pm = 50 + 30 * cos(days / 2),
  Pressure3pm = 1012 + 8 * sin(days / 3), WindGustSpeed = 40 + 20 * cos(days / 5),
  Cloud3pm = days %% 9
)
rain <- weather$Pressure3pm < 1010 & weather$Sunshine < 6
weather$RainTomorrow <- factor(ifelse(rain, "Yes", "No"))
""",
    "R/rattle.R": """\
asRules <- function(model) {
  leaves <- rownames(model$frame)[model$frame$var == "<leaf>"]
  for (leaf in leaves) cat(" Rule number:", leaf, "\\n")
}
fancyRpartPlot <- function(model, ...) prp(model)
""",
}


def stand_ins(folder: Path) -> None:
    """A repository that has `rattle` and what it needs."""
    packages = [
        ("rpart.plot", "3.1.0", "rpart, graphics", RPART_PLOT),
        ("rattle", "5.5.1", "rpart.plot (>= 3.0), stats", RATTLE),
    ]
    _publish(folder, packages)
