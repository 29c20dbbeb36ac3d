package imageproc

// This file: frames of a video file, by ffmpeg.
//
// ffmpeg is called twice: to count the frames, without decoding, and to write the chosen ones to
// its standard output. It gets arguments, no shell, a path that cannot be an option or another
// protocol, formats that lead to no other file, a time limit, and a limit on what it may write.

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"image"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/pali-gguf/pali/internal/input"
)

const (
	videoTime   = 5 * time.Minute // for each call
	videoFrames = 10_000_000      // maximum that is counted: two days
	videoPixels = 4               // of all chosen frames together, in multiples of Limits.Pixels
)

// videoFormats are ffmpeg's names of the formats that may be opened.
const videoFormats = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,ogg,asf"

// isVideo reports whether the regular file at path is a video, by its first bytes.
func isVideo(path string) bool {
	head, err := input.ReadHead(path, SniffLen)
	return err == nil && isVideoHead(head)
}

// isVideoHead reports whether a file that begins with head is a video.
func isVideoHead(head []byte) bool { return sniff(head) == nil && sniffOther(head).kind == video }

// countArguments are the arguments that make ffmpeg write a line for each frame: for each packet,
// which is quick and mostly right, and for each decoded frame.
var countArguments = [][]string{{"-c", "copy", "-f", "framecrc"}, {"-vf", "setpts=N/25/TB", "-r", "25", "-f",
	"framecrc"}}

// openVideo reads frames of the video file at path: those whose numbers choose returns, given how
// many there are.
func openVideo(ctx context.Context, path string, choose func(total int) []int, l Limits) ([]*Image, error) {
	tool, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, fmt.Errorf("%s: a video file: ffmpeg reads its frames, and is not installed here; "+
			"a GIF or a folder of frames needs nothing", path)
	}
	var chosen []int
	var frames map[int]*Image
	for _, way := range countArguments {
		total := 0
		count := func(out *bufio.Reader) (err error) {
			total, err = countLines(out)
			return err
		}
		if err := ffmpeg(ctx, tool, path, count, way...); err != nil {
			return nil, err
		}
		if total == 0 {
			return nil, fmt.Errorf("%s: no frames in this video", path)
		}
		chosen = choose(total)
		frames, err = takeFrames(ctx, tool, path, distinct(chosen), l)
		if err != nil || len(frames) == len(distinct(chosen)) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	images := make([]*Image, len(chosen))
	for i, frame := range chosen {
		if images[i] = frames[frame]; images[i] == nil {
			return nil, fmt.Errorf("%s: ffmpeg gave %d frames of %d", path, len(frames), len(distinct(chosen)))
		}
	}
	return images, nil
}

// distinct returns frames sorted, each once.
func distinct(frames []int) []int { return slices.Compact(slices.Sorted(slices.Values(frames))) }

// countLines counts the lines that are not comments.
func countLines(out *bufio.Reader) (n int, err error) {
	for lines := bufio.NewScanner(out); n < videoFrames && lines.Scan(); {
		if !strings.HasPrefix(lines.Text(), "#") {
			n++
		}
	}
	if n == videoFrames {
		return 0, fmt.Errorf("%d frames or more", n)
	}
	return n, nil
}

// takeFrames reads the frames with these numbers, in ascending order; fewer if the video ends
// before the last.
func takeFrames(ctx context.Context, tool, path string, frames []int, l Limits) (images map[int]*Image, err error) {
	var terms []string
	for _, i := range frames {
		terms = append(terms, fmt.Sprintf("eq(n\\,%d)", i))
	}
	read := func(out *bufio.Reader) (err error) {
		images, err = readPPMs(out, frames, l)
		return err
	}
	// The frames get new times: ffmpeg would repeat them to fill the gaps.
	return images, ffmpeg(ctx, tool, path, read, "-vf", "select="+strings.Join(terms, "+")+",setpts=N/25/TB", "-r",
		"25",
		"-frames:v", fmt.Sprint(len(frames)), "-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe")
}

// readPPMs reads images in PPM format from out, one for each of frames, until out ends.
func readPPMs(out *bufio.Reader, frames []int, l Limits) (map[int]*Image, error) {
	images, pixels := map[int]*Image{}, int64(0)
	for _, frame := range frames {
		var width, height, maxValue int
		if _, err := fmt.Fscanf(out, "P6\n%d %d\n%d\n", &width, &height, &maxValue); err != nil {
			return images, nil // no more
		}
		if maxValue != 255 {
			return nil, fmt.Errorf("frames with values up to %d, want 255", maxValue)
		}
		if err := checkSize(image.Config{Width: width, Height: height}, l); err != nil {
			return nil, err
		}
		limit := videoPixels * int64(l.Pixels)
		if pixels += int64(width) * int64(height); pixels > limit {
			return nil, limitErrorf(LimitPixels, pixels, limit,
				"%d frames of %dx%d have too many pixels, want at most %d (four times those of an image)",
				len(frames), width, height, limit)
		}
		p := &Image{Width: width, Height: height, Pix: make([]uint8, 3*width*height)}
		if _, err := io.ReadFull(out, p.Pix); err != nil {
			return images, nil
		}
		images[frame] = p
	}
	return images, nil
}

// ffmpeg runs tool, ffmpeg, with args on the video of the file at path, and calls read with its
// output.
func ffmpeg(ctx context.Context, tool, path string, read func(*bufio.Reader) error, args ...string) error {
	limited, cancel := context.WithTimeout(ctx, videoTime)
	defer cancel()
	all := append([]string{"-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe",
		"-format_whitelist", videoFormats, "-i", "file:" + path, "-map", "0:v:0"}, args...)
	cmd := exec.CommandContext(limited, tool, append(all, "pipe:1")...)
	cmd.WaitDelay = time.Second
	stderr := &stderrTail{}
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("ffmpeg: %w", err)
	}
	failed := read(bufio.NewReader(out))
	out.Close() // ffmpeg ends if it would write more
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("%s: ffmpeg took over %v", path, videoTime)
	case failed != nil:
		return fmt.Errorf("%s: %w", path, failed)
	case err != nil:
		return fmt.Errorf("%s: ffmpeg: %s", path, stderr.last(err))
	}
	return nil
}

// stderrTail keeps the end of what a program writes to its standard error.
type stderrTail struct{ kept []byte }

// maxStderr is the number of bytes that are kept.
const maxStderr = 4096

func (b *stderrTail) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p...)
	b.kept = b.kept[max(0, len(b.kept)-maxStderr):]
	return len(p), nil
}

// last returns the last line without control characters, or how the program ended if it wrote none.
func (b *stderrTail) last(ended error) string {
	lines := strings.Split(strings.TrimSpace(string(b.kept)), "\n")
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, lines[len(lines)-1])
	return cmp.Or(clean, ended.Error())
}
