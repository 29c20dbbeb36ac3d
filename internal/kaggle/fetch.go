package kaggle

// This file: one file, which appears when it is complete, and resumed.
//
// What has come lies in PATH.part, which is locked; PATH.part.json says of which file it is the
// beginning. A server that gives the rest says so by 206 and the same ETag; any other answer starts
// from the beginning. The checksums that the server sent are checked before the file gets its name.

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pali-gguf/pali/internal/atomicfile"
	"github.com/pali-gguf/pali/internal/input"
)

const (
	maxFile     = 120 << 30 // bytes: the 28B checkpoint in 32-bit floats has 110.6e9
	minProgress = 16 << 10  // bytes that must come within Client.StallTimeout
	worthwhile  = 1 << 20   // bytes after which failures are counted from 0 again
	slack       = 1 << 20   // bytes of room asked for beyond the file
)

// Request is a file to fetch.
type Request struct {
	Address  string
	Path     string
	MaxBytes int64                   // bytes; 0: maxFile
	SHA256   string                  // if it is known, in hex
	Progress func(done, total int64) // bytes of this call, what lay in PATH.part not counted; may be nil
}

// beginning says of which file a .part is the beginning, as the server says.
type beginning struct {
	From   string `json:"from"` // the address
	ETag   string `json:"etag"`
	Total  int64  `json:"total"`
	MD5    string `json:"md5"`    // base64, "" if the server sent none
	CRC32C string `json:"crc32c"` // base64, "" if the server sent none
}

// part is a file under way.
type part struct {
	Request
	beginning
	file     atomicfile.File
	have     int64 // bytes of the file that are in the .part and in the sums
	from     int64 // have at the beginning of this call
	md5, sha hash.Hash
	crc      hash.Hash32
	done     bool
}

func (p *part) partial() string  { return p.Path + ".part" }
func (p *part) notePath() string { return p.Path + ".part.json" }

// FetchError is a file that did not come.
type FetchError struct {
	Name string // of the file, without its folder
	Kept bool   // what has come is kept for the next Fetch
	err  error
}

func (e FetchError) Error() string {
	if errors.Is(e.err, context.Canceled) {
		return e.err.Error()
	}
	return e.Name + ": " + e.err.Error()
}

func (e FetchError) Unwrap() error { return e.err }

// Exists reports whether the file is there already.
func (r Request) Exists() bool {
	_, err := os.Stat(r.Path)
	return err == nil
}

// Fetch fetches the file of r. After an error or a cancelled context what has come stays for the
// next call, unless its checksums are wrong. The error is a FetchError.
func (c *Client) Fetch(ctx context.Context, r Request) error {
	if err := c.fetch(ctx, r); err != nil {
		_, missing := os.Stat((&part{Request: r}).partial())
		return FetchError{filepath.Base(r.Path), missing == nil, err}
	}
	return nil
}

func (c *Client) fetch(ctx context.Context, r Request) (err error) {
	p, err := begin(ctx, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if p.Total == 0 || p.have < p.Total {
		err = c.retry(ctx, func() (bool, error) {
			before := p.have
			err := c.download(ctx, p)
			return p.have-before >= worthwhile, err
		})
		if err != nil {
			return err
		}
	}
	return p.commit()
}

// begin locks the .part, and sums up what is in it if it is the beginning of this file.
func begin(ctx context.Context, r Request) (*part, error) {
	p := &part{Request: r}
	if p.MaxBytes == 0 {
		p.MaxBytes = maxFile
	}
	if _, err := os.Lstat(p.Path); err == nil {
		return nil, fmt.Errorf("%s is there already", p.Path)
	}
	var err error
	if p.file, err = atomicfile.Real.OpenLocked(p.partial()); errors.Is(err, atomicfile.ErrLocked) {
		return nil, fmt.Errorf("another run is fetching %s", p.Path)
	} else if err != nil {
		return nil, err
	}
	info, err := os.Stat(p.partial())
	if err == nil {
		err = p.resume(ctx, info.Size())
	}
	if err != nil {
		p.file.Close()
		return nil, err
	}
	p.from = p.have
	return p, nil
}

// resume takes the size bytes that lie in the .part, or empties it.
func (p *part) resume(ctx context.Context, size int64) error {
	b, err := input.ReadFile(p.notePath(), 64<<10)
	var was beginning
	if size == 0 || err != nil || json.Unmarshal(b, &was) != nil || was.From != p.Address ||
		!isStrong(was.ETag) || was.Total < size || was.Total > p.MaxBytes {
		return p.restart(beginning{})
	}
	p.reset()
	p.beginning = was
	buffer := make([]byte, 1<<20)
	for p.have < size {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := p.file.ReadAt(buffer[:min(size-p.have, int64(len(buffer)))], p.have)
		p.sum(buffer[:n])
		if err != nil && !(err == io.EOF && p.have == size) {
			return err
		}
	}
	return nil
}

// isStrong reports whether the ETag tag identifies the bytes exactly.
func isStrong(tag string) bool { return len(tag) > 2 && len(tag) < 1024 && tag[0] == '"' }

func (p *part) reset() {
	p.have, p.from = 0, 0
	p.md5, p.sha, p.crc = md5.New(), sha256.New(), crc32.New(crc32.MakeTable(crc32.Castagnoli))
}

// sum takes the next bytes into the sums.
func (p *part) sum(b []byte) {
	p.md5.Write(b)
	p.crc.Write(b)
	if p.SHA256 != "" {
		p.sha.Write(b)
	}
	p.have += int64(len(b))
}

// restart empties the .part, and notes what it will be the beginning of.
func (p *part) restart(b beginning) error {
	p.reset()
	p.beginning = b
	if err := p.file.Truncate(0); err != nil {
		return err
	}
	if b.Total == 0 {
		return remove(p.notePath())
	}
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(p.notePath(), text, true)
}

// download requests the missing bytes of p and writes what comes.
func (c *Client) download(ctx context.Context, p *part) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	header := http.Header{}
	if p.have > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", p.have))
		header.Set("If-Range", p.ETag)
	}
	resp, err := c.get(ctx, p.Address, header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := p.accept(resp); err != nil {
		return err
	}
	late := time.AfterFunc(c.StallTimeout, func() { cancel(errSlow) })
	defer late.Stop()
	buffer, reported := make([]byte, 256<<10), p.have
	for p.have < p.Total {
		n, err := resp.Body.Read(buffer[:min(int64(len(buffer)), p.Total-p.have)])
		if _, failed := p.file.WriteAt(buffer[:n], p.have); failed != nil {
			return fmt.Errorf("writing %s: %w", p.partial(), failed)
		}
		p.sum(buffer[:n])
		if p.Progress != nil {
			p.Progress(p.have-p.from, p.Total-p.from)
		}
		if p.have-reported >= minProgress {
			reported = p.have
			late.Reset(c.StallTimeout)
		}
		if err != nil && p.have < p.Total {
			return bodyError(ctx, err)
		}
	}
	return nil
}

