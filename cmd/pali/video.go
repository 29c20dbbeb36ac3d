package main

// This file: frames of a video file, by ffmpeg. Before it: frames.go. After it: images.
//
// ffmpeg is called twice: to count the frames, without decoding, and to write the chosen ones to its standard output. It gets arguments, no shell, a
// path that cannot be an option or another protocol, formats that lead to no other file, a time limit, and a limit on what it may write.

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/pali-gguf/pali/mmproj/imageproc"
)

const (
	videoTime   = 5 * time.Minute // for each call
	videoFrames = 10_000_000      // that are counted: two days
	videoPixels = 4               // of all chosen frames together, in multiples of --max-image-pixels
)

// videoFormats are ffmpeg's names of the formats that may be opened.
const videoFormats = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,ogg,asf"

// isVideo looks at a file's first bytes.
func isVideo(path string) bool {
	head, err := firstBytes(path, 189)
	n := len(head)
	if err != nil {
		return false
	}
	if n >= 12 && head[4:8] == "ftyp" {
		return !slices.Contains([]string{"heic", "heix", "mif1", "msf1", "avif", "avis"}, head[8:12])
	}
	for _, magic := range []string{"\x1a\x45\xdf\xa3", "\x00\x00\x01\xba", "FLV\x01", "OggS", "\x30\x26\xb2\x75\x8e\x66\xcf\x11"} {
		if strings.HasPrefix(head, magic) {
			return true
		}
	}
	return strings.HasPrefix(head, "RIFF") && n >= 12 && head[8:12] == "AVI " || n == 189 && head[0] == 'G' && head[188] == 'G'
}

// counting are the ways to count frames, one line of output each: the packets, which is quick and mostly right, and what is decoded.
var counting = [][]string{{"-c", "copy", "-f", "framecrc"}, {"-vf", "setpts=N/25/TB", "-r", "25", "-f", "framecrc"}}

// openVideo reads frames of the video file at path: those that choose names of so many.
func openVideo(ctx context.Context, path string, choose func(total int) []int, l imageproc.Limits) ([]*imageproc.Image, error) {
	tool, err := exec.LookPath("ffmpeg")
	if err != nil {
		return nil, fmt.Errorf("%s: a video file: ffmpeg reads its frames, and is not installed here; a GIF or a folder of frames needs nothing", path)
	}
	var chosen []int
	var some map[int]*imageproc.Image
	for _, way := range counting {
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
		if some, err = takeFrames(ctx, tool, path, distinct(chosen), l); err != nil || len(some) == len(distinct(chosen)) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	pictures := make([]*imageproc.Image, len(chosen))
	for i, frame := range chosen {
		if pictures[i] = some[frame]; pictures[i] == nil {
			return nil, fmt.Errorf("%s: ffmpeg gave %d frames of %d", path, len(some), len(distinct(chosen)))
		}
	}
	return pictures, nil
}

// distinct sorts frames and leaves out repeated ones.
func distinct(frames []int) []int { return slices.Compact(slices.Sorted(slices.Values(frames))) }

// countLines counts the lines that are no comments.
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

// takeFrames reads frames by their numbers, in ascending order; fewer where the video ends before.
func takeFrames(ctx context.Context, tool, path string, frames []int, l imageproc.Limits) (some map[int]*imageproc.Image, err error) {
	var terms []string
	for _, i := range frames {
		terms = append(terms, fmt.Sprintf("eq(n\\,%d)", i))
	}
	read := func(out *bufio.Reader) (err error) {
		some, err = readPPMs(out, frames, l)
		return err
	}
	// The frames get new times: ffmpeg would repeat them to fill the gaps.
	return some, ffmpeg(ctx, tool, path, read, "-vf", "select="+strings.Join(terms, "+")+",setpts=N/25/TB", "-r", "25",
		"-frames:v", fmt.Sprint(len(frames)), "-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe")
}

// readPPMs reads images in the PPM form, one for each frame.
func readPPMs(out *bufio.Reader, frames []int, l imageproc.Limits) (map[int]*imageproc.Image, error) {
	some, pixels := map[int]*imageproc.Image{}, int64(0)
	for _, frame := range frames {
		var width, height, most int
		if _, err := fmt.Fscanf(out, "P6\n%d %d\n%d\n", &width, &height, &most); err != nil {
			return some, nil // no more
		}
		if most != 255 || width < 1 || height < 1 || width > l.Side || height > l.Side || int64(width)*int64(height) > int64(l.Pixels) {
			return nil, fmt.Errorf("frames of %dx%d, want at most %d pixels (--max-image-pixels) and sides of %d (--max-image-side)", width, height, l.Pixels, l.Side)
		}
		if pixels += int64(width) * int64(height); pixels > videoPixels*int64(l.Pixels) {
			return nil, fmt.Errorf("%d frames of %dx%d have too many pixels, want at most %d (four times --max-image-pixels)", len(frames), width, height, videoPixels*int64(l.Pixels))
		}
		p := &imageproc.Image{Width: width, Height: height, Pix: make([]uint8, 3*width*height)}
		if _, err := io.ReadFull(out, p.Pix); err != nil {
			return some, nil
		}
		some[frame] = p
	}
	return some, nil
}

// ffmpeg runs the program on a file's video and lets read have what it writes.
func ffmpeg(ctx context.Context, tool, path string, read func(*bufio.Reader) error, args ...string) error {
	limited, cancel := context.WithTimeout(ctx, videoTime)
	defer cancel()
	all := append([]string{"-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-format_whitelist", videoFormats, "-i", "file:" + path, "-map", "0:v:0"}, args...)
	cmd := exec.CommandContext(limited, tool, append(all, "pipe:1")...)
	cmd.WaitDelay = time.Second
	said := &complaint{}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("ffmpeg: %w", err)
	}
	failed := read(bufio.NewReader(out))
	out.Close() // ffmpeg ends, if it would go on
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("%s: ffmpeg took over %v", path, videoTime)
	case failed != nil:
		return fmt.Errorf("%s: %w", path, failed)
	case err != nil:
		return fmt.Errorf("%s: ffmpeg: %s", path, said.line(err))
	}
	return nil
}

// complaint keeps the beginning of what a program says.
type complaint struct{ kept []byte }

func (b *complaint) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[:min(len(p), 4096-len(b.kept))]...)
	return len(p), nil
}

// line is the last line of what it said, or else how it ended.
func (b *complaint) line(ended error) string {
	lines := strings.Split(strings.TrimSpace(forTerminal(string(b.kept))), "\n")
	return cmp.Or(lines[len(lines)-1], ended.Error())
}
