package dataset

// This file: the names of the files of single images.

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of a file's name and of its absolute path, in bytes: the smallest of Linux, macOS and
// Windows, with room for the longest extension and what internal/atomicfile adds.
const (
	maxFileName = 255 - len(".gif.png.partial")
	maxFilePath = 1023 - len("/yolo-seg/labels/.gif.png.partial")
)

// fileExtensions are those of the files that are written for single images.
var fileExtensions = []string{".txt", ".xml", ".json", ".png", ".jpg", ".jpeg", ".bmp", ".webp"}

// nameFiles returns the names of the files of single images in the folder out, without extensions,
// one for each of sources, made unique: "a.png" and "a.jpg" become "a" and "a_jpg". It also returns
// how many are shortened: a name that is too long is cut, and a path that is too long loses its
// folders. keep reports whether the files are in a folder if the image is.
func nameFiles(sources []Source, out string, keep func(folder string) bool) (names []string, shortened int) {
	room := maxFilePath
	if absolute, err := filepath.Abs(out); err == nil {
		room -= len(absolute)
	}
	names = make([]string, len(sources))
	folders := map[string]bool{}
	for i, s := range sources {
		parts := strings.Split(strings.TrimSuffix(s.Name, extension(s.Name)), "/")
		last := cleanPart(parts[len(parts)-1])
		for _, folder := range parts[:len(parts)-1] {
			if keep(folder) {
				names[i] += cleanPart(folder) + "/"
			}
		}
		deep := len(names[i])+len(last) > room
		if deep {
			names[i] = ""
		}
		if deep || len(last) > maxFileName {
			shortened++
			last = cut(last, s.Name)
		}
		names[i] += last
		for f := path.Dir(names[i]); f != "."; f = path.Dir(f) {
			folders[folded(f)] = true
		}
	}
	makeUnique(names, sources, folders)
	return names, shortened
}

// makeUnique changes names that earlier files have, or that one of folders has.
func makeUnique(names []string, sources []Source, folders map[string]bool) {
	taken := map[string]bool{}
	free := func(name string) bool {
		return !taken[folded(name)] && !slices.ContainsFunc(fileExtensions, func(ext string) bool {
			return folders[folded(name+ext)]
		})
	}
	for i, base := range names {
		ext := strings.Map(printable, strings.TrimPrefix(extension(sources[i].Name), "."))
		for n := 1; !free(names[i]); n++ {
			suffix := "_" + ext
			if n > 1 {
				suffix += fmt.Sprint("_", n)
			}
			folder, last := path.Split(base)
			if last += suffix; len(last) > maxFileName {
				last = cut(last, sources[i].Name+suffix)
			}
			names[i] = folder + last
		}
		taken[folded(names[i])] = true
	}
}

// cut shortens the file name part to at most maxFileName bytes, and ends it with a digest of whole.
func cut(part, whole string) string {
	const digits = 8
	if to := maxFileName - digits - len("_"); len(part) > to {
		for !utf8.RuneStart(part[to]) {
			to--
		}
		part = part[:to]
	}
	digest := sha256.Sum256([]byte(whole))
	return part + "_" + fmt.Sprintf("%x", digest)[:digits]
}

// cleanPart returns a name of a file or folder that programs which read data sets take: not hidden,
// on one line, and none of the devices of Windows.
func cleanPart(part string) string {
	part = strings.Map(printable, part)
	if hidden(part) {
		part = "_" + part[1:]
	}
	stem, _, _ := strings.Cut(part, ".")
	stem = strings.ToUpper(strings.TrimRight(stem, " "))
	if slices.Contains([]string{"CON", "PRN", "AUX", "NUL"}, stem) ||
		len(stem) == 4 && (stem[:3] == "COM" || stem[:3] == "LPT") && stem[3] >= '0' && stem[3] <= '9' {
		part = "_" + part
	}
	return part
}

// printable replaces what ends a line, and other control characters, by a low line.
func printable(r rune) rune {
	if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
		return '_'
	}
	return r
}

// folded returns what is equal for names that some file system takes for the same.
func folded(name string) string { return strings.ToLower(norm.NFC.String(name)) }

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

// ShownPath returns path as a message on one line shows it: as it is, or quoted.
func ShownPath(path string) string {
	if !utf8.ValidString(path) || strings.Map(printable, path) != path {
		return strconv.Quote(path)
	}
	return path
}
