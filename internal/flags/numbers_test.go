package flags

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestNumbers(t *testing.T) {
	const none = -1 << 63
	for _, c := range []struct {
		text         string
		whole, bytes int64
	}{
		{"4", 4, 4},
		{" 4\t", 4, 4},
		{"-1", -1, -1},
		{"+7", 7, 7},
		{"224.0", 224, 224},
		{"224.", 224, 224},
		{"1e3", 1000, 1000},
		{"1_000_000", 1000000, 1000000},
		{"1_000.0", 1000, 1000},
		{"0x10", 16, 16},
		{"9223372036854775807", 9223372036854775807, 9223372036854775807},
		{"32MiB", none, 32 << 20},
		{"32 mib", none, 32 << 20},
		{"4GB", none, 4e9},
		{"1.5 GB", none, 1.5e9},
		{"10kB", none, 10000},
		{"512B", none, 512},
		{"512 bytes", none, 512},
		{"224.5", none, none},
		{"1,000", none, none},
		{"1.000,5", none, none},
		{"1 000", none, none},
		{"_1", none, none},
		{"1__0.0", none, none},
		{"4G", none, none},
		{"GB", none, none},
		{"1e30", none, none},
		{"9223372036854775808", none, none},
		{"1e300GB", none, none},
		{"NaN", none, none},
		{"inf", none, none},
		{"", none, none},
		{"four", none, none},
	} {
		t.Run(c.text, func(t *testing.T) {
			for _, r := range []struct {
				name string
				read func(string) (int64, error)
				want int64
				says string
			}{{"whole", whole, c.whole, "want a whole number"},
				{"bytes", byteCount, c.bytes, "want a number of bytes"}} {
				n, err := r.read(c.text)
				if r.want == none && (err == nil || !strings.Contains(err.Error(), r.says)) ||
					r.want != none && (err != nil || n != r.want) {
					t.Errorf("%s: %d, %v, want %d", r.name, n, err, r.want)
				}
			}
		})
	}
}

func TestTakeNumbers(t *testing.T) {
	flags := pflag.NewFlagSet("x", pflag.ContinueOnError)
	threads := flags.Int("threads", 2, "threads")
	body := flags.Int64("max-body", 5, "largest request in bytes")
	memory := flags.Float64("memory", 0, "bytes of all models")
	share := flags.Float64("share", 0, "share")
	name := flags.String("name", "", "bytes")
	TakeNumbers(flags)
	if err := flags.Parse([]string{"--threads", "8.0", "--max-body=32MiB", "--name", "8.0", "--memory", "4GB",
		"--share=0.5"}); err != nil || *threads != 8 ||
		*body != 32<<20 || *memory != 4e9 || *share != 0.5 || *name != "8.0" {
		t.Error(err, *threads, *body, *name)
	}
	for text, want := range map[string]float64{" 0.5 ": 0.5, "50%": 0.5, "50 %": 0.5, "1e-3": 0.001, "-1": -1} {
		if err := flags.Set("share", text); err != nil || *share != want {
			t.Errorf("%q: %v, %v", text, *share, err)
		}
	}
	for text, want := range map[string]string{"0,5": "want a number with a point, as 0.5",
		"half": "want a number, as 0.5",
		"%":    "want a number, as 0.5"} {
		if err := flags.Set("share", text); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if n, err := flags.GetInt("threads"); n != 8 || err != nil {
		t.Error(n, err)
	}
	err := flags.Parse([]string{"--threads", "many"})
	if err == nil || !strings.Contains(err.Error(), `"many"`) || !strings.Contains(err.Error(), "whole number, as 4") {
		t.Error(err)
	}
	if usage := flags.FlagUsages(); !strings.Contains(usage, "--threads int") ||
		!strings.Contains(usage, "(default 2)") {
		t.Error(usage)
	}
}
