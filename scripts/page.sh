#!/bin/sh
# Checks the page's types and style (lint), tests it in headless Chromium (test), or takes its
# screenshots for docs (pictures). Needs Node.js with npm, Chromium (Debian: apt-get install
# chromium), and a network for what is not in bin/_page yet.
#
#   scripts/page.sh lint|test|pictures    (make lint-page, test-page, page-pictures)
set -eu
cd "$(dirname "$0")/.."
place=bin/_page # Go skips folders with such a name: one of the npm modules contains a Go package
mkdir -p "$place"
cp scripts/page/* "$place/" # Node.js looks for modules from the script's folder
[ "$place/package-lock.json" -nt scripts/page/package.json ] ||
	npm install --prefix "$place" --no-audit --no-fund --silent

if [ "$1" = lint ]; then
	"$place/node_modules/.bin/tsc" --project "$place/tsconfig.json"
	exec "$place/node_modules/.bin/eslint" --config "$place/eslint.config.mjs" --max-warnings 0 server/page scripts/page
fi

chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)} ||
	{ echo 'scripts/page.sh: Chromium was not found: install it, or name it with CHROMIUM' >&2; exit 1; }
convert() { bin/pali convert "$@" -o "$place/model" --force >/dev/null 2>&1; }
convert testdata/demo/demo.npz --tokenizer testdata/demo/tokenizer.model -t f32
convert --masks testdata/demo/masks.npz --name demo
rm -f "$place/address"
bin/pali serve -m "$place/model" -t 1 --listen 127.0.0.1:0 --quiet >"$place/address" &
server=$!
trap 'kill $server' EXIT
until grep -qs http "$place/address"; do sleep 0.1; done
export CHROMIUM="$chromium" PALI_PAGE="$(sed 's/ .*//' "$place/address")" PALI_ROOT="$PWD"
case $1 in
test) node --test --test-reporter=spec "$place/page.test.mjs" ;;
pictures) node "$place/pictures.mjs" ;;
esac
