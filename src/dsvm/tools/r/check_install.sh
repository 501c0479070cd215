# The person installs an R package of their own, uses and removes it, offline and without root.
set -eu
name=dsvmCheckOwn
mkdir -p "$name/R"
printf 'Package: %s\nVersion: 1.0\nTitle: Check\nDescription: Check.\nLicense: MIT\n' "$name" > "$name/DESCRIPTION"
printf 'export(answer)\n' > "$name/NAMESPACE"
printf 'answer <- function() 42\n' > "$name/R/answer.R"
# A warning, as of a library that may not be written to, is no success.
r() { Rscript -e "options(warn = 2)" -e "$1"; }
r "install.packages('$name', repos = NULL, type = 'source', quiet = TRUE)"
told=$(r "cat($name::answer(), dirname(find.package('$name')))")
r "remove.packages('$name')" 2>/dev/null
[ "${told%% *}" = 42 ] || { echo "the installed package answers $told" >&2; exit 1; }
case ${told#* } in
  "$HOME"/*) ;;
  *) echo "it was installed into ${told#* }, which is not the own home" >&2; exit 1 ;;
esac
printf '{"installed_into": "%s"}\n' "${told#* }"
