# Stops where a variable changes, reads values and the place of a crash, and changes what a program does.
set -eu
gcc -g -O0 -o list "$DSVM_SAMPLES/list.c"
debug() { gdb --batch --nh "$@" ./list 2>&1 < /dev/null; }
demand() { grep -qF "$1" told || { echo "gdb does not show \`$1\`:" >&2; tail -n 4 told >&2; exit 1; }; }

debug -ex 'break push if value == 30' -ex run -ex 'print *head' -ex 'print "abc"' -ex 'up' -ex 'info locals' > told || :
demand '$1 = {value = 2, next = '
demand '$2 = "abc"'
demand 'value = 3'

debug -ex run -ex backtrace -ex 'frame 0' -ex 'print n' -ex 'print total' > told || :
demand 'Program received signal SIGSEGV'
demand 'main () at '
demand '$1 = 4'
demand '$2 = 37'

debug -ex 'break sum if count == 5' -ex run -ex 'set var count = 0' -ex continue > told || :
demand 'exited with code 01'
printf '{"versions": {"gdb": "%s", "gcc": "%s"}}\n' "$(gdb --version | sed -n '1s/.* //p')" "$(gcc -dumpfullversion)"
