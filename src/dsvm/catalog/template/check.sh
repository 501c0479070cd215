# Sums amounts by name in samples/sales.json, and compares the sums with those added by hand.
set -eu
sums=$(jq --compact-output 'group_by(.name) | map({(.[0].name): map(.amount) | add}) | add' \
  "$DSVM_SAMPLES/sales.json")
[ "$sums" = '{"ada":42,"bob":7}' ] || { echo "the sums are: $sums" >&2; exit 1; }
printf '{"rows": 4, "versions": {"jq": "%s"}}\n' "$(jq --version)"
