#!/bin/sh
# Times `pali convert` to f16, q8_0 and q4_0 beside `cp` of the same checkpoint, in the same minutes, with peak resident memory.
#
#   make synthetic OUT=/big/disk/3b.npz TOKENIZER=/big/disk/tokenizer.model
#   scripts/bench-convert.sh /big/disk/3b.npz /big/disk/tokenizer.model /big/disk/out
#
# Needs GNU time at /usr/bin/time. The folder is made, and what is written there is left for `pali run`; the copy is removed.
set -eu
[ $# -eq 3 ] || { sed -n '2,7p' "$0"; exit 2; }
checkpoint=$1 tokenizer=$2 out=$3
mkdir -p "$out"
measure() { # NAME COMMAND...
	name=$1
	shift
	/usr/bin/time -f "%e %M" -o "$out/time" "$@" >/dev/null 2>"$out/said" || { cat "$out/said"; exit 1; }
	read -r seconds kib <"$out/time"
	echo "$name: $seconds s, peak $((kib / 1024)) MiB"
}
measure cp cp "$checkpoint" "$out/copy"
rm "$out/copy"
for type in f16 q8_0 q4_0; do
	measure "$type" bin/pali convert "$checkpoint" --tokenizer "$tokenizer" -t $type -o "$out" --name synthetic --force
done
measure cp cp "$checkpoint" "$out/copy"
rm "$out/copy" "$out/time" "$out/said"
