package dataset

// This file: the names of the files of single images.

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// baseNames returns the names of sources without extensions, made unique: "a.png" and "a.jpg"
// become "a" and "a_jpg". Names that differ only in case count as equal, as on some file systems.
func baseNames(sources []Source) []string {
	all, taken := make([]string, len(sources)), map[string]bool{}
	for i, s := range sources {
		ext := extension(s.Name)
		base := strings.TrimSuffix(s.Name, ext)
		name := base
		for n := 1; taken[strings.ToLower(name)]; n++ {
			if name = base + "_" + strings.TrimPrefix(ext, "."); n > 1 {
				name += fmt.Sprint("_", n)
			}
		}
		all[i], taken[strings.ToLower(name)] = name, true
	}
	return all
}

// extension returns the extension of name with its dot; "" for a name like ".png".
func extension(name string) string {
	if ext := path.Ext(name); ext != path.Base(name) {
		return ext
	}
	return ""
}

// checkName refuses a name that JSON or XML cannot represent.
func checkName(name string) error {
	bad := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) }
	if !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return errors.New("a name that is not UTF-8 or has control characters: rename the file")
	}
	return nil
}
