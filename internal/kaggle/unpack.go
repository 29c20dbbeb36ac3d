package kaggle

// This file: the checkpoint within an archive, .tar or .tar.gz.

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/input"
)

const (
	maxEntries = 10000
	maxBlocks  = maxFile + 1<<30 // bytes of an archive, unpacked
)

// IsArchive reports, by its first bytes, whether file is a .tar or gzip's.
func IsArchive(file string) (bool, error) {
	head, err := input.ReadHead(file, 512)
	return strings.HasPrefix(string(head), "\x1f\x8b") || len(head) == 512 && string(head[257:262]) == "ustar", err
}

// Unpack writes the .npz files (and pieces of such) of an archive into a folder, whatever folders
// they have in the archive, and returns their paths. Each appears when it is complete. An archive
// with anything but files and folders, or with a name that leads out of it, is refused; of the
// others nothing is written.
func Unpack(ctx context.Context, archive, folder string) (paths []string, err error) {
	f, _, err := input.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer func() {
		if err != nil {
			for _, p := range paths {
				err = errors.Join(err, os.Remove(p))
			}
			paths, err = nil, fmt.Errorf("%s: %w", archive, err)
		}
	}()
	in, err := decompressed(f)
	if err != nil {
		return nil, err
	}
	t := tar.NewReader(&bounded{ctx, in, maxBlocks})
	for range maxEntries {
		h, err := t.Next()
		if err == io.EOF {
			if len(paths) == 0 {
				return nil, errNone
			}
			return paths, nil
		}
		if err != nil {
			return paths, fmt.Errorf("not an archive, or a broken one: %w", err)
		}
		name, err := entry(h)
		if err != nil {
			return paths, err
		}
		if name == "" {
			continue
		}
		target := filepath.Join(folder, name)
		if err := write(target, t, h.Size); err != nil {
			return paths, err
		}
		paths = append(paths, target)
	}
	return paths, fmt.Errorf("more than %d entries", maxEntries)
}

// decompressed returns what gzip packed, or the file as it is.
func decompressed(f *os.File) (io.Reader, error) {
	head := make([]byte, 2)
	if _, err := f.ReadAt(head, 0); err == nil && string(head) == "\x1f\x8b" {
		return gzip.NewReader(f)
	}
	return f, nil
}

// entry returns under which name an entry is written, "" for one that is not.
func entry(h *tar.Header) (string, error) {
	if _, sparse := h.PAXRecords["GNU.sparse.major"]; sparse || h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
		return "", fmt.Errorf("%.60q is neither a file nor a folder", h.Name)
	}
	clean := path.Clean(h.Name)
	if path.IsAbs(h.Name) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsAny(h.Name,
		"\\\x00:") {
		return "", fmt.Errorf("%.60q leads out of the archive", h.Name)
	}
	name := path.Base(clean)
	if h.Typeflag == tar.TypeDir || !strings.HasSuffix(name, ".npz") && !pieces.MatchString(name) {
		return "", nil
	}
	if !word.MatchString(name) || h.Size < 1 || h.Size > maxFile {
		return "", fmt.Errorf("%.60q has a name or a size that no checkpoint has", h.Name)
	}
	return name, nil
}

// write writes the file target of size bytes, which appears when it is complete.
func write(target string, from io.Reader, size int64) error {
	set, err := atomicfile.Begin([]atomicfile.Target{{Path: target, Size: size}}, atomicfile.Options{})
	if err != nil {
		return err
	}
	n, err := io.Copy(io.NewOffsetWriter(set.WriterAt(0), 0), from)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return errors.Join(err, set.Abort())
	}
	return set.Commit()
}

// bounded reads at most left bytes, until ctx ends.
type bounded struct {
	ctx  context.Context
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.left <= 0 {
		return 0, errors.New("too much in it")
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
