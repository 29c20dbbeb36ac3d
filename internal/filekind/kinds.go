package filekind

// This file: the table of first bytes.

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names of kinds that may be wanted.
const (
	isGGUF      = "a GGUF file"
	isNPZ       = "a checkpoint (.npz)"
	isTokenizer = "a SentencePiece model (tokenizer)"

	isImage = "an image"

	isZip  = "a zip file"  // which may be a checkpoint: its reader says what is wrong with it
	isText = "a text file" // which says nothing where an image is wanted
)

// kind is a row of the table.
type kind struct {
	is     string
	begins func(head []byte) bool
	do     func(path string, head []byte, want Want) string // nil: what the Want says
}

// kinds are tried in this order.
var kinds = []kind{
	{isGGUF, magic("GGUF"), func(_ string, _ []byte, want Want) string {
		switch want {
		case Checkpoint:
			return `it needs no conversion, and "pali quantize" stores it in another type`
		case Image:
			return "a model, not an image"
		}
		return advice[want]
	}},
	{"a Git LFS pointer, not the file itself", magic("version https://git-lfs", "version https://hawser"),
		fixed("run git lfs pull in its folder")},
	{"a git-annex pointer, not the file itself", magic("/annex/objects/"), fixed("run git annex get")},
	{isNPZ, zipOf(".npy"), func(_ string, _ []byte, want Want) string {
		if want == GGUF {
			return `"pali convert" makes the GGUF files of it`
		}
		return advice[want]
	}},
	{"a zip file around a checkpoint (.npz)", zipOf(".npz"), unpack("unzip")},
	{"a PyTorch file", zipOf("/data.pkl", "/byteorder", "/.format_version"), nil},
	{"a Keras model", zipOf("model.weights.h5", "metadata.json"), nil},
	{isZip, magic("PK\x03\x04", "PK\x05\x06"), unpackAny("unzip")},
	{isTokenizer, isSentencePiece, nil},
	{"packed with gzip", magic("\x1f\x8b"), unpackGzip},
	{"packed with bzip2", magic("BZh"), unpackNamed("bunzip2", "tar xjf", ".tar.bz2", ".tbz2", ".tbz")},
	{"packed with xz", magic("\xfd7zXZ\x00"), unpackNamed("unxz", "tar xJf", ".tar.xz", ".txz")},
	{"packed with zstd", magic("\x28\xb5\x2f\xfd"), unpackNamed("unzstd", "zstd -dc", ".tar.zst", ".tzst")},
	{"packed with lz4", magic("\x04\x22\x4d\x18"), unpackNamed("unlz4", "lz4 -dc", ".tar.lz4")},
	{"a 7z archive", magic("7z\xbc\xaf\x27\x1c"), unpack("7z x")},
	{"a rar archive", magic("Rar!\x1a\x07"), unpack("unrar x")},
	{"a tar archive", isTar, unpack("tar xf")},
	{"a single array (.npy)", magic("\x93NUMPY"), nil},
	{"a LoRA adapter (safetensors)", all(isSafetensors, has("lora_")), merge},
	{"a safetensors file, as Hugging Face has them", isSafetensors, nil},
	{"an HDF5 file (Keras)", magic("\x89HDF\r\n\x1a\n"), nil},
	{"a Python pickle (PyTorch)", begin2('\x80', 2, 5), nil},
	{"a file of gemma.cpp (.sbs)", magic("SBS\n", "SBS!"), nil},
	{"a file of old llama.cpp (GGML)", magic("ggml", "lmgg", "tjgg", "fmgg", "algg"), nil},
	{"a TensorFlow Lite file", at(4, "TFL3"), nil},
	{"an ONNX file", isONNX, nil},
	{"a msgpack file (Flax)", isMsgpack, nil},
	{isImage, magic("\x89PNG\r\n\x1a\n", "\xff\xd8\xff", "GIF8", "BM6"), nil},
	{"a PDF document", magic("%PDF"), forImage("save its pages as JPEG or PNG", nil)},
	{"a web page", isHTML,
		forImage("the address led to a page, not to the image: download it again from the image's own "+
			"address", fixed("the download needs a login, or the address is that of a page and not of the file"))},
	{"a server's error message (XML)", xmlError, fixed("download the file again")},
	{"a server's error message (JSON)", jsonWith(`"code"`, `"message"`), fixed("download the file again")},
	{"an XML file", func(head []byte) bool { return magic("<?xml")(trimmed(head)) }, forImage(answer, nil)},
	{"the settings file of a LoRA adapter (JSON)", jsonWith(`"peft_type"`), merge},
	{"the list of a sharded safetensors model (JSON)", jsonWith(`"weight_map"`), nil},
	{"the settings file of a Hugging Face model (JSON)", jsonWith(`"model_type"`), nil},
	{"the settings file of a Hugging Face tokenizer (JSON)", jsonWith(`"tokenizer_class"`), nil},
	{"a Hugging Face tokenizer (JSON)", jsonWith(`"added_tokens"`), nil},
	{"a JSON file", isJSON, forImage(answer, nil)},
	{"a file of zeros, as an unfinished download leaves it", isZeros, fixed("download or copy it again")},
	{"a vocabulary as text", isVocabulary, nil},
	{isText, isPrintable, nil},
}

// answer is the advice for what servers answer in place of an image.
const answer = "if it is an answer of a server, it says there what failed"

// forImage is the advice text where an image is wanted, and that of other, or what the Want says,
// elsewhere.
func forImage(text string, other func(string, []byte, Want) string) func(string, []byte, Want) string {
	return func(path string, head []byte, want Want) string {
		switch {
		case want == Image:
			return text
		case other == nil:
			return advice[want]
		}
		return other(path, head, want)
	}
}

