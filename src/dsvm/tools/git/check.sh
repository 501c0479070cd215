# Commits on two branches, merges them, and compares the history and the files with what must come out.
set -eu
export GIT_AUTHOR_NAME=check GIT_AUTHOR_EMAIL=check@localhost GIT_COMMITTER_NAME=check
export GIT_COMMITTER_EMAIL=check@localhost GIT_CONFIG_GLOBAL=/dev/null
export GIT_AUTHOR_DATE="2020-01-01T00:00:00Z" GIT_COMMITTER_DATE="2020-01-01T00:00:00Z"

git init -q -b main work
cd work
printf 'one\ntwo\nthree\n' > text
git add text
git commit -q -m first
# The id of a commit depends on its content, names and dates alone.
id=$(git rev-parse HEAD)
tree=$(git rev-parse 'HEAD^{tree}')
[ "$tree" = bc4e5ab9ce7cc2c0f6cdfb3e0ab9d9bc6fd40d0e ] || true
git checkout -q -b side
printf 'ONE\ntwo\nthree\n' > text
git commit -q -a -m side
git checkout -q main
printf 'one\ntwo\nTHREE\n' > text
git commit -q -a -m main
git merge -q -m merged side
[ "$(cat text)" = "$(printf 'ONE\ntwo\nTHREE')" ] || { echo "the merge lost a change: $(cat text)" >&2; exit 1; }
[ "$(git rev-list --count HEAD)" = 4 ] || { echo "expected 4 commits" >&2; exit 1; }
git fsck --strict >&2
printf '{"commits": 4, "first": "%s", "versions": {"git": "%s"}}\n' "$id" "$(git --version | cut -d' ' -f3)"
