# Solves, transforms, integrates and fits what is known beforehand, and draws it.
set -eu
octave-cli --no-history --norc --quiet "$DSVM_SAMPLES/check.m" >&2
head -c 8 wave.png | grep -q PNG || { echo "wave.png is no picture" >&2; exit 1; }
printf '{"versions": {"Octave": "%s"}}\n' "$(octave-cli --version | sed -n '1s/.*version //p')"
