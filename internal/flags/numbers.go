package flags

// This file: the numbers that a person writes on a command line: whole ones also as "224.0", "1e3"
// or "1_000", shares also as "50%", and bytes also as "32MiB" or "4GB".

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// units are those of bytes, in small letters. "M" alone is not one: it is a million for some, and
// 1,048,576 for others.
var units = []struct {
	name string
	of   float64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"bytes", 1}, {"b", 1},
}

// whole reads a whole number.
func whole(text string) (int64, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return n, nil
	}
	v, err := float(text)
	if err != nil || v != math.Trunc(v) || math.Abs(v) >= 1<<53 {
		return 0, fmt.Errorf("want a whole number, as 4")
	}
	return int64(v), nil
}

// byteCount reads a number of bytes, with a unit or without.
func byteCount(text string) (int64, error) {
	number, of := strings.ToLower(strings.TrimSpace(text)), 1.0
	for _, u := range units {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, of = rest, u.of
			break
		}
	}
	if of == 1 {
		if n, err := whole(number); err == nil {
			return n, nil
		}
	}
	v, err := float(strings.TrimSpace(number))
	if v = math.Round(v * of); err != nil || of == 1 || math.Abs(v) >= 1<<62 {
		return 0, fmt.Errorf("want a number of bytes, as 33554432, 32MiB or 32MB")
	}
	return int64(v), nil
}

// decimal reads a decimal number, also in percent.
func decimal(text string) (float64, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64) // NaN too: the flag's bounds refuse it
	if err != nil && strings.Contains(number, ",") {
		return 0, fmt.Errorf("want a number with a point, as 0.5")
	} else if err != nil {
		return 0, fmt.Errorf("want a number, as 0.5")
	}
	if percent {
		v /= 100
	}
	return v, nil
}

// float reads a finite decimal number, also with _ between digits.
func float(text string) (float64, error) {
	if strings.Contains(text, "_") {
		if !grouped(text) {
			return 0, strconv.ErrSyntax
		}
		text = strings.ReplaceAll(text, "_", "")
	}
	v, err := strconv.ParseFloat(text, 64)
	if err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		err = strconv.ErrRange
	}
	return v, err
}

// grouped reports whether every _ of text stands between digits.
func grouped(text string) bool {
	digit := func(i int) bool { return i >= 0 && i < len(text) && text[i] >= '0' && text[i] <= '9' }
	for i := range len(text) {
		if text[i] == '_' && !(digit(i-1) && digit(i+1)) {
			return false
		}
	}
	return true
}

// TakeNumbers makes the numbers among flags take what whole and decimal read, and those of bytes, which
// say so in their usage, what byteCount reads.
func TakeNumbers(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		integer := false
		switch f.Value.Type() {
		case "int", "int64":
			integer = true
		case "float64":
		default:
			return
		}
		switch {
		case strings.Contains(f.Usage, "bytes"):
			f.Value = value[int64]{f.Value, byteCount}
		case integer:
			f.Value = value[int64]{f.Value, whole}
		default:
			f.Value = value[float64]{f.Value, decimal}
		}
	})
}

// value is a flag's value that read reads.
type value[T any] struct {
	pflag.Value
	read func(text string) (T, error)
}

func (v value[T]) Set(text string) error {
	n, err := v.read(text)
	if err != nil {
		return err
	}
	return v.Value.Set(fmt.Sprint(n))
}
