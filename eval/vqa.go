package eval

// This file: VQA accuracy, the mean over leaving out each of the annotators' answers in turn. The
// definition is big_vision's vqav2.py, which follows the official code with its oddities.

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// minVQA is the least number of annotators' answers for which an answer can have the accuracy 1.
// VQA's own questions have ten.
const minVQA = 4

// VQA returns the mean, over truths left out one at a time, of a third of the number of the other
// truths that are equal to answer, at most 1. If the truths differ, all texts are normalized first.
func VQA(truths []string, answer string) float64 {
	blanks := strings.NewReplacer("\n", " ", "\t", " ")
	annotated := make([]string, len(truths))
	for i, t := range truths {
		annotated[i] = strings.TrimSpace(blanks.Replace(t))
	}
	answer = strings.TrimSpace(blanks.Replace(answer))
	if slices.ContainsFunc(annotated, func(t string) bool { return t != annotated[0] }) {
		answer = normalizeVQA(answer)
		for i := range annotated {
			annotated[i] = normalizeVQA(annotated[i])
		}
	}
	equal := 0
	for _, t := range annotated {
		if t == answer {
			equal++
		}
	}
	sum := 0.0
	for _, t := range annotated {
		others := equal
		if t == answer {
			others--
		}
		sum += min(1, float64(others)/3)
	}
	return sum / float64(len(annotated))
}

// marks are the punctuation characters that normalizeVQA removes.
const marks = ";/[]\"{}()=+\\_-><@`,?!"

// digitComma matches a comma between two digits.
var digitComma = regexp.MustCompile(`\p{Nd},\p{Nd}`)

// normalizeVQA removes punctuation or replaces it by blanks, lowercases, removes articles, and
// replaces words by the table in vqawords.go.
func normalizeVQA(text string) string {
	out, joined := text, digitComma.MatchString(text)
	for _, m := range marks {
		mark := string(m)
		if joined || strings.Contains(text, mark+" ") || strings.Contains(text, " "+mark) {
			out = strings.ReplaceAll(out, mark, "")
		} else {
			out = strings.ReplaceAll(out, mark, " ")
		}
	}
	var words []string
	for _, w := range strings.Fields(strings.ToLower(withoutStops(out))) {
		if w == "a" || w == "an" || w == "the" {
			continue
		}
		if r, ok := vqaWords[w]; ok {
			w = r
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// withoutStops removes every full stop that is not followed by a digit.
func withoutStops(text string) string {
	var out strings.Builder
	for i, r := range text {
		if r == '.' {
			if next, _ := utf8.DecodeRuneInString(text[i+1:]); !unicode.IsDigit(next) {
				continue
			}
		}
		out.WriteRune(r)
	}
	return out.String()
}
