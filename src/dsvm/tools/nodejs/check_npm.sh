# Packs a package, installs it with npm without any network, and requires it.
set -eu
mkdir greeting user
printf '{"name": "greeting", "version": "1.2.3", "license": "MIT", "main": "index.js"}\n' > greeting/package.json
printf 'module.exports = (name) => `hello, ${name}`;\n' > greeting/index.js
npm pack --loglevel error ./greeting > /dev/null
cd user
npm init --yes > /dev/null
npm install --offline --no-audit --no-fund --loglevel error ../greeting-1.2.3.tgz
said=$(node -p 'require("greeting")("Ada")')
[ "$said" = "hello, Ada" ] || { echo "the installed package says: $said" >&2; exit 1; }
locked=$(node -p 'require("./package-lock.json").packages["node_modules/greeting"].integrity.slice(0, 7)')
[ "$locked" = "sha512-" ] || { echo "package-lock.json has no digest: $locked" >&2; exit 1; }
printf '{"versions": {"npm": "%s"}}\n' "$(npm --version)"
