#!/bin/sh
# Builds ggml's CUDA or Vulkan backend into lib/pali, from the llama.cpp in the Go module ollama.
#
#   scripts/gpu.sh cuda|vulkan [MODULE_DIR]
#   scripts/gpu.sh vulkan "$(go list -m -f '{{.Dir}}' github.com/ollama/ollama)"
#   JOBS=2 ARCH="80;90" scripts/gpu.sh cuda       CUDA architectures (default: this machine's GPUs)
#   CMAKE_ARGS=-DGGML_CUDA_FA=OFF scripts/gpu.sh cuda       more options for cmake
#   VULKAN_HEADERS=DIR scripts/gpu.sh vulkan      the folder of vulkan/vulkan.hpp
#
# Linux only. Needs cmake, make or ninja, a C++ compiler and, for cuda, NVIDIA's toolkit (nvcc); for
# vulkan, glslc and the Vulkan loader with headers from 1.3.272 on (Debian: libvulkan-dev glslc;
# Debian 12's headers are older). docs/gpu.md says what was tried: vulkan with Mesa's software
# device, cuda as far as a machine without a GPU goes.
#
# Build again whenever go.mod changes the module's version: a program refuses a library of another.
#
# The process then contains two copies of ggml. The program has one and does not export its symbols
# (Go's linker hides them), so the backend brings its own libggml-base, as in ollama's own packages.
# The copies share only tables of functions and structs, which both have from the same headers; the
# registry of devices is in the program's copy alone. Two things follow. The backend's log, and its
# aborts, reach the program by way of scripts/gpu/program.c. And lib/pali must not contain
# libggml-cpu, or it would be registered as a second CPU.
#
# The sources are copied to lib/build first: the module's folder is read-only, and lacks the four
# shaders that test the features of glslc; without them ggml assumes that glslc has these features.
# Ours are in scripts/gpu/feature-tests.
set -eu
usage() {
	sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//' >&2
	exit 2
}
fail() {
	echo "gpu.sh: $*" >&2
	exit 1
}
need() { command -v "$1" >/dev/null 2>&1 || fail "this needs $1 ($2)"; }
compiles() { "${CXX:-c++}" ${VULKAN_HEADERS:+-I"$VULKAN_HEADERS"} -E -x c++ - >/dev/null 2>&1; }

# complete_toolkit BUILD fills BUILD/lib with what the toolkit of nvcc lacks, and lets compilers and
# cmake look there. One that is made of PyPI's wheels has its libraries in lib, not in lib64, and
# without names without a version. One without cuBLAS is given that of the wheels, if python3 has
# them. Only a driver brings libcuda, which ggml is linked with: ours has the functions that ggml's
# sources name, and nothing in them; at run time the driver's is taken. Sets toolkit to the folders of
# the shared libraries.
complete_toolkit() {
	root=$(dirname "$(dirname "$(readlink -f "$(command -v "${CUDACXX:-nvcc}")")")")
	wheels=$(python3 -c 'import nvidia; print(nvidia.__path__[0] + "/cu13")' 2>/dev/null) || wheels=
	links=$PWD/$1/lib
	rm -rf "$links"
	mkdir -p "$links"
	toolkit=$root/lib64
	[ -d "$toolkit" ] || toolkit=$root/lib
	for name in cudart cublas cublasLt; do
		in_toolkit "lib$name.so" && continue
		for file in "$root/lib/lib$name.so".* "$wheels/lib/lib$name.so".*; do
			[ -f "$file" ] || continue
			ln -sf "$file" "$links/lib$name.so"
			case ";$toolkit;" in *";${file%/*};"*) ;; *) toolkit="$toolkit;${file%/*}" ;; esac
			break
		done
	done
	if ! in_toolkit cublas_v2.h && [ -f "$wheels/include/cublas_v2.h" ]; then
		export CPATH="$wheels/include${CPATH:+:$CPATH}"
	fi
	for file in "$root"/lib/libcuda*.a; do
		[ ! -f "$file" ] || ln -sf "$file" "$links/"
	done
	if ! in_toolkit libcuda.so; then
		grep -rhoE '\bcu[A-Z][A-Za-z]*\(' "$1/ggml/src/ggml-cuda" | sort -u | sed 's/(/(void) { return 999; }/; s/^/int /' |
			${CC:-cc} -shared -fPIC -Wl,-soname,libcuda.so.1 -o "$links/libcuda.so" -x c -
	fi
	export LIBRARY_PATH="$links${LIBRARY_PATH:+:$LIBRARY_PATH}"
	export CMAKE_LIBRARY_PATH="$links${CMAKE_LIBRARY_PATH:+:$CMAKE_LIBRARY_PATH}"
}
in_toolkit() { find -L "$root" -maxdepth 5 -name "$1" 2>/dev/null | grep -q .; }

