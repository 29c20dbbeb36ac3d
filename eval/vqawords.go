package eval

// This file: the words that VQA accuracy replaces, from its official evaluation
// (https://visualqa.org/evaluation.html): numbers, contractions that lack an apostrophe, and its
// few irregular entries. Those with a capital are left out: the words are lowercased before.

import "strings"

// vqaWords maps a lowercased word to its replacement.
var vqaWords = newVQAWords()

// contractions are the correct forms; each replaces itself without apostrophes. somebody'd and
// she's, which the official table does not correct, are not among them.
const contractions = `
	ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's
	isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've o'clock oughtn't shan't should've
	shouldn't somebody'll somebody's someone'd someone'll someone's something'd something'll that's there'd there're
	there's they'd they'll they're they've 'twas wasn't we've weren't what'll what're what's what've when's where'd
	where's where've who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd you'll you're
	you've`

// doubles have two apostrophes; either may be missing.
const doubles = `
	couldn't've hadn't've he'd've it'd've mightn't've she'd've shouldn't've somebody'd've someone'd've
	something'd've there'd've they'd've we'd've who'd've wouldn't've you'd've y'all'll`

// newVQAWords makes the table of vqaWords.
func newVQAWords() map[string]string {
	words := map[string]string{
		"somebody'd": "somebodyd", "ow's'at": "'ow's'at", "'ows'at": "'ow's'at", "'ow'sat": "'ow's'at",
		"yall'd've": "y'all'd've", "y'alld've": "y'all'd've", "y'all'dve": "y'all'd've", "none": "0",
	}
	for i, n := range strings.Fields("zero one two three four five six seven eight nine ten") {
		words[n] = strings.Fields("0 1 2 3 4 5 6 7 8 9 10")[i]
	}
	for _, w := range strings.Fields(contractions) {
		words[strings.ReplaceAll(w, "'", "")] = w
	}
	for _, w := range strings.Fields(doubles) {
		words[strings.Replace(w, "'", "", 1)] = w
		last := strings.LastIndexByte(w, '\'')
		words[w[:last]+w[last+1:]] = w
	}
	return words
}
