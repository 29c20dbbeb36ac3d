package dataset

// This file: what the files of single images are called, and may be called.

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// baseNames returns the names without their endings, each once: "a.png" and "a.jpg" become "a" and
// "a_jpg". Names that differ in capitals only are the same to some disks, and so they are here.
func baseNames(sources []Source) []string {
	all, taken := make([]string, len(sources)), map[string]bool{}
	for i, s := range sources {
		ext := ending(s.Name)
		stem := strings.TrimSuffix(s.Name, ext)
		name := stem
		for n := 1; taken[strings.ToLower(name)]; n++ {
			if name = stem + "_" + strings.TrimPrefix(ext, "."); n > 1 {
				name += fmt.Sprint("_", n)
			}
		}
		all[i], taken[strings.ToLower(name)] = name, true
	}
	return all
}

// ending returns what a name ends with, with the dot; "" of one like ".png", which is all name.
func ending(name string) string {
	if ext := path.Ext(name); ext != path.Base(name) {
		return ext
	}
	return ""
}

// checkName refuses a name that JSON or XML could not hold.
func checkName(name string) error {
	bad := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }
	if !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return errors.New("a name that is not UTF-8, or has control characters: rename the file")
	}
	return nil
}
