//go:build !cgo

package kernels

// Without cgo this package cannot be built; the name that the compiler reports says what is
// missing.
var _ = llama_cpp_needs_cgo__set_CGO_ENABLED_to_1_and_install_a_C_and_a_CXX_compiler
