#!/bin/sh
# Runs every fuzz target of the module for a while, one after the other, and stops at the first that finds something.
#
#   scripts/fuzz.sh 30s
#
# Go's minimiser can take a whole run for itself; it gets a second.
set -eu
for_time=${1:?usage: scripts/fuzz.sh DURATION}
export CGO_ENABLED=0
count=0
for package in $(go list ./... | grep -v -e /bindings -e /quant -e /siglip -e /llamacpp -e /cmd/); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$for_time" -fuzzminimizetime 1s
		count=$((count + 1))
	done
done
[ $count -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
echo "$count fuzz targets, $for_time each: nothing found"
