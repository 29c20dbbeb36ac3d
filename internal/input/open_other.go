//go:build !unix

package input

// This file: opening on systems whose files do not make the opener wait.

import "os"

func openNonBlocking(path string) (*os.File, error) { return os.Open(path) }
