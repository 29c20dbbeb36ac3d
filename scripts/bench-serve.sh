#!/bin/sh
# Measures what serving costs: the same request by pali run and over HTTP, in turn, with the image
# encoded each time; then over HTTP with the image's embeddings cached. Prints the medians of ROUNDS
# (5) rounds in milliseconds: of pali run its stages without loading, over HTTP the client's whole
# time.
#
#   scripts/bench-serve.sh MODEL IMAGE [PROMPT]
#   scripts/bench-serve.sh models testdata/demo/pictures/000.png
#
# Needs curl and awk. PALI is the program, bin/pali by default.
set -eu
model=$1 image=$2 prompt=${3:-caption en} pali=${PALI:-bin/pali} tokens=${TOKENS:-16}
work=$(mktemp -d)
pids=
trap 'kill $pids; rm -rf "$work"' EXIT
start() { # NAME CACHE_BYTES: starts a server and sets address
	"$pali" serve -m "$model" --listen 127.0.0.1:0 --quiet --image-cache "$2" >"$work/$1" &
	pids="$pids $!"
	until grep -q http "$work/$1"; do sleep 0.1; done
	address=$(sed 's/ .*//' "$work/$1")
	until curl -sf "$address/health" >/dev/null; do sleep 0.2; done
}
ask() { # ADDRESS: prints the milliseconds of one request
	curl -sf -o "$work/answer" -w '%{time_total}\n' -F "image=@$image" -F "prompt=$prompt" \
		-F "max_tokens=$tokens" "$1/v1/run" | awk '{ print 1000 * $1 }'
}
stages() { # prints the sum of the stages in the JSON on standard input, in milliseconds
	grep -oE '"(vision|prefill|decode)_ms": ?[0-9.]+' | awk -F: '{ sum += $2 } END { print sum }'
}
start fresh 0
fresh=$address
start cached 1000000000
cached=$address
ask "$cached" >/dev/null
ask "$fresh" >/dev/null
for round in $(seq "${ROUNDS:-5}"); do
	"$pali" run -m "$model" -i "$image" --max-tokens "$tokens" --json "$prompt" | stages >>"$work/run"
	ask "$fresh" >>"$work/http"
	stages <"$work/answer" >>"$work/inside"
	ask "$cached" >>"$work/again"
done
median() { sort -g "$work/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
echo "pali run, sum of its stages:           $(median run)"
echo "over HTTP, in all:                     $(median http)"
echo "  of it, the worker's stages:          $(median inside)"
echo "over HTTP, the image cached:           $(median again)"
more() { awk "BEGIN { printf \"%.2f\", 100 * ($(median "$1") / $(median "$2") - 1) }"; }
echo "serving costs $(more http inside) % more than its own stages, $(more http run) % more than pali run"
