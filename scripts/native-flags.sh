#!/bin/sh
# Prints the compiler flags that "native" stands for on this machine, spelled out.
#
#   scripts/native-flags.sh [CC]
#
# Go's build cache is keyed by the text of the flags, and a cache can be moved to a machine with
# another processor: an object built with "-march=native" there must not be used here. So the
# Makefile passes what this script prints.
#
# Matrix-tile instructions (AMX) are left out: the llama.cpp in the Go module does not use them.
# Prints nothing if the compiler fails; the build is then the slow, portable one.
set -eu
cc=${1:-cc}
LC_ALL=C
export LC_ALL

case $("$cc" -dumpmachine 2>/dev/null) in
x86_64* | amd64*) ask=-march=native ;;
aarch64* | arm64*) ask=-mcpu=native ;;
*) exit 0 ;;
esac

log=$("$cc" $ask -### -x c -c /dev/null -o /dev/null 2>&1 | tr -d '"') || exit 0
case $log in
*-target-cpu*) # clang: -target-cpu NAME and a list of features
	cpu=$(printf '%s\n' $log | sed -n '/^-target-cpu$/{n;p;q;}')
	if [ "$ask" = -mcpu=native ]; then
		flags="-mcpu=$cpu"
	else
		flags="-march=$cpu"
		for f in $(printf '%s\n' $log | sed -n 's/^-\(avx[a-z0-9]*\)$/\1/p'); do
			flags="$flags -mno-$f"
		done
	fi
	;;
*) # gcc's driver replaces the option by others and prints them
	flags=$("$cc" $ask -E -v -x c /dev/null 2>&1 | tr ' ' '\n' |
		sed -n -e "s/^'//" -e "s/'\$//" -e '/^-m\(arch\|cpu\|no-[a-z0-9.-]*\|[a-z0-9.-]*\)\(=.*\)\{0,1\}$/p' |
		grep -v -e '^-mtune' -e native -e '^-mabi' -e '^-mlittle' -e amx | awk '!seen[$0]++' | tr '\n' ' ')
	;;
esac

# Keep what the compiler accepts: some print options that they do not accept.
accepted=
for f in $flags; do
	if "$cc" $f -Werror -x c -c /dev/null -o /dev/null 2>/dev/null; then
		accepted="$accepted $f"
	fi
done
case $("$cc" -dumpmachine) in
x86_64* | amd64*)
	for f in -mno-amx-tile -mno-amx-int8 -mno-amx-bf16; do
		if "$cc" $f -Werror -x c -c /dev/null -o /dev/null 2>/dev/null; then accepted="$accepted $f"; fi
	done
	;;
esac
printf '%s\n' "${accepted# }"
