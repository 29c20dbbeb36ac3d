// Package attacks builds bad files by code: each a way in which a reader was once broken, with the words its error must contain.
//
// Tests of npz, gguf and mmproj feed every case to their reader; nothing in the program uses this package.
package badfiles

// Case is one bad input.
type Case struct {
	Name string
	Data []byte
	Want string // a part of the error's text
}
