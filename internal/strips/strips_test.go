package strips

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
)

// doubler takes strips of numbers and keeps twice each.
type doubler struct {
	values []float32 // its own memory
	mutex  *sync.Mutex
	out    map[int]float32
	fail   func(s [2]int) (fetch, store error)
}

func (d *doubler) Fetch(s [2]int) ([]float32, error) {
	if d.fail != nil {
		if err, _ := d.fail(s); err != nil {
			return nil, err
		}
	}
	x := Room(&d.values, s[1]-s[0])
	for i := range x {
		x[i] = 2 * float32(s[0]+i)
	}
	return x, nil
}

func (d *doubler) Store(s [2]int, x []float32) error {
	if d.fail != nil {
		if _, err := d.fail(s); err != nil {
			return err
		}
	}
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for i, v := range x {
		if _, twice := d.out[s[0]+i]; twice {
			return fmt.Errorf("%d twice", s[0]+i)
		}
		d.out[s[0]+i] = v
	}
	return nil
}

// double runs n numbers through the engine, in strips of 7.
func double(ctx context.Context, n, threads int, fail func(s [2]int) (fetch, store error)) (map[int]float32, error) {
	out, mutex := map[int]float32{}, &sync.Mutex{}
	err := Run(ctx, threads, func(ctx context.Context, hand func([2]int) error) error {
		for from := 0; from < n; from += 7 {
			if err := hand([2]int{from, min(from+7, n)}); err != nil {
				return err
			}
		}
		return nil
	}, func() Worker[[2]int] { return &doubler{mutex: mutex, out: out, fail: fail} })
	return out, err
}

// Every strip is done once, whatever the threads.
func TestRun(t *testing.T) {
	for _, threads := range []int{-1, 0, 1, 2, 8, 1000} {
		for _, n := range []int{0, 1, 7, 1000} {
			t.Run(fmt.Sprintf("%d threads, %d", threads, n), func(t *testing.T) {
				out, err := double(context.Background(), n, threads, nil)
				if err != nil || len(out) != n {
					t.Fatalf("%d done: %v", len(out), err)
				}
				for i, v := range out {
					if v != 2*float32(i) {
						t.Errorf("%d: %v", i, v)
					}
				}
			})
		}
	}
}

// The first error ends the run: one of cut, of Fetch, or of Store.
func TestRunFails(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		fail func(s [2]int) (fetch, store error)
	}{
		{"fetch", func(s [2]int) (error, error) { return map[bool]error{true: broken}[s[0] == 70], nil }},
		{"store", func(s [2]int) (error, error) { return nil, map[bool]error{true: broken}[s[0] == 70] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out, err := double(context.Background(), 1_000_000, 3, c.fail); !errors.Is(err, broken) ||
				len(out) > 10_000 {
				t.Errorf("%d done: %v", len(out), err)
			}
		})
	}
	t.Run("cut", func(t *testing.T) {
		err := Run(context.Background(), 2, func(context.Context, func([2]int) error) error { return broken },
			func() Worker[[2]int] { return &doubler{} })
		if !errors.Is(err, broken) {
			t.Error(err)
		}
	})
}

// A run that is cancelled says why.
func TestRunCancelled(t *testing.T) {
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	_, err := double(ctx, 1_000_000, 2, func(s [2]int) (fetch, store error) {
		if s[0] == 700 {
			cancel(why)
		}
		return nil, nil
	})
	if !errors.Is(err, why) {
		t.Error(err)
	}
}

func TestRows(t *testing.T) {
	for _, c := range []struct {
		name           string
		n, width, tile int
		want           []int // the first rows, and n
	}{
		{"none", 0, 8, 1, nil},
		{"one strip", 5, 1000, 1, []int{0, 5}},
		{"several", 5, Size / 2, 1, []int{0, 2, 4, 5}},
		{"wide", 3, 5 * Size, 1, []int{0, 1, 2, 3}},
		{"tiles", 40, Size / 20, 16, []int{0, 16, 32, 40}},
		{"wide tiles", 40, Size, 16, []int{0, 16, 32, 40}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var have []int
			for from, to := range Rows(c.n, c.width, c.tile) {
				if len(have) > 0 && have[len(have)-1] != from {
					t.Errorf("%v and then %d", have, from)
				}
				have = append(append(have[:max(len(have)-1, 0)], from), to)
			}
			if !slices.Equal(have, c.want) {
				t.Errorf("have %v, want %v", have, c.want)
			}
		})
	}
}

func TestValueError(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape []int
		at    int
		v     float32
		wrong string
		want  string
	}{
		{"vector", []int{4}, 3, float32(math.NaN()), NotFinite, "element [3] is NaN, want a finite number"},
		{"matrix", []int{4, 5}, 7, 65520, "too large for F16", "element [1 2] is 65520, too large for F16"},
		{"four axes", []int{2, 3, 4, 5}, 119, float32(math.Inf(-1)), NotFinite,
			"element [1 2 3 4] is -Inf, want a finite number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := ValueError(c.shape, c.at, c.v, c.wrong).Error(); have != c.want {
				t.Errorf("have %q, want %q", have, c.want)
			}
		})
	}
}

// Progress counts what several goroutines report.
func TestProgress(t *testing.T) {
	var last, total int64
	count := Progress(1000, func(done, all int64) {
		if done <= last {
			t.Errorf("%d after %d", done, last)
		}
		last, total = done, all
	})
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			for range 100 {
				count(1)
			}
		})
	}
	group.Wait()
	if last != 1000 || total != 1000 {
		t.Errorf("%d of %d", last, total)
	}
	Progress(1, nil)(1)
}
