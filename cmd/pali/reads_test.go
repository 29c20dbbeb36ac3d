package main

// This file: a FIFO, a device, a socket or a folder in place of a file that a flag or an argument
// names.

import (
	"bytes"
	"cmp"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReadsNoDevices gives every flag and argument that names a file to read what is none: the
// command ends with one sentence about it, and waits for nobody. (-i and --classes wait for a FIFO's
// writer, as TestFIFOInterrupted has it.)
func TestReadsNoDevices(t *testing.T) {
	folder := workplace(t)
	makeFIFO(t, folder, "fifo")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(folder, "socket"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, name := range []string{"folder", "kaggle"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	makeFIFO(t, folder, "kaggle/kaggle.json")
	t.Setenv("PALI_MODELS", filepath.Join(folder, "store"))
	t.Setenv("KAGGLE_CONFIG_DIR", filepath.Join(folder, "kaggle"))
	for _, command := range []string{
		"convert FILE --tokenizer testdata/demo/tokenizer.model -o out",
		"convert testdata/demo/demo.npz --tokenizer FILE -o out",
		"convert --masks FILE -o out",
		"convert testdata/demo/demo.npz --tokenizer testdata/demo/tokenizer.model -t q4_0 --imatrix FILE -o out",
		"estimate FILE f32 --tokenizer testdata/demo/tokenizer.model",
		"estimate testdata/demo/demo.npz f32 --tokenizer FILE",
		"inspect FILE",
		"compare d/demo-F32.gguf FILE",
		"doctor FILE",
		"quantize FILE out.gguf q8_0",
		"quantize d/demo-F32.gguf out.gguf q4_0 --imatrix FILE",
		"caption -m FILE -i " + photo,
		"caption -m FILE --mmproj d/mmproj-demo-F32.gguf -i " + photo,
		"caption -m d --mmproj FILE -i " + photo,
		"segment cat -m d --masks FILE -i " + photo,
		"bench -m d -i STREAM",
		"eval -m d --questions STREAM",
		"eval -m d --against FILE --questions testdata/demo/pictures/questions.jsonl",
		"imatrix -m d --questions STREAM -o out.gguf",
		"label FILE -m d --task caption -o out",
		"serve -m FILE --port 0",
		"serve -m d --masks FILE --port 0",
		"pull paligemma-3b-mix-224 --yes",
	} {
		t.Run(command, func(t *testing.T) {
			for _, name := range []string{"fifo", "/dev/zero", os.DevNull, "socket", "folder"} {
				if name == "fifo" && strings.Contains(command, "STREAM") {
					continue // a program may write there
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				cmd := program(folder, strings.Fields(strings.NewReplacer("FILE", name, "STREAM",
					name).Replace(command))...)
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				err := cmd.Start()
				if err != nil {
					t.Fatal(err)
				}
				defer context.AfterFunc(ctx, func() { cmd.Process.Kill() })()
				err = cmd.Wait()
				said := strings.TrimSpace(stderr.String())
				if err == nil || ctx.Err() != nil || said == "" || strings.Count(said, "\n") > 1 {
					t.Errorf("%s: %v: %q", name, cmp.Or(ctx.Err(), err), said)
				}
			}
		})
	}
}
