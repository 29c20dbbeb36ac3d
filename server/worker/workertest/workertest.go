// Package workertest is a worker for tests that needs no weights and no C: its answers depend on
// the image and the prompt, and a prompt can ask for a fault.
//
// Before it: package server/worker, whose worker's side runs here. After it: the tests of
// server/worker, server/engine and server, whose binaries are the worker.
//
// The answer to a prompt is the mean colour of each image and the prompt, "ff8000 caption en"; to
// "detect THING" it is one object whose bins come from that colour. These prompts ask for more:
//
//	"slow MS TEXT"     each token takes MS milliseconds
//	"fault NAME"       after two tokens the process ends (abort, segv, kill, exit, panic), is
//	                   stopped (stop), hangs (hang) or breaks the protocol (garbage, partial)
//	"empty"            an empty answer
//	"fail"             the model fails; "refuse": the request is refused
package workertest

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pali-gguf/pali/paligemma"
	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/server/worker"
)

// Vision are the sizes of its images: T is 4.
var Vision = paligemma.VisionConfig{ImageSize: 28, PatchSize: 14, EmbeddingLength: 8, FeedForwardLength: 16,
	BlockCount: 1, HeadCount: 1, ProjectionDim: 3}

// Command starts the running test binary as the worker: its TestMain must be this package's. env
// are more variables of its environment. A request that shows no progress for stall is lost.
func Command(stall time.Duration, env ...string) worker.Command {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	env = append(append(os.Environ(), "PALI_TOY=1"), env...)
	return worker.Command{Path: exe, Env: env, Load: 10 * time.Second, Stall: stall}
}

// TestMain runs a test binary, which is the worker instead where PALI_TOY is set.
func TestMain(tests interface{ Run() int }) {
	if os.Getenv("PALI_TOY") == "" {
		os.Exit(tests.Run())
	}
	work()
}

// work is the worker's process: it ends when the connection does. PALI_TOY_LOAD is how long loading
// takes, or "fail"; with PALI_TOY_GPU the toy says that it runs on a GPU.
func work() {
	conn, err := worker.Inherited()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	load := func() (*worker.Model, error) {
		wait := os.Getenv("PALI_TOY_LOAD")
		if wait == "fail" {
			return nil, errors.New("no model in /secret/path")
		}
		d, _ := time.ParseDuration(wait)
		time.Sleep(d)
		m := New()
		m.connection = conn
		progress := func() int { return int(m.steps.Load()) }
		return &worker.Model{Runner: m.Runner(), Progress: progress, GPU: os.Getenv("PALI_TOY_GPU") != ""}, nil
	}
	if worker.Serve(conn, load, func() { os.Exit(0) }) != nil {
		os.Exit(1)
	}
}

// Model is the toy. It implements runner.Encoder and runner.Decoder.
type Model struct {
	connection io.Writer // of this process: a fault writes to it
	answer     []int32
	at         int
	slow       time.Duration
	fault      string
	stopped    atomic.Bool
	steps      atomic.Int64
}

// New makes a toy.
func New() *Model { return &Model{} }

// Runner returns the toy as a runner.
func (m *Model) Runner() *runner.Runner {
	return &runner.Runner{Encoder: m, Decoder: m, Vocabulary: vocabulary}
}

// The tokens: four control pieces, a piece for each byte, then locations and segment codes.
const firstByte, firstLoc = 4, 4 + 256

var vocabulary = func() *runner.Vocabulary {
	pieces, types := []string{"<pad>", "<eos>", "<bos>", "<unk>"}, slices.Repeat([]int32{paligemma.PieceControl}, 4)
	for b := range 256 {
		pieces, types = append(pieces, fmt.Sprintf("<0x%02X>", b)), append(types, paligemma.PieceByte)
	}
	for i := range paligemma.Locations {
		pieces, types = append(pieces, paligemma.LocPiece(i)), append(types, paligemma.PieceNormal)
	}
	for i := range paligemma.SegmentCodes {
		pieces, types = append(pieces, paligemma.SegPiece(i)), append(types, paligemma.PieceNormal)
	}
	return runner.NewVocabulary(pieces, types)
}()

// Config returns Vision.
func (m *Model) Config() paligemma.VisionConfig { return Vision }