// fixed is advice that does not depend on what is wanted.
func fixed(text string) func(string, []byte, Want) string {
	return func(string, []byte, Want) string { return text }
}

// merge is the advice for an adapter.
func merge(_ string, _ []byte, want Want) string {
	return strings.TrimSuffix("it holds changes to a model, not a model, and is not read; "+advice[want], "; ")
}

// magic accepts what begins with one of beginnings.
func magic(beginnings ...string) func(head []byte) bool {
	return func(head []byte) bool {
		for _, m := range beginnings {
			if bytes.HasPrefix(head, []byte(m)) {
				return true
			}
		}
		return false
	}
}

// at accepts what holds text at offset.
func at(offset int, text string) func(head []byte) bool {
	return func(head []byte) bool {
		return len(head) >= offset && bytes.HasPrefix(head[offset:], []byte(text))
	}
}

// has accepts what holds text anywhere.
func has(text string) func(head []byte) bool {
	return func(head []byte) bool { return bytes.Contains(head, []byte(text)) }
}

func all(rules ...func(head []byte) bool) func(head []byte) bool {
	return func(head []byte) bool {
		for _, rule := range rules {
			if !rule(head) {
				return false
			}
		}
		return true
	}
}

// begin2 accepts the byte first, and then one of from to to.
func begin2(first, from, to byte) func(head []byte) bool {
	return func(head []byte) bool {
		return len(head) > 1 && head[0] == first && head[1] >= from && head[1] <= to
	}
}

func isTar(head []byte) bool { return at(257, "ustar")(head) }

// isSafetensors accepts a length of 64 bits and the JSON of that length.
func isSafetensors(head []byte) bool {
	if len(head) < 10 {
		return false
	}
	n := binary.LittleEndian.Uint64(head)
	return n >= 2 && n < 1<<30 && head[8] == '{' && strings.IndexByte("\" }\n\r\t", head[9]) >= 0
}

// isSentencePiece accepts a protocol buffer whose first piece begins with its text, as "<pad>".
func isSentencePiece(head []byte) bool {
	return len(head) > 5 && head[0] == 0x0a && head[1] < 0x80 && head[2] == 0x0a && head[4] == '<'
}

// isONNX accepts a protocol buffer whose first fields are the version and the producer's name.
func isONNX(head []byte) bool {
	if len(head) < 4 || head[0] != 0x08 || head[1] == 0 || head[1] > 32 {
		return false
	}
	n := int(head[3])
	return head[2] == 0x12 && n > 0 && len(head) >= 4+n && isPrintable(head[4:4+n])
}

// isMsgpack accepts a map whose first key is a short text.
func isMsgpack(head []byte) bool {
	at := 1
	switch {
	case len(head) < 8:
		return false
	case head[0] == 0xde:
		at = 3
	case head[0] == 0xdf:
		at = 5
	case head[0] < 0x81 || head[0] > 0x8f:
		return false
	}
	n := int(head[at] & 0x1f)
	return head[at]&0xe0 == 0xa0 && n > 0 && len(head) >= at+1+n && isPrintable(head[at+1:at+1+n])
}

// trimmed is head without a byte-order mark and blanks at its beginning.
func trimmed(head []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
}

func isHTML(head []byte) bool {
	text := bytes.ToLower(trimmed(head))
	return magic("<!doctype", "<html", "<head", "<body", "<script", "<meta", "<!--")(text) ||
		magic("<?xml")(text) && has("<html")(text)
}

func xmlError(head []byte) bool {
	return magic("<?xml", "<Error>")(trimmed(head)) && has("<Error>")(head)
}

// jsonWith accepts a text that begins as an object and holds all of words.
func jsonWith(words ...string) func(head []byte) bool {
	return func(head []byte) bool {
		text := trimmed(head)
		if len(text) == 0 || text[0] != '{' || !isPrintable(head) {
			return false
		}
		for _, w := range words {
			if !bytes.Contains(text[1:], []byte(w)) {
				return false
			}
		}
		return true
	}
}

// isJSON accepts a text that begins as an object, or as a list of objects.
func isJSON(head []byte) bool {
	list, ok := bytes.CutPrefix(trimmed(head), []byte("["))
	return jsonWith()(head) || ok && jsonWith()(list)
}

func isZeros(head []byte) bool { return len(head) >= 16 && len(bytes.TrimLeft(head, "\x00")) == 0 }

// isVocabulary accepts a first line of a piece, a tab and its score.
func isVocabulary(head []byte) bool {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	_, score, ok := bytes.Cut(line, []byte("\t"))
	_, err := strconv.ParseFloat(strings.TrimSpace(string(score)), 64)
	return ok && err == nil && isPrintable(head)
}

// isPrintable reports whether b is text: UTF-8 but for a rune that its end cuts, and no control
// characters but those of lines.
func isPrintable(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			return len(b) < utf8.UTFMax && !utf8.FullRune(b)
		}
		if unicode.IsControl(r) && !strings.ContainsRune("\t\r\n\f", r) {
			return false
		}
		b = b[n:]
	}
	return true
}

// unpack is the advice for an archive that command unpacks.
func unpack(command string) func(string, []byte, Want) string {
	return func(path string, _ []byte, _ Want) string { return unpackFirst(command, path) }
}

func unpackFirst(command, path string) string {
	return fmt.Sprintf("unpack it first (%s %s)", command, name(path))
}
