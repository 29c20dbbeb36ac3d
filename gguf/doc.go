// Package gguf reads the description of a GGUF file and lays one out for writing. It moves no
// tensor data itself.
//
// Before it: a file of llama.cpp's family, or keys and shapes to be written. After it: packages
// gemma and mmproj, which say what a file of each kind must hold, and the code that reads or writes
// the tensors' bytes.
//
// # The format
//
// GGUF version 3, little endian. A string is a u64 length n and n bytes of UTF-8, without a
// terminator.
//
//	Offset  Size  Field
//	0       4     "GGUF"
//	4       4     version, u32: 3
//	8       8     number of tensors, i64
//	16      8     number of keys, i64
//	24            the keys, one after the other:
//	              string  key
//	              u32     type of the value (below)
//	                      value; for an array: u32 type of the elements, u64 count, the elements
//	              the tensors, one after the other:
//	              string  name, shorter than 64 bytes
//	              u32     number of dimensions, 1 to 4
//	              i64     each dimension, the fastest first ("ne", NumPy's shape reversed)
//	              u32     element type (Type)
//	              u64     offset of the data from the beginning of the data section
//	              zeros up to the next multiple of the alignment
//	              the data section: each tensor's bytes, then zeros up to the next multiple
//	              of the alignment
//
// The alignment is 32, or the value of general.alignment (u32).
//
//	Value types: 0 u8  1 i8  2 u16  3 i16  4 u32  5 i32  6 f32  7 bool (one byte, 0 or 1)
//	             8 string  9 array  10 u64  11 i64  12 f64
//
// # What is refused
//
// A file is untrusted until Read has accepted it. Every count, length and offset is compared with
// the bytes that are left before anything is allocated for it; Read allocates at most 4 times the
// file's size and 1 MiB. Keys and tensor names are unique and printable ASCII. The data section has
// no holes and no overlaps, and the file ends where its last tensor does, so every byte of the file
// has one meaning. The limits are in rules.go. NewLayout keeps the same rules: what it lays out,
// Read accepts.
package gguf