// Encode returns four equal embeddings: the mean of red, green and blue, from -1 to 1.
func (m *Model) Encode(pixels []float32) (embeddings []float32, err error) {
	var mean []float32
	for plane := range slices.Chunk(pixels, len(pixels)/3) {
		sum := 0.0
		for _, v := range plane {
			sum += float64(v)
		}
		mean = append(mean, float32(sum/float64(len(plane))))
	}
	return slices.Repeat(mean, Vision.Tokens()), m.step()
}

// Tokenize returns a token for each byte.
func (m *Model) Tokenize(text string) (tokens []int32, err error) {
	for _, b := range []byte(text) {
		tokens = append(tokens, firstByte+int32(b))
	}
	return tokens, nil
}

// Prefill decides what the answer is.
func (m *Model) Prefill(embeddings []float32, tokens []int32, maxNewTokens int) ([]float32, error) {
	var b []byte
	for _, t := range tokens[1 : len(tokens)-1] {
		b = append(b, byte(t-firstByte))
	}
	prompt := string(b)
	m.answer, m.at, m.slow, m.fault = tokensOf(Answer(embeddings, prompt)), 0, 0, ""
	words := strings.Fields(prompt)
	switch {
	case prompt == "fail":
		return nil, errors.New("no numbers in /secret/path")
	case prompt == "refuse":
		return nil, runner.InvalidRequestf("this cannot be asked")
	case len(words) == 2 && words[0] == "fault":
		m.fault = words[1]
	case len(words) > 2 && words[0] == "slow":
		ms, _ := strconv.Atoi(words[1])
		m.slow = time.Duration(ms) * time.Millisecond
	}
	return m.logits(), m.step()
}

// Answer returns the toy's answer to a prompt about images with these embeddings.
func Answer(images []float32, prompt string) string {
	var colours []string
	var mean [3]int
	for img := range slices.Chunk(images, Vision.Tokens()*3) {
		for i := range mean {
			mean[i] = int(math.Round((float64(img[i]) + 1) * 127.5))
		}
		colours = append(colours, fmt.Sprintf("%02x%02x%02x", mean[0], mean[1], mean[2]))
	}
	if prompt == "empty" {
		return ""
	}
	task, thing, _ := strings.Cut(prompt, " ")
	if task == "detect" || task == "segment" {
		var box string
		for _, bin := range []int{mean[0], mean[1], 1023 - mean[2], 1023} {
			box += paligemma.LocPiece(bin)
		}
		if task == "segment" {
			for i := range 16 {
				box += paligemma.SegPiece(i)
			}
		}
		return box + " " + thing
	}
	return strings.Join(append(colours, prompt), " ")
}

// tokensOf turns an answer into tokens, with EOS at the end.
func tokensOf(text string) (out []int32) {
	for text != "" {
		var n int
		switch {
		case strings.HasPrefix(text, "<loc"):
			n, _ = strconv.Atoi(text[4:8])
			out, text = append(out, firstLoc+int32(n)), text[9:]
		case strings.HasPrefix(text, "<seg"):
			n, _ = strconv.Atoi(text[4:7])
			out, text = append(out, firstLoc+paligemma.Locations+int32(n)), text[8:]
		default:
			out, text = append(out, firstByte+int32(text[0])), text[1:]
		}
	}
	return append(out, paligemma.EOS)
}

// logits returns logits of which the next token of the answer has the largest by far.
func (m *Model) logits() []float32 {
	l := make([]float32, vocabulary.Len())
	l[m.answer[min(m.at, len(m.answer)-1)]] = 20
	m.at++
	return l
}

// Step returns the logits of the next token, whatever the last one was.
func (m *Model) Step(int32) ([]float32, error) {
	time.Sleep(m.slow)
	if m.fault != "" && m.at == 2 {
		misbehave(m.fault, m.connection)
	}
	return m.logits(), m.step()
}

func (m *Model) step() error {
	m.steps.Add(1)
	if m.stopped.Load() {
		return errors.New("stopped")
	}
	return nil
}

// Interrupt makes all steps fail until Resume.
func (m *Model) Interrupt() { m.stopped.Store(true) }
func (m *Model) Resume()    { m.stopped.Store(false) }
