package eval

// This file: the records summed up.

import (
	"maps"
	"math"
	"slices"

	"github.com/pali-gguf/pali/tasks"
)

// Summary is the result of an evaluation.
type Summary struct {
	Questions int           `json:"questions"`
	Score     *Mean         `json:"score"`  // of Scores.Primary over all questions
	Scores    []TaskScore   `json:"scores"` // by task
	Against   *AgainstMeans `json:"against,omitempty"`
	Lost      tasks.Losses  `json:"lost,omitzero"` // boxes without area are scored, and are not in it
	Timings   Medians       `json:"timings"`
}

// Mean is a mean of N values.
type Mean struct {
	Value float64 `json:"value"`
	N     int     `json:"n"`
}

// TaskScore is one score of one task.
type TaskScore struct {
	Task   string   `json:"task"`
	Metric string   `json:"metric"`
	Value  *float64 `json:"value"` // nil: not measured; Note says why
	N      int      `json:"n"`     // questions; hits, for the IoU of hits
	Note   string   `json:"note,omitempty"`
}

// AgainstMeans compares the model with its reference.
type AgainstMeans struct {
	KLMean    float64 `json:"kl_mean"` // over all positions of the reference's answers, in nats
	KLP99     float64 `json:"kl_p99"`  // the 99th percentile over them, interpolated linearly
	Positions int     `json:"positions"`
	EqualTop  float64 `json:"equal_top"`     // share of the positions
	Equal     float64 `json:"equal_answers"` // share of the questions
}

// Medians are median times in milliseconds: a short disturbance of the machine does not change
// them.
type Medians struct {
	Vision       float64 `json:"vision_ms"`        // of an image
	Prefill      float64 `json:"prefill_ms"`       // of a question
	PrefillToken float64 `json:"prefill_token_ms"` // of a token of image and prompt
	Decode       float64 `json:"decode_ms"`        // of a question
	DecodeToken  float64 `json:"decode_token_ms"`  // of a token of the answer
}

// metrics lists the scores that are means over questions.
var metrics = []struct {
	name string
	of   func(Scores) *float64
}{
	{"exact", func(s Scores) *float64 { return s.Exact }},
	{"VQA accuracy", func(s Scores) *float64 { return s.VQA }},
	{"ANLS", func(s Scores) *float64 { return s.ANLS }},
	{"relaxed accuracy", func(s Scores) *float64 { return s.Relaxed }},
	{"F1 at IoU 0.5", func(s Scores) *float64 { return s.F1 }},
	{"box IoU", func(s Scores) *float64 { return s.BoxIoU }},
	{"mask IoU", func(s Scores) *float64 { return s.MaskIoU }},
}

// Summarize returns the means over records.
func Summarize(records []Record) Summary {
	s := Summary{Questions: len(records), Score: overall(records), Scores: []TaskScore{}, Against: against(records),
		Lost: lost(records), Timings: timings(records)}
	byTask := map[string][]Record{}
	for _, r := range records {
		byTask[group(r.Prefix)] = append(byTask[group(r.Prefix)], r)
	}
	for _, task := range slices.Sorted(maps.Keys(byTask)) {
		s.Scores = append(s.Scores, taskScores(task, byTask[task])...)
	}
	return s
}

// taskScores returns the scores of one task, whose records these are.
func taskScores(task string, records []Record) []TaskScore {
	var out []TaskScore
	add := func(metric string, values []float64) {
		if len(values) > 0 {
			m := mean(values)
			out = append(out, TaskScore{Task: task, Metric: metric, Value: &m, N: len(values)})
		}
	}
	for _, metric := range metrics {
		var values []float64
		for _, r := range records {
			if v := metric.of(r.Scores); v != nil {
				values = append(values, *v)
			}
		}
		add(metric.name, values)
	}
	var hits []float64
	var found []Detected
	segments := 0
	for _, r := range records {
		hits = append(hits, r.Scores.Hits...)
		if d, ok := r.Detected(); ok {
			found = append(found, d)
		}
		if r.Scores.BoxIoU != nil && r.Scores.MaskIoU == nil {
			segments++
		}
	}
	add("mean IoU of hits", hits)
	for _, p := range []struct {
		name  string
		at    []float64
		found []Detected
	}{
		{"AP at IoU 0.5", []float64{0.5}, found},
		{"mAP at IoU 0.5 to 0.95", COCO(), found},
		{"mAP by place in the answer", COCO(), RankByPosition(found)},
	} {
		if v, ok := AveragePrecision(p.found, p.at); ok {
			out = append(out, TaskScore{Task: task, Metric: p.name, Value: &v, N: len(found)})
		}
	}
	if segments > 0 {
		out = append(out, TaskScore{Task: task, Metric: "mask IoU", N: segments,
			Note: "not measured: there is no mask file"})
	}
	return out
}

// lost returns what the answers lost.
func lost(records []Record) (all tasks.Losses) {
	for _, r := range records {
		if r.CutOff {
			all.CutOff++
		}
		all.AddUnparsed(r.Unparsed...)
		p := parse(r.Prefix)
		for i := range r.Objects {
			all.Keep(tasks.Want{Prompt: p, Masks: p.Masks(), Decoder: true}, &r.Objects[i])
		}
	}
	all.NoArea = 0
	return all
}

// overall returns the mean of Scores.Primary; nil if no question has a true answer.
func overall(records []Record) *Mean {
	var values []float64
	for _, r := range records {
		if v, ok := r.Scores.Primary(); ok {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return nil
	}
	return &Mean{mean(values), len(values)}
}

// against returns the means of the divergences; nil if no record has any.
func against(records []Record) *AgainstMeans {
	var all []float64
	m := &AgainstMeans{}
	asked := 0
	for _, r := range records {
		if r.Against == nil {
			continue
		}
		asked++
		all = append(all, r.Against.KL...)
		m.EqualTop += float64(r.Against.Top)
		if r.Against.Equal {
			m.Equal++
		}
	}
	if len(all) == 0 {
		return nil
	}
	m.Positions, m.KLMean, m.KLP99 = len(all), mean(all), percentile(all, 0.99)
	m.EqualTop /= float64(len(all))
	m.Equal /= float64(asked)
	return m
}

// timings returns the median times of the records.
func timings(records []Record) Medians {
	var vision, prefill, prefillToken, decode, decodeToken []float64
	for _, r := range records {
		t := r.Timings
		if t.Images > 0 {
			vision = append(vision, t.Vision/float64(t.Images))
		}
		prefill, decode = append(prefill, t.Prefill), append(decode, t.Decode)
		prefillToken = append(prefillToken, t.Prefill/float64(max(t.PrefillTokens, 1)))
		decodeToken = append(decodeToken, t.Decode/float64(max(r.Tokens, 1)))
	}
	median := func(values []float64) float64 { return percentile(values, 0.5) }
	return Medians{median(vision), median(prefill), median(prefillToken), median(decode), median(decodeToken)}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// percentile returns the value below which share (0 to 1) of the values are, interpolated linearly
// between the two nearest; 0 if there are no values.
func percentile(values []float64, share float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := share * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}
