package main

// This file: what pali bench tells. Before it: bench.go, which measured it.

import (
	"fmt"
	"io"

	"github.com/pali-gguf/pali/bindings/kernels"
	"github.com/pali-gguf/pali/gemma"
	"github.com/pali-gguf/pali/gguf"
	"github.com/pali-gguf/pali/mmproj"
)

// benchReport is what pali bench --json prints.
type benchReport struct {
	Picture       *spread   `json:"picture,omitempty"` // one: read and resized, if it is a file
	Vision        spread    `json:"siglip"`            // of one picture
	Prefill       spread    `json:"prefill"`
	Decode        spread    `json:"decode"`
	Total         spread    `json:"end_to_end"`
	Load          float64   `json:"load_ms"`
	Images        int       `json:"images"`
	PrefillTokens int       `json:"prefill_tokens"`
	DecodeTokens  int       `json:"decode_tokens"`
	Threads       int       `json:"threads"`
	KV            string    `json:"kv"`
	TextFile      benchFile `json:"text"`
	VisionFile    benchFile `json:"mmproj"`
	PeakBytes     int64     `json:"peak_resident_bytes,omitempty"`
	// EstimatedBytes is what pali estimate tells of a request like a round.
	EstimatedBytes int64         `json:"estimated_bytes"`
	Machine        machineLimits `json:"machine"`
}

type benchFile struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
	Type  string `json:"type"` // of most of it
}

// machineLimits is what the machine can do at most, with as many threads as the model had.
type machineLimits struct {
	Read float64 `json:"read_bytes_per_second"`
	Int8 float64 `json:"int8_per_second,omitempty"`
	BF16 float64 `json:"bf16_per_second,omitempty"`
	F32  float64 `json:"f32_per_second,omitempty"`
}

// addFiles says what part of the machine's limits was reached with the two files, and how much memory was told to be needed.
func (r *benchReport) addFiles(text, vision string, l kernels.Limits) error {
	r.Machine = machineLimits{l.Read, l.Int8, l.BF16, l.F32}
	var s stored
	err := withFile(text, func(f *gguf.File) error {
		m, err := gemma.Check(f)
		if err != nil {
			return err
		}
		table, _ := f.Tensor(gemma.TokenEmbd)
		s.text, s.textBytes = m.TextConfig, f.Size
		w := workOf(f, l, table)
		r.TextFile = benchFile{text, f.Size, w.most.String()}
		r.Prefill.share(w.seconds*float64(r.PrefillTokens), w.limit)
		r.Decode.share(float64((w.bytes+table.Bytes())*int64(r.DecodeTokens-1))/l.Read, "memory read")
		return nil
	})
	if err != nil {
		return err
	}
	return withFile(vision, func(f *gguf.File) error {
		c, err := mmproj.Check(f)
		if err != nil {
			return err
		}
		position, _ := f.Tensor(mmproj.PositionEmbd)
		s.vision, s.visionBytes = c, f.Size
		w := workOf(f, l, position)
		r.VisionFile = benchFile{vision, f.Size, w.most.String()}
		if tokens := float64(c.Tokens()); l.F32 > 0 {
			attention := 4 * tokens * tokens * float64(c.EmbeddingLength*c.BlockCount) // queries with keys, weights with values: in 32-bit floats
			r.Vision.share(w.seconds*tokens+attention/l.F32, w.limit)
		}
		r.EstimatedBytes = s.memory(kvTypes[r.KV], r.PrefillTokens, r.PrefillTokens+r.DecodeTokens).Memory
		return nil
	})
}

// work is what one position costs in the matrices of a file, and the bytes that they are.
type work struct {
	most    gguf.Type // the type of most of the bytes
	limit   string    // what products with that type are compared with
	seconds float64   // at the machine's rates, two operations for each element; 0 if one is not known
	bytes   int64
}

// workOf adds up a file's matrices but for its table.
func workOf(f *gguf.File, l kernels.Limits, table gguf.Tensor) work {
	var w work
	by, known := map[gguf.Type]int64{}, true
	for _, t := range f.Tensors {
		if t.Name == table.Name || len(t.Shape) < 2 {
			continue
		}
		rate, _ := rateOf(l, t.Type)
		known = known && rate > 0
		w.seconds += 2 * float64(t.Len()) / rate
		w.bytes += t.Bytes()
		if by[t.Type] += t.Bytes(); by[t.Type] > by[w.most] {
			w.most = t.Type
		}
	}
	if _, w.limit = rateOf(l, w.most); !known {
		w.seconds = 0
	}
	return w
}

// rateOf returns the limit that products with weights of a type are compared with, 0 if it is not known.
func rateOf(l kernels.Limits, t gguf.Type) (limit float64, name string) {
	switch {
	case t.Blocked():
		return l.Int8, "int8 products"
	case t == gguf.BF16 && l.BF16 > 0:
		return l.BF16, "bf16 products"
	}
	return l.F32, "f32 products"
}

func (r *benchReport) print(w io.Writer) error {
	p := &linePrinter{w: w}
	p.line("%s, %s, %s", r.TextFile.Path, bytesText(r.TextFile.Bytes), r.TextFile.Type)
	p.line("%s, %s, %s", r.VisionFile.Path, bytesText(r.VisionFile.Bytes), r.VisionFile.Type)
	p.line("%d threads, KV cache %s; %d positions of prefix, %d tokens of answer", r.Threads, r.KV, r.PrefillTokens, r.DecodeTokens)
	p.line("")
	p.line("%-12s %10s %10s %10s  %20s  %s", "", "median ms", "min", "max", "", "share of the limit")
	row := func(name string, s spread, unit string) {
		rate, share := fmt.Sprintf("%.3g %s", s.Rate, unit), ""
		if s.Limit != "" {
			share = fmt.Sprintf("%.0f %% of %s", 100*s.Share, s.Limit)
		}
		p.line("%-12s %10.1f %10.1f %10.1f  %20s  %s", name, s.Median, s.Min, s.Max, rate, share)
	}
	p.line("%-12s %10.1f", "load", r.Load)
	if r.Picture != nil {
		row("picture", *r.Picture, "pictures/s")
	}
	row("siglip", r.Vision, "pictures/s")
	row("prefill", r.Prefill, "tokens/s")
	row("decode", r.Decode, "tokens/s")
	row("end to end", r.Total, "answers/s")
	p.line("")
	limits := fmt.Sprintf("this machine at most: memory read %.1f GB/s", r.Machine.Read/1e9)
	for _, v := range []struct {
		rate float64
		name string
	}{{r.Machine.Int8, "int8"}, {r.Machine.BF16, "bf16"}, {r.Machine.F32, "f32"}} {
		if v.rate > 0 {
			limits += fmt.Sprintf(", %s %.0f G operations/s", v.name, v.rate/1e9)
		}
	}
	p.line("%s", limits)
	if r.PeakBytes > 0 {
		p.line("peak resident memory: %s, estimated %s", bytesText(r.PeakBytes), bytesText(r.EstimatedBytes))
	}
	return p.err
}

// linePrinter writes lines until one fails.
type linePrinter struct {
	w   io.Writer
	err error
}

func (p *linePrinter) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}
