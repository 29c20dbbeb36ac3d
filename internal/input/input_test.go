package input

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestResolve tries the ways in which people name a file.
func TestResolve(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("HOME", folder)
	t.Chdir(folder)
	for _, name := range []string{"photo.jpg", "my photo.jpg", "50%20.jpg", " blank.jpg ", "'quoted'", "sub"} {
		if name == "sub" {
			if err := os.Mkdir(name, 0o700); err != nil {
				t.Fatal(err)
			}
			name = "sub/a.jpg"
		}
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	absolute := filepath.Join(folder, "my photo.jpg")
	for _, c := range []struct{ name, want string }{
		{"photo.jpg", "photo.jpg"}, {"-", "-"}, {"nothing.jpg", "nothing.jpg"}, {"", ""},
		{"photo.jpg ", "photo.jpg"}, {"\tphoto.jpg\r\n", "photo.jpg"}, {" blank.jpg ", " blank.jpg "},
		{`"photo.jpg"`, "photo.jpg"}, {"'my photo.jpg'", "my photo.jpg"}, {"“photo.jpg”", "photo.jpg"},
		{"'quoted'", "'quoted'"}, {`"nothing.jpg"`, `"nothing.jpg"`}, {`my\ photo.jpg`, "my photo.jpg"},
		{"~/photo.jpg", filepath.Join(folder, "photo.jpg")}, {"~/nothing.jpg", "~/nothing.jpg"},
		{`sub\a.jpg`, "sub/a.jpg"}, {`C:\nothing.jpg`, `C:\nothing.jpg`}, {"50%20.jpg", "50%20.jpg"},
		{"file://" + strings.ReplaceAll(absolute, " ", "%20"), absolute},
		{"FILE://localhost" + absolute, absolute}, {"'file://" + absolute + "'", absolute}, {"a:b", "a:b"},
		{"data: what is it?", "data: what is it?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have, err := Resolve(c.name); have != c.want || err != nil {
				t.Errorf("have %q, %v, want %q", have, err, c.want)
			}
		})
	}
	for _, address := range []string{"https://example.org/a.jpg", "HTTP://x/y", "s3://bucket/a.png", "'ftp://x/a.gif'",
		"data:image/png;base64,AAAA"} {
		t.Run(address, func(t *testing.T) {
			if _, err := Resolve(address); !errors.As(err, new(AddressError)) {
				t.Errorf("have error %v", err)
			}
		})
	}
	if _, err := ResolveAll([]string{"-", "photo.jpg", "/dev/stdin"}); !errors.As(err, new(TwiceError)) {
		t.Errorf("standard input twice: %v", err)
	}
}

// TestReadFile checks what is read, and what is said of what is not.
func TestReadFile(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, read := range []func(string, int64) ([]byte, error){ReadFile, func(path string, n int64) ([]byte, error) {
		return ReadStream(context.Background(), path, n)
	}} {
		if b, err := read(path, 5); string(b) != "12345" || err != nil {
			t.Errorf("at the limit: %q, %v", b, err)
		}
		if _, err := read(path, 4); err == nil || err.Error() != path+": file too large: have 5 bytes, want at most 4" {
			t.Errorf("above the limit: %v", err)
		}
		if _, err := read(folder, 5); err == nil || err.Error() != folder+": is a folder, not a regular file" {
			t.Errorf("a folder: %v", err)
		}
		if _, err := read(path+"x", 5); !errors.Is(err, fs.ErrNotExist) ||
			err.Error() != path+"x: no such file or directory" {
			t.Errorf("no file: %v", err)
		}
	}
	if b, err := ReadHead(path, 3); string(b) != "123" || err != nil {
		t.Errorf("head: %q, %v", b, err)
	}
}

// TestText checks that no operation of Go's is named.
func TestText(t *testing.T) {
	_, err := os.Open("nothing here")
	for _, c := range []struct {
		err  error
		want string
	}{
		{err, "nothing here: no such file or directory"},
		{fmt.Errorf("--output: %w", err), "--output: nothing here: no such file or directory"},
		{errors.New("open a: b"), "open a: b"},
	} {
		if have := Text(c.err); have != c.want {
			t.Errorf("%s, want %s", have, c.want)
		}
	}
}

// TestResolveIn checks the names of files relative to a folder.
func TestResolveIn(t *testing.T) {
	folder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(folder, "sub dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "sub dir", "a.png")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want string }{
		{"sub dir/a.png", path}, {"./sub dir/a.png ", path}, {`sub dir\a.png`, path}, {`"sub dir/a.png"`, path},
		{path, path}, {" " + path + "\r\n", path}, {"file://" + path, path}, {`sub\ dir/a.png`, path},
		{"b.png", filepath.Join(folder, "b.png")}, {"", folder},
	} {
		if have, err := ResolveIn(folder, c.name); err != nil || have != c.want {
			t.Errorf("%q: %s, %v, want %s", c.name, have, err, c.want)
		}
	}
	if _, err := ResolveIn(folder, "https://a.b/c.png"); !errors.As(err, new(AddressError)) {
		t.Error(err)
	}
}
