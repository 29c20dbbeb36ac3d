#!/bin/sh
# Tries everything that needs a GPU on a machine that has one, in under eight minutes, and prints one
# table: step, result, figure, seconds. That machine needs nvcc, cmake, a C++ compiler, and xz or
# python3, but no Go and no network.
#
#   scripts/gpu-check.sh prepare     where there is Go: packs bin/gpu-check, which is carried along
#   scripts/gpu-check.sh             on the machine with the GPU, in a copy of the tracked files and
#                                    of bin/gpu-check
#
#   DEVICE=cpu scripts/gpu-check.sh          a rehearsal without a GPU: DEVICE is cuda by default
#   STEPS="library goldens" scripts/gpu-check.sh      these steps only
#                (library doctor goldens control serve score repeats model bench)
#   OUT=DIR      the folder for the table and each step's output (default: bin/gpu-check/out)
#   TOTAL=470    seconds after which nothing is started any more; what runs then is ended
#   PATIENCE=1   how many times as long everything may take, on a slow machine
#   LIMIT=64     MiB that tracked files and bin/gpu-check may have together, for prepare
#   ARCH, JOBS, CMAKE_ARGS, CUDACXX: as in scripts/gpu.sh
#
# A library in lib/pali, or in bin/gpu-check/library.tar.xz, is taken as it is; else scripts/gpu.sh
# builds one from the sources that are carried. Exit code: 0 if every step passed, 1 if one did not,
# or was not run, 2 if this was called wrongly.
set -u
cd "$(dirname "$0")/.." || exit 2
pack=$PWD/bin/gpu-check
fail() {
	echo "gpu-check.sh: $*" >&2
	exit 2
}

# ---- on the machine that builds ----

# prepare builds the programs for any x86-64 with AVX2 and FMA, as the other machine's processor is
# not known, and packs them and ggml's sources.
prepare() {
	set -e
	module=$(go list -m -f '{{.Dir}}' github.com/ollama/ollama)
	rm -rf "$pack"
	mkdir -p "$pack/programs"
	# The module's folder keeps its name, in which scripts/gpu.sh finds the version.
	tar -C "$(dirname "$module")" --exclude=ggml-vulkan/vulkan-shaders --exclude=ggml-metal --exclude=ggml-cpu \
		--exclude=ggml-hip --exclude='*.go' -cJf "$pack/sources.tar.xz" "$(basename "$module")/ml/backend/ggml/ggml"
	eval "$(make -s env NATIVE=-march=x86-64-v3)"
	go build -ldflags='-s -w' -o "$pack/programs/pali" ./cmd/pali
	go test -c -ldflags='-s -w' -o "$pack/programs/runner.test" ./runner/llamacpp
	cp "$module/tokenizer/testdata/gemma2/tokenizer.model" "$pack/programs/" # of the model with random weights
	for program in synthetic load; do
		CGO_ENABLED=0 go -C scripts build -ldflags='-s -w' -o "$pack/programs/$program" "./$program"
	done
	tar -C "$pack" -cf - programs | xz -T0 -6 >"$pack/programs.tar.xz"
	rm -rf "$pack/programs"
	ls -l "$pack"
	size=$({ git ls-files -z && find "$pack" -type f -print0; } | xargs -0 du -cb | awk 'END { print $1 }')
	echo "tracked files and bin/gpu-check: $((size / 1048576)) MiB of ${LIMIT:-64}"
	[ "$size" -le $((${LIMIT:-64} * 1048576)) ] || fail "that is too much"
}

case ${1:-} in
prepare)
	prepare
	exit
	;;
'') ;;
*)
	sed -n '2,/^set/{ s/^# \{0,1\}//; /^set/d; p; }' scripts/gpu-check.sh >&2
	exit 2
	;;
esac

# ---- on the machine with the GPU ----

device=${DEVICE:-cuda}
steps=${STEPS:-library doctor goldens control serve score repeats model bench}
out=${OUT:-$pack/out}
table=$out/table.txt
programs=$pack/programs
pali=$programs/pali
work='' server=''
failed=0
start=$(date +%s)
so_far() { echo $(($(date +%s) - start)); }

# finish prints the table, whatever ended the script.
finish() {
	trap - EXIT
	[ -z "$server" ] || kill "$server" 2>/dev/null
	rm -rf "$work"
	echo
	awk -F '\t' 'BEGIN { OFS = FS; print "step", "result", "seconds", "figure" } 1' "$table" |
		awk -F '\t' '{ printf "%-16s %-8s %7s  %s\n", $1, $2, $3, $4 }' | tee "$out/table.pretty"
	mv "$out/table.pretty" "$table"
	echo "$(so_far) s in all, $failed not passed; the output of each step is in $out"
	[ "$failed" = 0 ] && exit 0
	exit 1
}

