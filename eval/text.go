package eval

// This file: texts compared with the true ones.

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Exact returns 1 if answer is equal to one of truths, else 0.
func Exact(truths []string, answer string) float64 {
	for _, t := range truths {
		if t == answer {
			return 1
		}
	}
	return 0
}

// ANLS returns the average normalized Levenshtein similarity of one question: that of answer to the
// most similar of truths, 0 if it is not above 0.5. Both are lowercased, as for DocVQA (vqa.py,
// anls_metric; arXiv 1907.00490, equation 1).
func ANLS(truths []string, answer string) float64 {
	best := 0.0
	for _, t := range truths {
		best = max(best, similarity(strings.ToLower(t), strings.ToLower(answer)))
	}
	return best
}

// similarity returns 1 minus the normalized edit distance, and 0 where that is not above 0.5.
func similarity(truth, answer string) float64 {
	a, b := []rune(truth), []rune(answer)
	if len(a) == 0 {
		return Exact([]string{truth}, answer)
	}
	if d := float64(editDistance(a, b)) / float64(max(len(a), len(b))); d < 0.5 {
		return 1 - d
	}
	return 0
}

// editDistance returns the least number of letters to insert, delete or replace that turns a into
// b.
func editDistance(a, b []rune) int {
	row := make([]int, len(b)+1) // distances from a prefix of a to each prefix of b
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			replaced := diagonal
			if x != y {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// Relaxed returns 1 if answer is within 5 % of one of truths that is a number other than 0, or the
// same text as one of truths, else 0. Both are lowercased (chartqa.py, _relaxed_match; arXiv
// 2203.10244, section 5.1).
func Relaxed(truths []string, answer string) float64 {
	answer = strings.ToLower(answer)
	for _, t := range truths {
		if relaxed(strings.ToLower(t), answer) {
			return 1
		}
	}
	return 0
}

// relaxed reports whether answer matches truth; both are lowercased.
func relaxed(truth, answer string) bool {
	a, isNumber := number(answer)
	if t, ok := number(truth); ok && isNumber && t != 0 {
		return math.Abs(a-t)/math.Abs(t) <= 0.05
	}
	return truth == answer
}

// numeral is what Python's float() reads, lowercased and with the digits 0 to 9. D stands for a
// sequence of digits, which single underscores may separate.
var numeral = regexp.MustCompile(strings.ReplaceAll(`^[+-]?(?:(?:D\.?|D?\.D)(?:e[+-]?D)?|inf|infinity|nan)$`, "D",
	`(?:[0-9](?:_?[0-9])*)`))

// number parses a number as chartqa.py does: "12%" is 0.12. It returns false for any other text.
func number(text string) (float64, bool) {
	bare := strings.TrimRight(text, "%")
	digits := strings.TrimSpace(bare)
	if !numeral.MatchString(digits) {
		return 0, false
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(digits, "_", ""), 64)
	if err != nil && !math.IsInf(v, 0) { // a number that is too large is an infinity
		return 0, false
	}
	if bare != text {
		v /= 100
	}
	return v, true
}
