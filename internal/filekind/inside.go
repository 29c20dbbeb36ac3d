package filekind

// This file: what lies within an archive, as far as its first bytes tell, and in a folder.

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pali-gguf/pali/internal/input"
)

// zipOf accepts a zip file whose first member that is neither a folder nor an attribute of macOS
// has a name with one of endings. Only members before the end of head are seen.
func zipOf(endings ...string) func(head []byte) bool {
	return func(head []byte) bool {
		member := "/" + strings.ToLower(firstMember(head))
		return slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(member, e) })
	}
}

// firstMember returns the name of a zip file's first member that holds something.
func firstMember(head []byte) string {
	for bytes.HasPrefix(head, []byte("PK\x03\x04")) && len(head) >= 30 {
		size, n := int(binary.LittleEndian.Uint32(head[18:])), int(binary.LittleEndian.Uint16(head[26:]))
		after := 30 + n + int(binary.LittleEndian.Uint16(head[28:]))
		if len(head) < 30+n {
			return ""
		}
		member := string(head[30 : 30+n])
		if !strings.HasSuffix(member, "/") && !strings.Contains("/"+member, "/__MACOSX/") &&
			!strings.HasSuffix(member, ".DS_Store") {
			return member
		}
		if after+size > len(head) {
			return ""
		}
		head = head[after+size:]
	}
	return ""
}

// unpackAny is the advice for a zip file of which it is not known what it holds.
func unpackAny(command string) func(string, []byte, Want) string {
	return func(path string, _ []byte, want Want) string {
		return strings.TrimSuffix(unpackFirst(command, path)+"; "+advice[want], "; ")
	}
}

// unpackGzip looks whether a tar archive is packed, or a file alone.
func unpackGzip(path string, head []byte, _ Want) string {
	command := "gunzip"
	if z, err := gzip.NewReader(bytes.NewReader(head)); err == nil {
		inner := make([]byte, 512)
		n, _ := io.ReadFull(z, inner) // head is only the beginning
		if isTar(inner[:n]) {
			command = "tar xzf"
		}
	} else if hasEnding(path, ".tar.gz", ".tgz") {
		command = "tar xzf"
	}
	return unpackFirst(command, path)
}

// unpackNamed is the advice for a packing that this program cannot look into: with one of endings
// it is a tar archive.
func unpackNamed(alone, archive string, endings ...string) func(string, []byte, Want) string {
	return func(path string, _ []byte, _ Want) string {
		if !hasEnding(path, endings...) {
			return unpackFirst(alone, path)
		}
		if strings.HasPrefix(archive, "tar") {
			return unpackFirst(archive, path)
		}
		return fmt.Sprintf("unpack it first (%s %s | tar x)", archive, name(path))
	}
}

// Folder is what a folder is that holds no files of a model.
const Folder = "a folder"

// ofFolder says what a folder in place of a file is.
func ofFolder(path string, want Want) error {
	folder, err := input.OpenFolder(path)
	if err != nil {
		return nil
	}
	defer folder.Close()
	names, _ := folder.Readdirnames(maxNames) // what cannot be read has no names
	slices.Sort(names)
	pick := func(endings ...string) []string {
		var found []string
		for _, n := range names {
			if hasEnding(n, endings...) {
				found = append(found, n)
			}
		}
		return found
	}
	wanted := map[Want][]string{Checkpoint: pick(".npz"), GGUF: pick(".gguf"),
		Tokenizer: pick("tokenizer.model"), Imatrix: pick(".gguf")}[want]
	switch {
	case len(wanted) == 1:
		return Error{path, Folder, "give the file in it, " + wanted[0]}
	case len(wanted) > 1:
		return Error{path, Folder, fmt.Sprintf("give one of the %d files in it, as %s", len(wanted), wanted[0])}
	}
	return Error{path, folderKind(pick), advice[want]}
}

// maxNames is how many names of a folder are looked at.
const maxNames = 4096

// folderKind names a folder by the files in it; pick returns those with one of some endings.
func folderKind(pick func(endings ...string) []string) string {
	for _, k := range []struct {
		is    string
		names []string
	}{
		{"a folder with a LoRA adapter", []string{"adapter_config.json", "adapter_model.safetensors"}},
		{"a folder with a Hugging Face model (safetensors)", []string{".safetensors", ".safetensors.index.json"}},
		{"a folder with a Hugging Face model", []string{"pytorch_model.bin", "flax_model.msgpack"}},
		{"a folder with an Orbax checkpoint", []string{"_checkpoint_metadata", "manifest.ocdbt", "_metadata"}},
		{"a folder with a TensorFlow model", []string{"saved_model.pb", ".ckpt.index"}},
		{"a folder with checkpoints (.npz), not GGUF files", []string{".npz"}},
		{"a folder that an .npz was unpacked to", []string{".npy", "params"}},
		{"a folder with the settings of a Hugging Face model", []string{"config.json"}},
	} {
		if len(pick(k.names...)) > 0 {
			return k.is
		}
	}
	return Folder
}