# row NAME RESULT SECONDS FIGURE adds a line to the table.
row() {
	printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$table"
	echo "$(so_far) s: $1: $2: $4"
	[ "$2" = pass ] || failed=$((failed + 1))
}

# step NAME SECONDS FIGURE COMMAND... runs COMMAND for at most SECONDS times PATIENCE seconds,
# and not beyond TOTAL. Its output goes to OUT/NAME.txt, of which the function FIGURE makes the figure of the row.
# Fails where the step does not pass.
step() {
	name=$1 most=$2 figure=$3
	shift 3
	most=$((most * ${PATIENCE:-1}))
	left=$((${TOTAL:-470} * ${PATIENCE:-1} - $(so_far)))
	if [ "$left" -lt 5 ]; then
		row "$name" "not run" 0 "no time was left"
		return 1
	fi
	[ "$most" -lt "$left" ] || most=$left
	began=$(date +%s)
	timeout -k 5 "$most" "$@" >"$out/$name.txt" 2>&1
	code=$?
	took=$(($(date +%s) - began))
	case $code in
	0) row "$name" pass "$took" "$("$figure" "$out/$name.txt")" ;;
	124 | 137) row "$name" "no time" "$took" "ended after $most s: $(last "$out/$name.txt")" ;;
	*) row "$name" "FAIL $code" "$took" "$(why "$out/$name.txt")" ;;
	esac
	return "$code"
}

