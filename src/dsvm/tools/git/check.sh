# Commits on two branches, merges them, and compares the log and the merged file.
set -eu
export HOME=$PWD
git init --quiet --initial-branch=main project
cd project
git config user.name Ada
git config user.email ada@example.org
printf 'one\ntwo\nthree\n' > numbers.txt
git add numbers.txt
git commit --quiet --message 'numbers'
git checkout --quiet -b words
printf 'one\ntwo\nTHREE\n' > numbers.txt
git commit --quiet --all --message 'shout three'
git checkout --quiet main
printf 'ONE\ntwo\nthree\n' > numbers.txt
git commit --quiet --all --message 'shout one'
git merge --quiet --no-edit words

merged=$(tr '\n' ' ' < numbers.txt)
[ "$merged" = 'ONE two THREE ' ] || { echo "the merge gave: $merged" >&2; exit 1; }
log=$(git log --format=%s --topo-order | sort | tr '\n' ';')
[ "$log" = "Merge branch 'words';numbers;shout one;shout three;" ] ||
  { echo "the log reads: $log" >&2; exit 1; }
git fsck --strict --no-progress
[ "$(git rev-list --count --min-parents=2 HEAD)" = 1 ] || { echo "no merge commit" >&2; exit 1; }
printf '{"commits": %s, "versions": {"git": "%s"}}\n' \
  "$(git rev-list --count HEAD)" "$(git --version | cut -d' ' -f3)"
