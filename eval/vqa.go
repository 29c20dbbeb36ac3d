package eval

// This file: VQA accuracy, the mean over all ways of leaving one of the people's answers out. The
// definition is big_vision's vqav2.py, which follows the official code with its oddities.

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// fewestVQA is the least number of people's answers for which a right answer can have the accuracy
// 1. VQA's own questions have ten.
const fewestVQA = 4

// VQA is the mean, over the truths left out one at a time, of a third of the number of other truths
// that the answer equals, at most 1. Where the truths differ from each other, all texts are
// normalized first.
func VQA(truths []string, answer string) float64 {
	blanks := strings.NewReplacer("\n", " ", "\t", " ")
	people := make([]string, len(truths))
	for i, t := range truths {
		people[i] = strings.TrimSpace(blanks.Replace(t))
	}
	answer = strings.TrimSpace(blanks.Replace(answer))
	if slices.ContainsFunc(people, func(t string) bool { return t != people[0] }) {
		answer = normalizeVQA(answer)
		for i := range people {
			people[i] = normalizeVQA(people[i])
		}
	}
	equal := 0
	for _, t := range people {
		if t == answer {
			equal++
		}
	}
	sum := 0.0
	for _, t := range people {
		others := equal
		if t == answer {
			others--
		}
		sum += min(1, float64(others)/3)
	}
	return sum / float64(len(people))
}

const marks = ";/[]\"{}()=+\\_-><@`,?!"

var digitComma = regexp.MustCompile(`\p{Nd},\p{Nd}`)

// normalizeVQA drops or blanks punctuation, lowercases, drops articles, and replaces words by the
// table of vqawords.go.
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

// withoutStops drops every full stop that no digit follows.
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
