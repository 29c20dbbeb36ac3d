#!/bin/sh
# Measures `pali convert` to f16, q8_0 and q4_0 against `cp` of the same checkpoint, one after the
# other, and prints a Markdown table: seconds, ratio to cp, peak resident memory.
#
#   scripts/bench-convert.sh CHECKPOINT.npz TOKENIZER.model FOLDER
#
#   make && make synthetic OUT=/big/disk/3b.npz TOKENIZER=/big/disk/tokenizer.model
#   scripts/bench-convert.sh /big/disk/3b.npz /big/disk/tokenizer.model /big/disk/out
#
# Each cp runs right before the conversion that it is compared with, since a shared machine's disk
# changes its speed within minutes; sync runs before each of the two. cp leaves its file in the page
# cache, as pali does before its last sync: the decisive figure is that of a checkpoint larger than
# free memory. FOLDER needs room for twice the checkpoint at most; the copy is removed, and the GGUF
# files stay for `pali run`. PALI is the program, bin/pali by default.
set -eu
[ $# -eq 3 ] || {
	sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//' >&2
	exit 2
}
checkpoint=$1 tokenizer=$2 out=$3
pali=${PALI:-$(dirname "$0")/../bin/pali}
for file in "$checkpoint" "$tokenizer" "$pali"; do
	[ -f "$file" ] || { echo "bench-convert.sh: not a file: $file" >&2; exit 1; }
done
mkdir -p "$out"
out=$(cd "$out" && pwd)
trap 'rm -f "$out/bench-copy.npz" "$out/bench-time" "$out/bench-log"' EXIT
trap 'exit 130' INT TERM

# measure COMMAND...: runs it and sets seconds and peak (KiB; empty if /usr/bin/time is missing)
measure() {
	sync
	if [ -x /usr/bin/time ] && /usr/bin/time -f %e true 2>/dev/null; then
		/usr/bin/time -f '%e %M' -o "$out/bench-time" "$@" >/dev/null 2>"$out/bench-log" || failed "$@"
		read -r seconds peak <"$out/bench-time"
	else
		(time -p "$@" >/dev/null 2>"$out/bench-log") 2>"$out/bench-time" || failed "$@"
		seconds=$(awk '$1 == "real" { print $2 }' "$out/bench-time") peak=
	fi
}
failed() {
	cat "$out/bench-log" >&2
	echo "bench-convert.sh: failed: $*" >&2
	exit 1
}

size=$(wc -c <"$checkpoint")
echo "$(awk "BEGIN { printf \"%.2f\", $size / 1e9 }") GB, $(getconf _NPROCESSORS_ONLN) processors, $(date -u +%Y-%m-%d)"
echo
echo "| type | seconds | cp | ratio to cp | peak resident memory |"
echo "|---|---|---|---|---|"
for type in f16 q8_0 q4_0; do
	measure cp "$checkpoint" "$out/bench-copy.npz"
	rm "$out/bench-copy.npz"
	copy=$seconds
	measure "$pali" convert "$checkpoint" --tokenizer "$tokenizer" -t $type -o "$out" --name bench --force
	awk -v t=$type -v s="$seconds" -v c="$copy" -v p="$peak" 'BEGIN {
		ratio = c > 0 ? sprintf("%.2f", s / c) : "-"
		mib = p == "" ? "-" : sprintf("%d MiB", p / 1024)
		printf "| %s | %.1f | %.1f | %s | %s |\n", t, s, c, ratio, mib
	}'
done