[ $# -ge 1 ] && [ $# -le 2 ] || usage
kind=$1
case $kind in cuda | vulkan) ;; *) usage ;; esac
folder() { (cd "$1" 2>/dev/null && pwd) || fail "not a folder: \"$1\""; }
module=${2:+$(folder "$2")}
VULKAN_HEADERS=${VULKAN_HEADERS:+$(folder "$VULKAN_HEADERS")}
[ "$(uname -s)" = Linux ] || fail "this script is for Linux; on macOS the program contains Metal already"
need cmake "Debian: cmake"
if command -v ninja >/dev/null 2>&1; then export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}"; fi
need "${CXX:-c++}" "Debian: build-essential"
if [ "$kind" = cuda ]; then
	need "${CUDACXX:-nvcc}" "NVIDIA's CUDA toolkit, with its bin folder in PATH; docs/gpu.md says how to get one"
	[ -n "${ARCH:-}" ] || [ -e /dev/nvidia0 ] || [ -e /dev/dxg ] || fail "there is no NVIDIA GPU here, so say for \
which to build: ARCH=90-real (H100, H200), 89-real (RTX 40), 86-real (RTX 30) or 120-real (RTX 50); several are \
separated by semicolons"
else
	need glslc "Debian: glslc"
	echo '#include <vulkan/vulkan.hpp>' | compiles || fail "this needs vulkan/vulkan.hpp (Debian: libvulkan-dev)"
	printf '#include <vulkan/vulkan_core.h>\n#ifndef VK_EXT_layer_settings\n#error\n#endif\n' | compiles ||
		fail "this needs Vulkan headers from 1.3.272 on, and found older ones (set VULKAN_HEADERS=DIR for others)"
fi
cd "$(dirname "$0")/.."
module=${module:-$(go list -m -f '{{.Dir}}' github.com/ollama/ollama)}
ggml=$module/ml/backend/ggml/ggml
[ -f "$ggml/src/ggml-$kind/CMakeLists.txt" ] ||
	fail "\"$module\" does not contain ggml: go mod download github.com/ollama/ollama"

build=lib/build/$kind
mkdir -p "$build" lib/pali
if [ -d "$build/ggml" ]; then chmod -R u+w "$build/ggml"; fi
rm -rf "$build/ggml"
cp -Rp "$ggml" "$build/ggml"
chmod -R u+w "$build/ggml"
find "$build/ggml" -name '*.go' -exec rm -f {} + # or ./... would include them
if [ "$kind" = vulkan ]; then
	cp -Rp scripts/gpu/feature-tests "$build/ggml/src/ggml-vulkan/vulkan-shaders/"
fi
if [ "$kind" = cuda ]; then complete_toolkit "$build"; fi
# shellcheck disable=SC2086 # CMAKE_ARGS are words
cmake -S scripts/gpu -B "$build/out" -DCMAKE_BUILD_TYPE=Release -DGGML_DIR="$PWD/$build/ggml" \
	-DGGML_"$(echo "$kind" | tr '[:lower:]' '[:upper:]')"=ON ${ARCH:+-DCMAKE_CUDA_ARCHITECTURES="$ARCH"} \
	${VULKAN_HEADERS:+-DVulkan_INCLUDE_DIR="$VULKAN_HEADERS"} ${toolkit:+-DTOOLKIT_LIBRARIES="$toolkit"} \
	-DMODULE_VERSION="${module##*@}" ${CMAKE_ARGS:-}
cmake --build "$build/out" --target "ggml-$kind" --parallel "${JOBS:-$(getconf _NPROCESSORS_ONLN)}"

# The program loads the backend by a name without a version; the backend needs libggml-base with
# one.
for file in libggml-base.so.0 "libggml-$kind.so"; do
	cp -L "$build/out/lib/$file" "lib/pali/$file.partial"
	mv "lib/pali/$file.partial" "lib/pali/$file"
done
echo "lib/pali: libggml-$kind.so. bin/pali doctor lists the devices."
