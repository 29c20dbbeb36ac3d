// Command load asks a running server the demo's questions from many clients at once, and compares
// the answers with those known beforehand.
//
//	go -C scripts run ./load --clients 32 http://127.0.0.1:11435
//
// Before it: pali serve with the demo's model, and testdata/demo/pictures/answers.jsonl, the answers
// of the program that trained it. After it: one line for a table (scripts/gpu-check.sh). It exits
// with 1 where a request failed, or fewer answers than --share are the known ones.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
)

func main() {
	err := run(os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// run does what the command line says.
func run(args []string, stdout io.Writer) error {
	fs := pflag.NewFlagSet("load", pflag.ContinueOnError)
	clients := fs.Int("clients", 32, "clients that ask at the same time")
	asks := fs.Int("asks", 10, "questions of each client")
	known := fs.String("answers", "testdata/demo/pictures/answers.jsonl", "questions with their known answers")
	wait := fs.Duration("wait", 0, "how long the server may take until it is ready")
	share := fs.Float64("share", 0.97, "least share of known answers")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() != 1 || *clients < 1 || *asks < 1 {
		return errors.New("want the server's address, and at least one client and one question")
	}
	questions, err := readQuestions(*known)
	if err != nil {
		return err
	}
	t := &tally{address: strings.TrimSuffix(fs.Arg(0), "/")}
	if err := t.ready(*wait); err != nil {
		return err
	}
	start := time.Now()
	var wg sync.WaitGroup
	for n := range *clients {
		wg.Go(func() {
			for i := range *asks {
				t.add(questions[(n**asks+i)%len(questions)])
			}
		})
	}
	wg.Wait()
	return t.report(stdout, *clients, time.Since(start), *share)
}

// question is a line of answers.jsonl.
type question struct {
	Image  string `json:"image"`
	Prefix string `json:"prefix"`
	Answer string `json:"answer"`
	file   []byte // the image
}

// readQuestions reads the questions about lossless images, and the images beside them: decoders of
// JPEG differ a little, and answers with them.
func readQuestions(path string) ([]question, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []question
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if !strings.HasSuffix(q.Image, ".png") {
			continue
		}
		if q.file, err = os.ReadFile(filepath.Join(filepath.Dir(path), q.Image)); err != nil {
			return nil, err
		}
		all = append(all, q)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no questions about PNG files", path)
	}
	return all, nil
}

// tally gathers what the clients see.
type tally struct {
	address string

	mu       sync.Mutex
	times    []time.Duration // of answers
	other    []string        // answers that are not the known ones
	refused  int             // times that the queue was full
	failures []error
}

// ready waits until the server has loaded its model, for at most limit.
func (t *tally) ready(limit time.Duration) error {
	end := time.Now().Add(limit)
	for {
		r, err := http.Get(t.address + "/health")
		if err != nil {
			return err // it has ended
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server is not ready: %s", r.Status)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// add asks one question, again while the queue is full.
func (t *tally) add(q question) {
	for {
		start := time.Now()
		text, full, err := ask(t.address, q)
		took := time.Since(start)
		t.mu.Lock()
		switch {
		case full:
			t.refused++
		case err != nil:
			t.failures = append(t.failures, err)
		default:
			t.times = append(t.times, took)
			if text != q.Answer {
				t.other = append(t.other, fmt.Sprintf("%s %q: have %q, known %q", q.Image, q.Prefix, text, q.Answer))
			}
		}
		t.mu.Unlock()
		if !full {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// ask returns the server's answer, or that its queue is full.
func ask(address string, q question) (text string, full bool, err error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("image", q.Image)
	if err != nil {
		return "", false, err
	}
	part.Write(q.file)
	form.WriteField("prompt", q.Prefix)
	form.WriteField("max_tokens", "128")
	form.Close()
	r, err := http.Post(address+"/v1/run", form.FormDataContentType(), &body)
	if err != nil {
		return "", false, err
	}
	defer r.Body.Close()
	reply, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	switch {
	case err != nil:
		return "", false, err
	case r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusServiceUnavailable:
		return "", true, nil
	case r.StatusCode != http.StatusOK:
		return "", false, fmt.Errorf("%s %q: %s: %.300s", q.Image, q.Prefix, r.Status, reply)
	}
	var answer struct{ Text string }
	if err := json.Unmarshal(reply, &answer); err != nil {
		return "", false, fmt.Errorf("%s %q: %w", q.Image, q.Prefix, err)
	}
	return answer.Text, false, nil
}

// report prints the line, and the answers that are not the known ones.
func (t *tally) report(w io.Writer, clients int, took time.Duration, least float64) error {
	if len(t.failures) > 0 {
		return fmt.Errorf("%d requests failed, the first: %w", len(t.failures), t.failures[0])
	}
	slices.Sort(t.times)
	n := len(t.times)
	share := 1 - float64(len(t.other))/float64(n)
	ms := func(i int) float64 { return t.times[i].Seconds() * 1000 }
	for _, s := range t.other[:min(len(t.other), 10)] {
		fmt.Fprintln(w, s)
	}
	fmt.Fprintf(w, "%d answers to %d clients, %.1f a second, p50 %.0f ms, p99 %.0f ms, %.1f %% as known, %d refused\n",
		n, clients, float64(n)/took.Seconds(), ms(n/2), ms(n*99/100), 100*share, t.refused)
	if share < least {
		return fmt.Errorf("%.1f %% of the answers are the known ones, want %.1f %%", 100*share, 100*least)
	}
	return nil
}
