#!/bin/sh
# What serving costs: the same request asked by pali run and over HTTP, in turn, the picture encoded each time; then over HTTP again with the picture's
# embeddings kept. Prints the medians of ROUNDS (5) in milliseconds. pali run's are its stages without loading, those over HTTP the client's whole time.
#
# usage: scripts/bench-serve.sh MODEL PICTURE [PROMPT]    e.g. scripts/bench-serve.sh models testdata/demo/pictures/000.png     Needs curl and awk.
set -eu
model=$1 picture=$2 prompt=${3:-caption en} pali=${PALI:-bin/pali} tokens=${TOKENS:-16}
work=$(mktemp -d)
pids=
trap 'kill $pids; rm -rf "$work"' EXIT
start() { # NAME CACHE
	"$pali" serve -m "$model" --listen 127.0.0.1:0 --quiet --image-cache "$2" >"$work/$1" &
	pids="$pids $!"
	until grep -q http "$work/$1"; do sleep 0.1; done
	address=$(sed 's/ .*//' "$work/$1")
	until curl -sf "$address/health" >/dev/null; do sleep 0.2; done
}
ask() { # ADDRESS
	curl -sf -o "$work/answer" -w '%{time_total}\n' -F "image=@$picture" -F "prompt=$prompt" -F "max_tokens=$tokens" "$1/v1/run" | awk '{ print 1000 * $1 }'
}
stages() { # JSON on standard input
	grep -oE '"(vision|prefill|decode)_ms": ?[0-9.]+' | awk -F: '{ sum += $2 } END { print sum }'
}
start fresh 0
fresh=$address
start kept 1000000000
kept=$address
ask "$kept" >/dev/null
ask "$fresh" >/dev/null
for round in $(seq "${ROUNDS:-5}"); do
	"$pali" run -m "$model" -i "$picture" --max-tokens "$tokens" --json "$prompt" | stages >>"$work/run"
	ask "$fresh" >>"$work/http"
	stages <"$work/answer" >>"$work/inside"
	ask "$kept" >>"$work/again"
done
median() { sort -g "$work/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
echo "pali run, its stages:                  $(median run)"
echo "over HTTP, all of it:                  $(median http)"
echo "  of these the worker's stages:        $(median inside)"
echo "over HTTP, the picture known:          $(median again)"
echo "serving costs $(awk "BEGIN { printf \"%.2f\", 100 * ($(median http) / $(median inside) - 1) }") % over its own stages, $(awk "BEGIN { printf \"%.2f\", 100 * ($(median http) / $(median run) - 1) }") % over pali run"
