package input

// This file: what users write for the name of a file: quotes and blanks that came along, ~ that no
// shell expanded, addresses, names of other systems. Another reading is tried only where the name
// as it stands leads to no file, and taken only where it leads to one.

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// AddressError says that a name is an address of the network, from which nothing is read.
type AddressError struct{ Address string }

func (e AddressError) Error() string {
	return e.Address + ": an address, and nothing is fetched from one: download the file first"
}

// TwiceError says that the standard input was named more than once.
type TwiceError struct{}

func (TwiceError) Error() string { return "the standard input is named twice: it can be read once" }

// ResolveAll returns what Resolve makes of each of names. The standard input may be named once.
func ResolveAll(names []string) (paths []string, err error) {
	stdin := false
	for _, name := range names {
		path, err := Resolve(name)
		if err != nil {
			return nil, err
		}
		if IsStdin(path) && stdin {
			return nil, TwiceError{}
		}
		stdin = stdin || IsStdin(path)
		paths = append(paths, path)
	}
	return paths, nil
}

// maxNamed bounds an address in an error, in bytes.
const maxNamed = 200

// scheme is how an address begins. A letter alone is a drive of Windows.
var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+-]+:`)

// Resolve returns the path of the file that a user named: name itself, if a file has it or nothing
// else is found. An address with file: is its path; any other is an AddressError.
func Resolve(name string) (string, error) {
	if name == Stdin || exists(name) {
		return name, nil
	}
	if bare := unquote(name); bare != name && bare != "" {
		if path, err := Resolve(bare); err != nil || exists(path) {
			return path, err
		}
	}
	switch begin := strings.ToLower(scheme.FindString(name)); {
	case begin == "file:":
		if path, ok := fromFileURL(name); ok {
			return path, nil
		}
	case strings.HasPrefix(name, "data:image/"), begin != "" && strings.HasPrefix(name[len(begin):], "//"):
		return "", AddressError{strings.ToValidUTF8(name[:min(len(name), maxNamed)], "")}
	}
	for _, path := range readings(name) {
		if exists(path) {
			return path, nil
		}
	}
	return name, nil
}

// Named returns the path of the file that name means, or name where nothing is found.
func Named(name string) string {
	path, err := Resolve(name)
	if err != nil {
		return name
	}
	return path
}

// ResolveIn returns what Resolve makes of name where relative paths are those in folder; "" is the
// current one.
func ResolveIn(folder, name string) (string, error) {
	in := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(folder, name)
	}
	if path := in(name); exists(path) {
		return path, nil
	}
	for _, other := range append([]string{unquote(name)}, readings(unquote(name))...) {
		if path := in(other); other != "" && exists(path) {
			return path, nil
		}
	}
	path, err := Resolve(name)
	if err != nil || path != name {
		return path, err
	}
	return in(name), nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Missing reports whether path leads nowhere: to no file, and not to the standard input.
func Missing(path string) bool { return !IsStdin(path) && !exists(path) }

// unquote returns name without blanks, line ends and a pair of quotes around it.
func unquote(name string) string {
	name = strings.TrimSpace(name)
	for _, quotes := range []string{`""`, `''`, "“”", "‘’", "<>"} {
		pair := []rune(quotes)
		inner, opened := strings.CutPrefix(name, string(pair[0]))
		if inner, closed := strings.CutSuffix(inner, string(pair[1])); opened && closed {
			return strings.TrimSpace(inner)
		}
	}
	return name
}

// escaped is a character as shells write it.
var escaped = regexp.MustCompile(`\\(.)`)

// readings lists other paths that name may mean, the most likely first.
func readings(name string) (paths []string) {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			paths = append(paths, filepath.Join(home, rest))
		}
	}
	if strings.Contains(name, `\`) {
		unescaped := escaped.ReplaceAllString(name, "$1")
		slashes := strings.ReplaceAll(name, `\`, "/")
		paths = append(paths, unescaped, slashes)
		if len(slashes) > 2 && slashes[1] == ':' { // as the Windows Subsystem for Linux has the drives
			paths = append(paths, "/mnt/"+strings.ToLower(slashes[:1])+slashes[2:])
		}
	}
	return paths
}

// fromFileURL returns the path of an address with file:.
func fromFileURL(address string) (path string, ok bool) {
	u, err := url.Parse(address)
	if err != nil || u.Host != "" && u.Host != "localhost" || u.Path == "" {
		return "", false
	}
	path = u.Path
	if len(path) > 2 && path[2] == ':' && os.PathSeparator == '\\' { // file:///C:/...
		path = path[1:]
	}
	return path, true
}
