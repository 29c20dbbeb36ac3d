package eval

// This file: one question, answered and scored.

import (
	"strings"

	"github.com/pali-gguf/pali/runner"
	"github.com/pali-gguf/pali/tasks"
)

// Record is a question with its answer and its scores: a line of the journal.
type Record struct {
	Run     string     `json:"run"`  // differs for runs with options that give other answers
	Line    int        `json:"line"` // of the question in its file
	Image   string     `json:"image"`
	Prefix  string     `json:"prefix"`
	Suffix  References `json:"suffix"`
	Answer  string     `json:"answer"`
	Tokens  int        `json:"tokens"`            // of the answer, with the end token if there is one
	Objects Detections `json:"objects,omitempty"` // of a detection or segmentation
	// Unparsed are the parts of such an answer that are not objects.
	Unparsed []string     `json:"unparsed,omitempty"`
	CutOff   bool         `json:"cut_off,omitempty"` // the limit of tokens ended the answer
	Scores   Scores       `json:"scores"`
	Against  *Divergences `json:"against,omitempty"`
	Timings  Timings      `json:"timings"`
}

// Scores are the scores of one question; a score that does not apply is nil.
type Scores struct {
	Exact   *float64  `json:"exact,omitempty"`
	VQA     *float64  `json:"vqa_accuracy,omitempty"`
	ANLS    *float64  `json:"anls,omitempty"`
	Relaxed *float64  `json:"relaxed_accuracy,omitempty"`
	F1      *float64  `json:"f1,omitempty"`
	Hits    []float64 `json:"hit_ious,omitempty"`
	BoxIoU  *float64  `json:"box_iou,omitempty"`
	MaskIoU *float64  `json:"mask_iou,omitempty"`
}

// Primary returns the question's main score: exact for a text, F1 for a detection, the IoU of the
// masks for a segmentation, or of the boxes if masks are not measured. It returns false if there is
// no true answer.
func (s Scores) Primary() (float64, bool) {
	for _, v := range []*float64{s.Exact, s.F1, s.MaskIoU, s.BoxIoU} {
		if v != nil {
			return *v, true
		}
	}
	return 0, false
}

// Divergences compare a model with a reference on one question. The reference answers; the model
// gets that answer token by token.
type Divergences struct {
	Answer string    `json:"answer"`       // the reference's
	KL     []float64 `json:"kl"`           // at each position of the reference's answer, in nats
	Top    int       `json:"equal_top"`    // positions at which both have the same most probable token
	Equal  bool      `json:"equal_answer"` // the model's own answer is the reference's
}

// Timings are the times of a question in milliseconds. The time of an image is that of its first
// question.
type Timings struct {
	Vision        float64 `json:"vision_ms"`
	Prefill       float64 `json:"prefill_ms"`
	Decode        float64 `json:"decode_ms"`
	PrefillTokens int     `json:"prefill_tokens"`
	Images        int     `json:"pictures"` // encoded in Vision: 0 or 1
}

// SetAnswer sets the record's answer to that of out, and its objects if the question asks for
// boxes.
func (r *Record) SetAnswer(out *runner.Result) {
	r.Answer, r.Tokens, r.CutOff = out.Text, len(out.Tokens), tasks.CutOff(tasks.Want{}, out)
	if !parse(r.Prefix).Boxes() {
		return
	}
	r.Objects, r.Unparsed = tasks.ParseDetections(out.Text)
	for i, d := range r.Objects {
		r.Objects[i].Score = tasks.ScoreObject(out.Steps, d.From, d.To)
	}
}

// parse parses a question's prompt; any blanks may separate its words.
func parse(prefix string) tasks.Prompt {
	return tasks.Parse(strings.Join(strings.Fields(prefix), " "))
}

// group returns the name under which a prompt is scored: "caption en", "answer", "detect"; "other"
// if it begins with none of PaliGemma's tasks.
func group(prefix string) string {
	p := parse(prefix)
	switch {
	case p.Task == nil:
		return "other"
	case p.Task.Lang && !p.Task.Question:
		words := strings.Fields(prefix)
		return p.Task.Word + " " + words[len(words)-1]
	}
	return p.Task.Word
}

// Detected returns the true objects of a detection and those of the answer. It returns false if the
// question does not ask for boxes alone, or has no true answer.
func (r *Record) Detected() (Detected, bool) {
	if p := parse(r.Prefix); !p.Boxes() || p.Masks() || len(r.Suffix.Texts) == 0 {
		return Detected{}, false
	}
	return Detected{referenceDetections(r.Suffix.Texts[0]), r.Objects}, true
}

// Score sets r.Scores by comparing the answer with the suffix. Of several true answers to a
// detection or a segmentation the first counts. If mask is nil, the IoU of masks is not measured.
func (r *Record) Score(mask Mask) error {
	r.Scores = Scores{}
	if len(r.Suffix.Texts) == 0 {
		return nil
	}
	switch p := parse(r.Prefix); {
	case p.Masks():
		return r.scoreSegment(referenceDetections(r.Suffix.Texts[0]), mask)
	case p.Boxes():
		f1, hits := F1(referenceDetections(r.Suffix.Texts[0]), r.Objects, len(r.Unparsed))
		r.Scores.F1, r.Scores.Hits = &f1, hits
	default:
		r.scoreText()
	}
	return nil
}

// scoreText compares the answer with the true texts.
func (r *Record) scoreText() {
	references, s := r.Suffix, &r.Scores
	score := func(f func([]string, string) float64) *float64 {
		v := f(references.Texts, r.Answer)
		return &v
	}
	s.Exact = score(Exact)
	if references.List {
		s.ANLS, s.Relaxed = score(ANLS), score(Relaxed)
	}
	if len(references.Texts) >= minVQA {
		s.VQA = score(VQA)
	}
}

// scoreSegment compares the first object of the answer with the first of want. The scores are 0 if
// one of the two has no object, 1 if neither has.
func (r *Record) scoreSegment(want Detections, mask Mask) error {
	var box, overlap float64
	r.Scores.BoxIoU = &box
	if mask != nil {
		r.Scores.MaskIoU = &overlap
	}
	if len(want) == 0 && len(r.Objects)+len(r.Unparsed) == 0 {
		box, overlap = 1, 1
	}
	if len(want) == 0 || len(r.Objects) == 0 {
		return nil
	}
	box = IoU(want[0].Loc, r.Objects[0].Loc)
	if mask == nil {
		return nil
	}
	a, err := mask(want[0])
	if err != nil {
		return err
	}
	b, err := mask(r.Objects[0])
	if err != nil {
		return err
	}
	overlap = MaskIoU(a, b)
	return nil
}
