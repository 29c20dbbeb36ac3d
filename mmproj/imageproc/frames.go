package imageproc

// This file: animated images as frames: which of them to take, those of a GIF and those of a
// folder, as big_vision's video transfers give them to the model (pp/proj/paligemma/video.py).

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/internal/input"
)

// Bounds on animated images.
const (
	maxFrames   = 20_000  // of a GIF
	maxEntries  = 100_000 // of a folder
	frameBudget = 4       // pixels of all chosen frames together, in multiples of Limits.Pixels
	// pixels that a GIF's frames draw up to the last chosen one, in multiples of Limits.Pixels
	animationBudget = 20
)

// ChooseFrames returns the numbers of n frames out of total: the first, and then every stride-th.
// If these are fewer than n, they are repeated from the first, and cut after n. This is how the
// video transfers sample for evaluation (configs/proj/paligemma/transfers/activitynet_cap.py,
// deterministic_fs, and pp/proj/paligemma/video.py, video_replicate_img). A stride of 0 means
// total/n, at least 1: frames of the whole film, evenly spaced.
func ChooseFrames(total, n, stride int) []int {
	if stride == 0 {
		stride = max(1, total/n)
	}
	there := min(n, (total+stride-1)/stride)
	frames := make([]int, n)
	for i := range frames {
		frames[i] = i % there * stride
	}
	return frames
}

// DefaultVideoFrames is the number of frames that are taken of a video by default, as in the video
// transfers.
const DefaultVideoFrames = 16

// FrameChoice says which frames of an animated image to take, as ChooseFrames does.
type FrameChoice struct {
	Count  int // 0: the image as a still one, a GIF's first frame, or DefaultVideoFrames of a video file
	Stride int // 0: evenly spaced
}

// OpenFrames reads the frames that c chooses of the GIF, the folder or the video file (video.go) at
// path, or the image at path if c.Count is 0 and it is not a video. It also returns the numbers of
// the frames; none for a still image.
func OpenFrames(ctx context.Context, path string, c FrameChoice, l Limits) (images []*Image, chosen []int, err error) {
	choose := func(total int) []int {
		chosen = ChooseFrames(total, cmp.Or(c.Count, DefaultVideoFrames), c.Stride)
		return chosen
	}
	info, err := os.Stat(path) // a FIFO must not be opened twice: its writer would write to nobody
	regular := err == nil && info.Mode().IsRegular()
	switch {
	case err == nil && info.IsDir() && c.Count > 0:
		images, _, err = OpenFolder(path, choose, l)
	case regular && isVideo(path):
		images, err = openVideo(ctx, path, choose, l)
	default:
		images, err = openStream(ctx, path, c.Count > 0, choose, l)
	}
	if err != nil {
		return nil, nil, err
	}
	return images, chosen, nil
}

// openStream reads the image that path leads to, or frames of a GIF.
func openStream(ctx context.Context, path string, frames bool, choose func(total int) []int, l Limits) ([]*Image,
	error) {
	data, err := ReadStream(ctx, path, l.Bytes)
	if err != nil {
		return nil, err
	}
	if isVideoHead(data) {
		return nil, fmt.Errorf("image: %s: a video: ffmpeg reads its frames from a file: save it to one first",
			input.Name(path))
	}
	if !frames {
		p, err := decodeRead(path, data, nil, l)
		return []*Image{p}, err
	}
	images, _, err := decodeGIF(data, choose, l)
	if err != nil {
		return nil, fmt.Errorf("image: %s: %w", input.Name(path), err)
	}
	return images, nil
}

// OpenFolder reads images of a folder as frames: those whose numbers choose returns, given how many
// there are, counted in the natural order of the names (2.png comes before 10.png). Files whose
// names begin with a dot, and those that are no images by their names and contents, are not counted.
// It also returns the paths.
func OpenFolder(folder string, choose func(total int) []int, l Limits) ([]*Image, []string, error) {
	names, err := frameNames(folder)
	if err != nil {
		return nil, nil, err
	}
	var images []*Image
	var paths []string
	open := map[int]*Image{}
	for _, i := range choose(len(names)) {
		path := filepath.Join(folder, names[i])
		if open[i] == nil {
			if open[i], err = Open(path, l); err != nil {
				return nil, nil, err
			}
		}
		images, paths = append(images, open[i]), append(paths, path)
	}
	return images, paths, nil
}

// frameNames returns the names of the files of a folder in natural order.
func frameNames(folder string) ([]string, error) {
	f, err := input.OpenFolder(folder)
	if err != nil {
		return nil, fmt.Errorf("image: frames: %w", err)
	}
	defer f.Close()
	entries, err := f.ReadDir(maxEntries + 1)
	if err != nil && err != io.EOF { // EOF: the folder is empty
		return nil, fmt.Errorf("image: frames: %w", err)
	}
	if len(entries) > maxEntries {
		return nil, fmt.Errorf("image: %s: over %d files in this folder", folder, maxEntries)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") &&
			(HasExtension(e.Name()) || ImageAmong([]string{filepath.Join(folder, e.Name())}) != "") {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("image: %s: no images in this folder", folder)
	}
	slices.SortFunc(names, natural)
	return names, nil
}

// natural compares the names a and b, with the numbers in them as numbers; names that are equal
// then are compared by their bytes.
func natural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		m, n := digits(x), digits(y)
		if m == 0 || n == 0 {
			if x[0] != y[0] {
				return cmp.Compare(x[0], y[0])
			}
			x, y = x[1:], y[1:]
			continue
		}
		p, q := strings.TrimLeft(x[:m], "0"), strings.TrimLeft(y[:n], "0")
		if c := cmp.Or(cmp.Compare(len(p), len(q)), strings.Compare(p, q)); c != 0 {
			return c
		}
		x, y = x[m:], y[n:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

// digits returns how many digits s begins with.
func digits(s string) int {
	if n := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }); n >= 0 {
		return n
	}
	return len(s)
}