# Figures, of a step's output.
last() { grep . "$1" | tail -n 1 | cut -c1-160; }
why() {
	{
		grep -m 1 -E '^(pali|load|synthetic|gpu.sh): |largest difference|no [a-z0-9]+ device|panic|fatal|rror:' "$1" ||
			grep -m 1 -E 'FAIL|rror|libggml-' "$1" || last "$1"
	} | sed 's/^[[:space:]]*//' | cut -c1-160
}
# tests counts what passed, and gives the worst distance from the authors' numbers of each kind.
tests() {
	awk '/^ *--- PASS/ { n++ }
		match($0, /[a-z_]+ +[0-9.e+-]+ of the largest \(bound/) {
			split(substr($0, RSTART), w, " ")
			if (w[2] + 0 >= worst[w[1]] + 0) { worst[w[1]] = w[2]; bound[w[1]] = w[7] }
		}
		END { printf "%d pass", n; for (k in worst) printf "; %s within %s (bound %s", k, worst[k], bound[k] }' "$1"
}
on_device() { grep -m 1 -i "^device $device" "$1"; }
score() { awk '$1 == "all" && $2 == "score" { print $3 " % of all questions" }' "$1"; }
speed() {
	awk '$1 ~ /^(siglip|prefill|decode|end)$/ { printf "%s%s %s ms", sep, $1, $1 == "end" ? $4 : $2; sep = ", " }' "$1"
}
built() { echo "libggml-cuda.so of $(($(wc -c <lib/pali/libggml-cuda.so) / 1048576)) MiB"; }

# unpack FILE FOLDER unpacks a .tar.xz file.
unpack() { tar -C "$2" -xJf "$1" 2>/dev/null || python3 -m tarfile -e "$1" "$2"; }

# ---- the steps ----

# find_nvcc looks for the compiler where installers put it, if it is not in PATH.
find_nvcc() {
	for folder in /usr/local/cuda/bin /usr/local/cuda-*/bin /opt/cuda/bin; do
		command -v "${CUDACXX:-nvcc}" >/dev/null 2>&1 || PATH=$PATH:$folder
	done
	command -v "${CUDACXX:-nvcc}"
}

# library takes the library that is there, or builds one.
library() {
	mkdir -p lib/pali
	if [ "$device" = cpu ]; then
		row library pass 0 "not needed"
	elif [ -f "$pack/library.tar.xz" ]; then
		unpack "$pack/library.tar.xz" lib/pali && row library pass 0 "$(built)"
	elif [ -f lib/pali/libggml-cuda.so ]; then
		row library pass 0 "the one in lib/pali"
	elif ! find_nvcc >/dev/null; then
		row library "FAIL" 0 "this needs nvcc, with its folder in PATH, or a library in lib/pali"
	else
		unpack "$pack/sources.tar.xz" "$work" &&
			step library "${BUILD:-330}" built sh scripts/gpu.sh cuda "$work"/ollama@*
	fi
}

doctor() {
	# shellcheck disable=SC2016 # for the inner shell
	step doctor 60 on_device sh -c '"$1" doctor; "$1" doctor | grep -qi "^device $2"' sh "$pali" "$device"
}

# runner_tests NAME SECONDS DEVICE TESTS runs tests of runner/llamacpp in its folder.
runner_tests() {
	step "$1" "$2" tests env PALI_DEVICE="$3" sh -c 'cd runner/llamacpp && exec "$@"' sh \
		"$programs/runner.test" -test.v -test.run "$4"
}
goldens() {
	runner_tests goldens 100 "$device" 'TestGoldens|TestCausal|TestInterrupt'
	# cuBLAS takes 19 of the 32 bits of a float for its products, unless this forbids it: are
	# distances due to that alone?
	export NVIDIA_TF32_OVERRIDE=0
	runner_tests goldens-f32 60 "$device" TestGoldens
	unset NVIDIA_TF32_OVERRIDE
}
control() { runner_tests goldens-cpu 60 cpu TestGoldens; }
repeats() { runner_tests repeats 100 "$device" 'TestRepeats|TestLives|TestDemoAnswers'; }

# The demo is too small for more threads than one: they would wait for each other.
#
# demo TYPE converts the demo's checkpoint, unless it is there.
demo() {
	[ -d "$work/$1" ] || "$pali" convert testdata/demo/demo.npz --tokenizer testdata/demo/tokenizer.model \
		--masks testdata/demo/masks.npz -t "$1" -o "$work/$1" >"$out/convert-$1.txt" 2>&1
}

serve() {
	demo f32
	"$pali" serve -m "$work/f32" --listen 127.0.0.1:0 --device "$device" -t 1 --quiet --image-cache 0 \
		>"$work/address" 2>"$out/server.txt" &
	server=$!
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		grep -q http "$work/address" && break
		sleep 1
	done
	# shellcheck disable=SC2016
	step serve 90 last sh -c '"$@" || { cat "$0"; exit 1; }' "$out/server.txt" \
		"$programs/load" --clients 32 --asks 20 --wait 60s "$(sed 's/ .*//' "$work/address")"
	kill "$server" 2>/dev/null
	server=
}

# scores asks the demo in three types on the device and on the processor: the same questions must be
# answered as well on both, to three of a hundred.
scores() {
	for type in f32 q8_0 q4_0; do
		demo $type
		for on in "$device" cpu; do
			step "score-$type-$on" 60 score "$pali" eval -m "$work/$type" --device "$on" -t 1 \
				--questions testdata/quality/short.jsonl --images testdata/quality
		done
		cat "$out/score-$type-$device.txt" "$out/score-$type-cpu.txt" 2>/dev/null |
			awk '$1 == "all" && $2 == "score" { s[++n] = $3 } END { exit !(n == 2 && s[1] - s[2] < 3 && s[2] - s[1] < 3) }' ||
			row "score-$type" FAIL 0 "the scores on $device and cpu are further apart than 3 %, or one is missing"
	done
}

# model makes a checkpoint of the 3B's size with random weights, and two types of it.
model() {
	step model 120 last "$programs/synthetic" -o "$work/3b.npz" --dtype bf16 || return
	for type in q4_0 q8_0 bf16; do
		step "convert-$type" 60 last "$pali" convert "$work/3b.npz" --tokenizer "$programs/tokenizer.model" -t $type \
			-o "$work/3b-$type"
	done
	rm -f "$work/3b.npz"
}

# bench measures it; also with half of the decoder on the processor, and with the fused attention
# that a cache in blocks needs.
bench() {
	for type in q4_0 q8_0 bf16; do
		[ ! -d "$work/3b-$type" ] || bench_one "bench-$type" "$work/3b-$type"
	done
	if [ -d "$work/3b-q4_0" ]; then
		bench_one bench-kv-q8_0 "$work/3b-q4_0" --kv q8_0
		[ "$device" = cpu ] || bench_one bench-9-layers "$work/3b-q4_0" --gpu-layers 9
	fi
}
bench_one() {
	name=$1 folder=$2
	shift 2
	step "$name" 60 speed "$pali" bench -m "$folder" --device "$device" -r "${ROUNDS:-3}" "$@"
}

# ---- all of them ----

case $device in
cuda | cpu) ;;
*) fail "DEVICE=$device: want cuda, or cpu for a rehearsal" ;;
esac
for name in $steps; do
	case $name in
	library | doctor | goldens | control | serve | score | repeats | model | bench) ;;
	*) fail "STEPS: there is no step \"$name\"" ;;
	esac
done
[ -f "$pack/programs.tar.xz" ] || fail "there is no bin/gpu-check: pack it with scripts/gpu-check.sh prepare"
mkdir -p "$out"
: >"$table"
work=$(mktemp -d)
trap finish EXIT
trap 'exit 1' INT TERM
unpack "$pack/programs.tar.xz" "$pack" || fail "bin/gpu-check/programs.tar.xz is not whole"
ln -sfn ../../lib "$pack/lib" # where the programs look for lib/pali
{
	uname -srm
	getconf _NPROCESSORS_ONLN
	nvidia-smi --query-gpu=name,memory.total,driver_version,compute_cap --format=csv
	"${CUDACXX:-nvcc}" --version
} >"$out/machine.txt" 2>&1
for name in $steps; do
	case $name in
	score) scores ;;
	doctor) doctor || break ;; # without the device there is nothing to check
	*) "$name" ;;
	esac
done
