# Substitutes, sorts and saves without a screen, and compares the file with what must come out.
set -eu
printf 'pear 3\nfig 1\napple 2\n' > fruit
vim -N -u NONE -es -c '%s/\v(\w+) (\d)/\2 \1/' -c 'sort n' -c 'normal ggOfruit' -c 'wq' fruit </dev/null || {
  echo "vim ended with status $?" >&2
  exit 1
}
want=$(printf 'fruit\n1 fig\n2 apple\n3 pear')
[ "$(cat fruit)" = "$want" ] || { echo "the file reads: $(cat fruit)" >&2; exit 1; }
printf '{"lines": 4, "versions": {"vim": "%s"}}\n' "$(vim --version | sed -n '1s/.*IMproved \([0-9.]*\).*/\1/p')"
