package llamacpp

// This file: a model loaded, used and freed over and over gives back what it took. make asan runs
// more lives, under sanitizers and with a check for leaks at the end. live, a whole life, is in
// hostile_test.go.

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/gguf"
)

const (
	warmUp = 20 // lives until the C library's heaps have their size
	// bytes after that: seen are 0.5 to 7 MiB; a model's weights kept each time make 24, a context
	// 86
	growthAtMost = 16 << 20
)

// PALI_LIVES raises the number of lives of each pair of files.
func TestLives(t *testing.T) {
	lives := 60
	if n, err := strconv.Atoi(os.Getenv("PALI_LIVES")); err == nil {
		lives = max(n, lives)
	}
	for _, checkpoint := range []string{"tiny-gemma.npz", "tiny-gemma2.npz"} {
		t.Run(checkpoint, func(t *testing.T) {
			text, vision := converted(t, filepath.Join(casesFolder, checkpoint), filepath.Join(casesFolder,
				"tokenizer.model"), gguf.Q8_0, gguf.F16)
			before := 0
			for i := range lives {
				if err := live(text, vision); err != nil {
					t.Fatalf("life %d: %v", i, err)
				}
				if i == warmUp {
					before = resident(t)
				}
			}
			grown := resident(t) - before
			t.Logf("%d lives; after the first %d the process grew by %.1f MiB from %.1f", lives, warmUp,
				float64(grown)/(1<<20), float64(before)/(1<<20))
			if grown > growthAtMost {
				t.Errorf("the process grew by %d bytes, at most %d are expected", grown, growthAtMost)
			}
		})
	}
}

// resident returns the process's bytes of memory, without Go's garbage; 0 on systems that do not
// report it. Leaks are looked for in what is left, so pointers in garbage must be gone too.
func resident(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
