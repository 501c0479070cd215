# The page opens with its token only, and a command of another package orders versions.
set -eu
. /run/dsvm/apps/notices.env
page="http://127.0.0.1:$DSVM_PORT"
curl --silent --retry 6 --retry-connrefused --retry-delay 1 --output /dev/null "$page/ready"
[ "$(curl --silent "$page/?token=$DSVM_TOKEN")" = "notices of this machine" ] || {
  echo "notices.service does not show its page" >&2
  exit 1
}
[ "$(curl --silent --output /dev/null --write-out '%{http_code}' "$page/")" = 403 ] || {
  echo "notices.service opens without its token" >&2
  exit 1
}
ordered=$(/opt/dsvm/apps/notices/node_modules/.bin/semver 1.10.0 1.9.0 | tr '\n' ' ')
[ "$ordered" = "1.9.0 1.10.0 " ] || { echo "semver orders: $ordered" >&2; exit 1; }
printf '{"versions": {"node": "%s"}}\n' "$(node --version)"
