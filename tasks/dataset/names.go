package dataset

// This file: what the files of single images are called.

import (
	"fmt"
	"path"
	"strings"
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
