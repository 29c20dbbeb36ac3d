package llamacpp

// This file: what our checks accept must never end the process. Mutated files go to a child; if it
// dies, the file that killed it is named.

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pali-gguf/pali/gguf"
)

// TestMain makes the test binary the child: it runs the pairs of files it is given, saying which
// it begins.
func TestMain(m *testing.M) {
	if list := os.Getenv("PALI_HOSTILE_PAIRS"); list != "" {
		for i, pair := range strings.Split(list, "\n") {
			text, vision, _ := strings.Cut(pair, "\t")
			fmt.Println("begin", i)
			if live(text, vision) == nil {
				fmt.Println("accepted", i)
			}
		}
		fmt.Println("done")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// live is a complete life of a model: load, encode, prefill, two steps, close. An error is as good
// as an answer.
func live(text, vision string) error {
	m, err := Open(text, vision, Options{Threads: 1, KV: "f16", Device: "cpu", MaxContext: 4096})
	if err != nil {
		return err
	}
	defer m.Close()
	rows, err := m.Encode(make([]float32, 3*m.vision.ImageSize*m.vision.ImageSize))
	if err != nil {
		return err
	}
	tokens, err := m.Tokenize("caption en <loc0001>\n")
	if err != nil {
		return err
	}
	if _, err := m.Prefill(rows, tokens, 2); err != nil {
		return err
	}
	for range 2 {
		if _, err := m.Step(3); err != nil {
			return err
		}
	}
	return nil
}

// mutate changes a few bytes, mostly in the description at the beginning, some in the data.
func mutate(r *rand.Rand, file []byte, header int) []byte {
	out := bytes.Clone(file)
	for range 1 + r.IntN(3) {
		at := r.IntN(header)
		if r.IntN(5) == 0 {
			at = r.IntN(len(out))
		}
		switch r.IntN(4) {
		case 0:
			out[at] ^= 1 << r.IntN(8)
		case 1:
			out[at] = byte(r.Uint32())
		case 2:
			out[at] = 0
		default:
			copy(out[at:], []byte{0xff, 0xff, 0xff, 0x7f}) // huge as an integer, NaN as a float
		}
	}
	return out
}

// PALI_HOSTILE raises the number of mutants.
func TestMutatedFilesNeverKill(t *testing.T) {
	mutants := 600
	if n, err := strconv.Atoi(os.Getenv("PALI_HOSTILE")); err == nil {
		mutants = n
	}
	folder, accepted := t.TempDir(), 0
	for _, checkpoint := range []string{"tiny-gemma.npz", "tiny-gemma2.npz"} {
		text, vision := converted(t, filepath.Join(casesFolder, checkpoint), filepath.Join(casesFolder,
			"tokenizer.model"), gguf.Q8_0, gguf.Q8_0)
		r := rand.New(rand.NewPCG(11, uint64(len(checkpoint))))
		for i := 0; i < mutants; i += 50 {
			accepted += runMutants(t, r, folder, text, vision)
		}
	}
	t.Logf("%d mutants, %d accepted", 2*mutants, accepted)
	if accepted == 0 {
		t.Error("no mutant was accepted: llama.cpp saw none")
	}
}

// runMutants makes 50 mutants, half of the text file and half of the vision file, and gives them to
// a child. It returns how many ran.
func runMutants(t *testing.T, r *rand.Rand, folder, text, vision string) (accepted int) {
	t.Helper()
	var pairs []string
	for i := range 50 {
		pair, at := [2]string{text, vision}, i%2
		file, err := os.ReadFile(pair[at])
		if err != nil {
			t.Fatal(err)
		}
		f, err := gguf.Read(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		pair[at] = filepath.Join(folder, fmt.Sprintf("%d.gguf", i))
		if err := os.WriteFile(pair[at], mutate(r, file, int(f.Tensors[0].Offset)), 0o600); err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, pair[0]+"\t"+pair[1])
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "PALI_HOSTILE_PAIRS="+strings.Join(pairs, "\n"))
	cmd.WaitDelay = time.Second
	stop := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer stop.Stop()
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "done\n") {
		keep := filepath.Join(os.TempDir(), "pali-hostile")
		os.RemoveAll(keep)
		os.CopyFS(keep, os.DirFS(folder))
		t.Fatalf("the child died: %v; its files are in %s\n%s", err, keep, out[max(0, len(out)-2000):])
	}
	return strings.Count(string(out), "accepted")
}
