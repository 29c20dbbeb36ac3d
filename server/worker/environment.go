package worker

// This file: what of this process's environment a worker gets. Keys and passwords are not among it,
// whatever they are called: what is passed on is listed.

import (
	"slices"
	"strings"
)

// passed are the variables that the C libraries, the drivers of GPUs and Go's runtime read.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "TZ", "LANG", "LANGUAGE", "LD_LIBRARY_PATH",
	"DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "DRI_PRIME",
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES",
}

// prefixes begin the names of further ones.
var prefixes = []string{
	"LC_", "XDG_", "GGML_", "LLAMA_", "PALI_",
	"CUDA_", "NVIDIA_", "NV_", "__GL_", "HIP_", "HSA_", "ROCR_", "ROCM_", "AMD_", "RADV_", "MESA_", "LIBGL_", "LP_",
	"VK_", "MTL_", "METAL_", "ONEAPI_", "SYCL_", "ZE_", "INTEL_",
	"OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "BLIS_",
	"GODEBUG", "GOTRACEBACK", "GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GOCOVERDIR",
	"ASAN_", "UBSAN_", "LSAN_", "TSAN_", "MALLOC_",
}

// secrets are parts of names that are not passed on in spite of their prefix.
var secrets = []string{"KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"}

// Environment returns those of all, each NAME=value, that a worker may know.
func Environment(all []string) []string {
	out := []string{}
	for _, v := range all {
		name, _, _ := strings.Cut(v, "=")
		name = strings.ToUpper(name)
		begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		within := func(part string) bool { return strings.Contains(name, part) }
		if (slices.Contains(passed, name) || slices.ContainsFunc(prefixes, begins)) &&
			!slices.ContainsFunc(secrets, within) {
			out = append(out, v)
		}
	}
	return out
}