// errSlow is the error for a server that sends too little.
var errSlow = fmt.Errorf("less than %d kB came in a while", minProgress>>10)

// bodyError returns why a body ended early with err.
func bodyError(ctx context.Context, err error) error {
	switch {
	case context.Cause(ctx) == errSlow:
		return NetworkError{errSlow}
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF):
		return NetworkError{errors.New("the connection ended before the file did")}
	}
	return networkError(err)
}

// accept makes of an answer's head what the body will be: the rest, or the whole file.
func (p *part) accept(resp *http.Response) error {
	now := beginning{From: p.Address, ETag: resp.Header.Get("ETag"), Total: resp.ContentLength}
	now.MD5, now.CRC32C = parseSums(resp.Header)
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	switch {
	case resp.StatusCode == http.StatusPartialContent && p.have > 0:
		if resp.Header.Get("Content-Range") == fmt.Sprintf("bytes %d-%d/%d", p.have, p.Total-1, p.Total) &&
			now.Total == p.Total-p.have && same(now, p.beginning) {
			return nil
		}
		return p.retryWhole(errors.New("the server sent another part than it was asked for"))
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && p.have > 0:
		return p.retryWhole(errors.New("the server does not have the rest of the file"))
	case resp.StatusCode != http.StatusOK:
		return refusal(resp)
	case strings.EqualFold(kind, "text/html"):
		return errors.New("the server sent a page to read, not the file")
	case resp.Header.Get("Content-Encoding") != "":
		return errors.New("the server sent the file encoded")
	case now.Total < 1:
		return errors.New("the server does not say how long the file is")
	case now.Total > p.MaxBytes:
		return fmt.Errorf("the file has %d bytes, want at most %d", now.Total, p.MaxBytes)
	}
	if err := p.restart(now); err != nil {
		return err
	}
	return p.checkSpace()
}

// retryWhole empties the .part; the next try asks for the whole file.
func (p *part) retryWhole(why error) error {
	return errors.Join(NetworkError{why}, p.restart(beginning{}))
}

// same reports whether a and b describe the same bytes, as far as both say.
func same(a, b beginning) bool {
	agree := func(x, y string) bool { return x == "" || y == "" || x == y }
	return agree(a.ETag, b.ETag) && agree(a.MD5, b.MD5) && agree(a.CRC32C, b.CRC32C)
}

// parseSums reads the header of Google's storage x-goog-hash: crc32c=BASE64,md5=BASE64, in one line
// or two.
func parseSums(h http.Header) (md5, crc32c string) {
	for _, line := range h.Values("X-Goog-Hash") {
		for _, one := range strings.Split(line, ",") {
			switch name, value, _ := strings.Cut(strings.TrimSpace(one), "="); name {
			case "md5":
				md5 = value
			case "crc32c":
				crc32c = value
			}
		}
	}
	return md5, crc32c
}

// checkSpace compares the file's size with the free space of its folder.
func (p *part) checkSpace() error {
	free, err := atomicfile.Real.Free(filepath.Dir(p.Path))
	if err != nil {
		return err
	}
	if missing := p.Total + slack - free; free >= 0 && missing > 0 {
		return fmt.Errorf("no space: need %d more bytes on %s", missing, filepath.Dir(p.Path))
	}
	return nil
}

// commit checks the sums and gives the file its name.
func (p *part) commit() error {
	crc := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, p.crc.Sum32()))
	md5 := base64.StdEncoding.EncodeToString(p.md5.Sum(nil))
	if p.MD5 != "" && p.MD5 != md5 || p.CRC32C != "" && p.CRC32C != crc || p.SHA256 != "" &&
		p.SHA256 != hex.EncodeToString(p.sha.Sum(nil)) {
		return errors.Join(
			fmt.Errorf("%s: what came has another checksum than the server says, and is removed: fetch it again",
				p.Path), p.restart(beginning{}))
	}
	if err := p.file.Sync(); err != nil {
		return fmt.Errorf("writing %s: %w", p.partial(), err)
	}
	if err := os.Rename(p.partial(), p.Path); err != nil {
		return err
	}
	p.done = true
	return errors.Join(atomicfile.Real.SyncDir(filepath.Dir(p.Path)), remove(p.notePath()))
}

// close removes a .part that holds nothing.
func (p *part) close() error {
	var err error
	if !p.done && p.have == 0 {
		err = errors.Join(remove(p.partial()), remove(p.notePath()))
	}
	return errors.Join(err, p.file.Close())
}

// remove removes a file that may not be there.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
