//go:build race

package main

// maxPeak bounds the memory of a program that is called wrongly: the race detector's own takes most.
const maxPeak = 400 << 20
