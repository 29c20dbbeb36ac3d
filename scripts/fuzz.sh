#!/bin/sh
# Runs every fuzz target of the module for a while, one after the other, and stops at the first
# failure.
#
#   scripts/fuzz.sh DURATION [PACKAGE...]
#   scripts/fuzz.sh 30s
#   scripts/fuzz.sh 10m ./npz ./gguf
#
# Go stores a failing input in the package's testdata/fuzz. Packages without C run with
# CGO_ENABLED=0. Each new input is minimised once only (-fuzzminimizetime 1x): Go's minimiser can
# take up the whole duration.
set -eu
[ $# -ge 1 ] || {
	sed -n '4,6p' "$0" | sed 's/^# *//' >&2
	exit 2
}
duration=$1
shift
[ $# -gt 0 ] || set -- ./...
cd "$(dirname "$0")/.."

count=0
packages=$(go list -f '{{.ImportPath}} {{.Dir}}' "$@")
while read -r package dir; do
	# Only packages with a target are built: with C, that takes minutes.
	grep -q '^func Fuzz' "$dir"/*_test.go 2>/dev/null || continue
	# Do the package or its tests link C, of this module or of the one that carries llama.cpp?
	CGO_ENABLED=1
	export CGO_ENABLED
	case $(go list -deps -test -f '{{if .CgoFiles}}{{.ImportPath}}{{end}}' "$package") in
	*github.com/*) ;;
	*) CGO_ENABLED=0 ;;
	esac
	list=$(go test -list '^Fuzz' "$package" </dev/null) || { echo "$list" >&2; exit 1; }
	for target in $(echo "$list" | grep '^Fuzz'); do
		go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$duration" -fuzzminimizetime 1x </dev/null
		count=$((count + 1))
	done
done <<END
$packages
END
[ $count -gt 0 ] || { echo "fuzz.sh: no fuzz targets found" >&2; exit 1; }
echo "$count fuzz targets, $duration each: nothing found"
