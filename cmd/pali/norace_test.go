//go:build !race

package main

// maxPeak bounds the memory of a program that is called wrongly.
const maxPeak = 100 << 20
