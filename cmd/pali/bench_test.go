package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/pali-gguf/pali/internal/bench"
)

// positive fails on every number of a JSON value that is not above zero, and returns how many there
// are.
func positive(t *testing.T, at string, v any) (numbers int) {
	switch v := v.(type) {
	case map[string]any:
		for key, x := range v {
			numbers += positive(t, at+"."+key, x)
		}
	case float64:
		if numbers++; !(v > 0) || math.IsInf(v, 0) {
			t.Errorf("%s is %v", at, v)
		}
	}
	return numbers
}

func TestBench(t *testing.T) {
	folder := workplace(t)
	o := run(t, program(folder, "bench", "-m", "d", "-r", "2", "-t", "1", "--max-tokens", "4", "--images", "2",
		"--json"))
	var all map[string]any
	if err := json.Unmarshal([]byte(o.stdout), &all); err != nil || o.code != 0 || o.stderr != "" {
		t.Fatalf("%v: %+v", err, o)
	}
	if n := positive(t, "", all); n < 25 {
		t.Errorf("%d numbers in\n%s", n, o.stdout)
	}
	var r bench.Report
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatal(err)
	}
	if r.PrefillTokens != 2*64+8 || r.DecodeTokens != 4 || r.Vision.Min > r.Vision.Median ||
		r.Vision.Median > r.Vision.Max || r.TextFile.Type != "F32" || r.Image != nil {
		t.Errorf("%+v", r)
	}
	if sum := 2*r.Vision.Median + r.Prefill.Median + r.Decode.Median; r.Total.Max < sum/2 {
		t.Errorf("a round takes %v ms at most, and its parts %v", r.Total.Max, sum)
	}
	o = run(t, program(folder, "bench", "-m", "d", "-r", "1", "-t", "1", "-i", photo))
	for _, want := range []string{"\nimage ", "siglip", "prefill", "decode", "end to end", "this machine at most"} {
		if !strings.Contains(o.stdout, want) || o.code != 0 {
			t.Errorf("no %q in %+v", want, o)
		}
	}
	for _, args := range [][]string{{"-r", "0"}, {"--images", "17"}, {"--prompt-tokens", "1"}, {"--max-tokens", "1"}} {
		if o := run(t, program(folder, append([]string{"bench", "-m", "d"}, args...)...)); o.code != 2 ||
			!strings.Contains(o.stderr, ": want ") {
			t.Errorf("%v: %+v", args, o)
		}
	}
}
