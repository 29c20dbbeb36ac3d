#!/bin/sh
# Prints the compiler flags that "native" stands for on this machine, spelled out.
#
#   scripts/native-flags.sh [CC]
#
# Go's build cache is keyed by the flags' text, and a cache can be carried to another processor: an object built
# with "-march=native" there must not be picked up here. So the Makefile passes what this prints.
#
# Matrix-tile instructions (AMX) are left out: the llama.cpp that the Go module carries holds no code for them.
# Prints nothing for a compiler that does not answer; the build is then the slow, portable one.
set -eu
cc=${1:-cc}
LC_ALL=C
export LC_ALL

case $("$cc" -dumpmachine 2>/dev/null) in
x86_64* | amd64*) ask=-march=native ;;
aarch64* | arm64*) ask=-mcpu=native ;;
*) exit 0 ;;
esac

said=$("$cc" $ask -### -x c -c /dev/null -o /dev/null 2>&1 | tr -d '"') || exit 0
case $said in
*-target-cpu*) # clang: -target-cpu NAME and a list of features
	cpu=$(printf '%s\n' $said | sed -n '/^-target-cpu$/{n;p;q;}')
	if [ "$ask" = -mcpu=native ]; then
		flags="-mcpu=$cpu"
	else
		flags="-march=$cpu"
		for f in $(printf '%s\n' $said | sed -n 's/^-\(avx[a-z0-9]*\)$/\1/p'); do
			flags="$flags -mno-$f"
		done
	fi
	;;
*) # gcc rewrites the option itself; its own driver says to what
	flags=$("$cc" $ask -E -v -x c /dev/null 2>&1 | tr ' ' '\n' |
		sed -n -e "s/^'//" -e "s/'\$//" -e '/^-m\(arch\|cpu\|no-[a-z0-9.-]*\|[a-z0-9.-]*\)\(=.*\)\{0,1\}$/p' |
		grep -v -e '^-mtune' -e native -e '^-mabi' -e '^-mlittle' -e amx | awk '!seen[$0]++' | tr '\n' ' ')
	;;
esac

# Keep what this compiler takes back: some print options that they do not accept.
kept=
for f in $flags; do
	if "$cc" $f -Werror -x c -c /dev/null -o /dev/null 2>/dev/null; then
		kept="$kept $f"
	fi
done
case $("$cc" -dumpmachine) in
x86_64* | amd64*)
	for f in -mno-amx-tile -mno-amx-int8 -mno-amx-bf16; do
		if "$cc" $f -Werror -x c -c /dev/null -o /dev/null 2>/dev/null; then kept="$kept $f"; fi
	done
	;;
esac
printf '%s\n' "${kept# }"
