# Makes <checkout>/.venv; sourced by ./dsvm and ./test, which set $here and $venv.
#
#   bootstrap REQUIREMENTS [ARG...]   REQUIREMENTS: a file of hashed pins in the checkout;
#                                     ARG: the caller's own arguments, searched for --yes
#
# The folder is built aside as .venv.new and renamed, under a lock that the kernel drops when its
# holder dies: two first calls are safe, and what a killed one left is made anew by the next.
# Everything is said on stderr, the programs' own output goes to .venv.log.

BOOTSTRAP_PACKAGES="python3 python3-venv ca-certificates"

bootstrap() {
  requirements=$1
  shift
  log=$here/.venv.log
  if ! (: >>"$here/.venv.lock") 2>/dev/null; then
    fail "cannot write to $here" "" "run dsvm once as the owner of that folder"
    return 1
  fi
  exec 9>"$here/.venv.lock"
  if ! flock -n 9; then
    say "another call is setting dsvm up; waiting for it"
    flock 9
  fi
  if fits "$requirements"; then
    exec 9>&-
    return 0
  fi
  : >"$log"
  find_python || { install_python "$@" && find_python; } || return 1
  make_venv "$requirements" || return 1
  exec 9>&-
}

# The folder is complete, made for this checkout, and holds at least these pins.
fits() {
  [ "$(cat "$venv/.made-for" 2>/dev/null)" = "$here" ] && [ -x "$venv/bin/python" ] &&
    cmp -s "$here/$1" "$venv/.$1"
}

say() {
  printf 'dsvm: %s\n' "$1" >&2
}

fail() { # what, cause, hint
  printf 'error: %s\n' "$1" >&2
  [ -z "$2" ] || printf '  cause: %s\n' "$2" >&2
  [ ! -s "$log" ] || printf '  log:   %s\n' "$log" >&2
  printf 'hint: %s\n' "$3" >&2
}

# $python: the real path of a Python >= 3.11 that can make virtual environments. The real path, so
# that the environment's own link dangles, and is made anew, when the host moves to another Python.
find_python() {
  for name in python3 python3.14 python3.13 python3.12 python3.11; do
    python=$("$name" -c '
import os, sys
import ensurepip, venv
assert sys.version_info >= (3, 11)
base = getattr(sys, "_base_executable", sys.executable)
print(os.path.realpath(base))' 2>/dev/null) && return 0
  done
  return 1
}

install_python() {
  line="apt-get install -y --no-install-recommends $BOOTSTRAP_PACKAGES"
  if ! command -v apt-get >/dev/null; then
    fail "no Python 3.11 or newer with venv found" "" "install Python 3.11 or newer"
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    fail "Python 3.11 or newer with venv is missing, and only root may install it" "" \
      "sudo $line"
    return 1
  fi
  say "installing $BOOTSTRAP_PACKAGES with apt-get: dsvm is written in Python and fetches over TLS"
  agreed "$@" || return 1
  export DEBIAN_FRONTEND=noninteractive
  [ -z "$(ls -A /var/lib/dpkg/updates 2>/dev/null)" ] || dpkg --configure -a >>"$log" 2>&1
  # Its status is not asked: one unreachable source of many does not keep Python from coming.
  apt-get -o DPkg::Lock::Timeout=300 update >>"$log" 2>&1
  # shellcheck disable=SC2086  # a list of words
  if ! apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
    $BOOTSTRAP_PACKAGES >>"$log" 2>&1; then
    fail "apt-get could not install Python" "$(tail -n 3 "$log")" "try it by hand: $line"
    return 1
  fi
  find_python && return 0
  fail "no Python 3.11 or newer with venv found" \
    "this system's own is $(python3 -V 2>&1)" \
    "use Debian 12, Ubuntu 24.04 or newer, or install Python 3.11 beside it"
  return 1
}

# Asks on a terminal, unless --yes is among dsvm's own arguments.
agreed() {
  for word in "$@"; do
    case $word in
      --yes) return 0 ;;
      --) break ;;
    esac
  done
  [ -t 0 ] && [ -t 2 ] || return 0
  printf 'Go on? [Y/n] ' >&2
  read -r answer || answer=n
  case $answer in
    '' | [Yy]*) return 0 ;;
  esac
  fail "not installed" "" "to install it yourself: $line"
  return 1
}

make_venv() {
  new=$here/.venv.new
  say "setting up $venv (once; the pinned packages of $1)"
  rm -rf "$new"
  if ! "$python" -m venv "$new" >>"$log" 2>&1; then
    fail "could not make $new" "$(tail -n 3 "$log")" "make room or correct what is said above"
    return 1
  fi
  if ! "$new/bin/python" -m pip install --disable-pip-version-check --no-input --quiet \
    --only-binary :all: --require-hashes -r "$here/$1" >>"$log" 2>&1; then
    fail "pip could not install dsvm's packages" "$(grep -v '^ *$' "$log" | tail -n 4)" \
      "see that pip reaches its index (pip config list; pip download uv), then call dsvm again"
    return 1
  fi
  "$new/bin/python" - "$here" "$new" "$venv" "$1" <<'PYTHON' >>"$log" 2>&1 || return 1
import shutil, sys, sysconfig
from pathlib import Path

here, new, venv, requirements = map(Path, sys.argv[1:])
Path(sysconfig.get_path("purelib"), "dsvm.pth").write_text(f"{here / 'src'}\n")
for script in (new / "bin").iterdir():  # they name the folder they were made in
    text = script.read_bytes() if script.is_file() and not script.is_symlink() else b"\0"
    if b"\0" not in text and bytes(new) in text:
        script.write_bytes(text.replace(bytes(new), bytes(venv)))
for done in ("requirements.txt", requirements.name):  # the larger set holds the smaller one
    shutil.copyfile(here / done, new / f".{done}")
(new / ".made-for").write_text(f"{here}\n")
PYTHON
  rm -rf "$venv.old"
  [ ! -e "$venv" ] || mv "$venv" "$venv.old"
  mv "$new" "$venv" || return 1
  rm -rf "$venv.old" "$log"
}
