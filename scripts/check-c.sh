#!/bin/sh
# Runs the C of bindings/ggml and bindings/kernels alone (bindings/kernels/testdata/check.c) under the
# sanitizers for memory and undefined behaviour, by one compiler after the other. The first one must
# have sanitizers; another that is missing or has none is left out, with a line that says so.
#
#   scripts/check-c.sh CC...
#   scripts/check-c.sh gcc clang
set -eu
[ $# -ge 1 ] || {
	sed -n '6,7p' "$0" | sed 's/^# *//' >&2
	exit 2
}
cd "$(dirname "$0")/.."
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
program=$directory/check
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

say() { echo "check-c: $*" >&2; }

sources=$(go list -f '{{$d := .Dir}}{{range .CFiles}}{{$d}}/{{.}} {{end}}' ./bindings/ggml ./bindings/kernels)
sanitize='-fsanitize=address,undefined -fno-omit-frame-pointer'
printf '#include <stdlib.h>\nint main(void) { free(malloc(1)); return 0; }\n' >"$directory/empty.c"

required=1
for cc; do
	if ! "$cc" $sanitize "$directory/empty.c" -o "$program" 2>"$directory/log" || ! ASAN_OPTIONS=detect_leaks=0 "$program" 2>>"$directory/log"; then
		say "$cc: the sanitizers do not work here: $(tail -n 1 "$directory/log")"
		[ $required = 0 ] || {
			say "install gcc or clang with its sanitizers (Debian: build-essential)"
			exit 1
		}
		continue
	fi
	required=0
	# The look for leaks stops the process's own threads, which some containers and debuggers forbid.
	ASAN_OPTIONS=detect_leaks=1
	"$program" 2>"$directory/log" || {
		ASAN_OPTIONS=detect_leaks=0
		say "$cc: without the look for leaks, which does not work here"
	}
	export ASAN_OPTIONS
	echo "check-c: $cc"
	"$cc" -std=gnu11 -O1 -g1 -w $sanitize $(sh scripts/native-flags.sh "$cc") -Ibindings/kernels -Ibindings/ggml \
		$sources bindings/kernels/testdata/check.c -lm -ldl -o "$program"
	"$program"
done
