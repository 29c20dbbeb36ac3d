package paligemma

// This file: the error of a size that is too large, which packages that share nothing else return.

import "fmt"

// LimitError is a size that is too large.
type LimitError struct {
	What      string // is counted: "images"
	Have, Max int64
}

func (e LimitError) Error() string { return fmt.Sprintf("%d %s: at most %d", e.Have, e.What, e.Max) }
