// Package badfiles makes bad files: each a way in which a reader was once broken, with the words
// that its error must contain.
//
// Before it: nothing. After it: the tests of npz, gguf and mmproj, which give every case to their
// reader. The program itself does not use this package.
package badfiles

// Case is one bad input.
type Case struct {
	Name string
	Data []byte
	Want string // a part of the error's text
}
