#!/bin/sh
# Prints docs/bench.md: how fast the program is on this machine, with the demo model in three types,
# with the models of the command line, and in Go's benchmarks.
#
#   scripts/bench.sh [MODEL.gguf...]
#
#   make bench MODELS="models/a-Q8_0.gguf models/a-Q4_0.gguf"
#
# A MODEL is a text file with its mmproj file in the same folder. PALI is the program, bin/pali by
# default; ROUNDS is the number of measured rounds, 5 by default.
set -eu
for file; do
	[ -f "$file" ] || { sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2; }
done
root=$(cd "$(dirname "$0")/.." && pwd)
pali=${PALI:-$root/bin/pali}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# bench NAME MODEL: prints a section with the output of pali bench, without the files' folders.
bench() {
	echo "$1" >&2
	"$pali" bench -m "$2" -r "${ROUNDS:-5}" >"$work/log"
	printf '\n## %s\n\n```\n' "$1"
	sed "1,2s|^.*/||" "$work/log"
	echo '```'
}

version=$("$pali" version | head -n 1)
cat <<END
# Speed

Made by \`make bench\` on $(date -u +%Y-%m-%d), $version; $(getconf _NPROCESSORS_ONLN) processors, $(uname -sm).
Figures differ from machine to machine; what can be compared is the share of the machine's limits.
END
for type in f32 int8 int4; do
	"$pali" convert "$root/testdata/demo/demo.npz" --tokenizer "$root/testdata/demo/tokenizer.model" -t $type \
		--name "demo-$type" -o "$work/$type" >"$work/paths" 2>/dev/null
	bench "The demo, $type" "$(head -n 1 "$work/paths")"
done
for model; do
	bench "$(basename "$model" .gguf)" "$model"
done
echo "Go's benchmarks" >&2
printf "\n## Go's benchmarks\n\n\`\`\`\n"
cd "$root"
${GO:-go} test -p 1 -run '^$' -bench . -benchtime 0.2s ./... >"$work/log"
grep -E '^(pkg: |Benchmark)' "$work/log"
echo '```'
