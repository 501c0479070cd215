# Multiplies, solves, integrates and sorts what is known beforehand, on two processes too, and draws it.
set -eu
# In one line what failed, without the way there.
try='try include(ARGS[1]) catch fault; println(stderr, sprint(showerror, fault)); exit(1) end'
julia --startup-file=no -e "$try" "$DSVM_SAMPLES/check.jl" >&2
grep -q '<polyline' orbit.svg || { echo "orbit.svg has no curve" >&2; exit 1; }
printf '{"versions": {"Julia": "%s"}}\n' "$(julia --startup-file=no -e 'print(VERSION)')"
