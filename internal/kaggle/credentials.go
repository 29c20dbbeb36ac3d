package kaggle

// This file: the credentials of requests.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pali-gguf/pali/internal/input"
)

// Credentials are a user and a key, or a token.
type Credentials struct {
	User, Key string
	Token     string // instead of both
}

// ErrNoCredentials is what Find returns where there are none.
var ErrNoCredentials = errors.New("no credentials of Kaggle")

// maxCredentials bounds kaggle.json in bytes.
const maxCredentials = 64 << 10

// Find looks for credentials as Kaggle's own tools do: KAGGLE_API_TOKEN, KAGGLE_USERNAME with
// KAGGLE_KEY, kaggle.json in KAGGLE_CONFIG_DIR or in .kaggle of the folder home. get returns an
// environment variable. warning is a sentence about a file that others can read.
func Find(get func(name string) string, home string) (c *Credentials, warning string, err error) {
	user, key := strings.TrimSpace(get("KAGGLE_USERNAME")), strings.TrimSpace(get("KAGGLE_KEY"))
	switch token := strings.TrimSpace(get("KAGGLE_API_TOKEN")); {
	case token != "":
		return &Credentials{Token: token}, "", nil
	case user != "" && key != "":
		return &Credentials{User: user, Key: key}, "", nil
	case user != "" || key != "":
		return nil, "", errors.New("of KAGGLE_USERNAME and KAGGLE_KEY only one is set: want both")
	}
	folder := get("KAGGLE_CONFIG_DIR")
	if folder == "" {
		folder = filepath.Join(home, ".kaggle")
	}
	return read(filepath.Join(folder, "kaggle.json"))
}

func read(path string) (c *Credentials, warning string, err error) {
	f, info, err := input.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", ErrNoCredentials
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: not a file that can be read", path)
	}
	defer f.Close()
	if runtime.GOOS != "windows" && info.Mode()&0o044 != 0 {
		warning = fmt.Sprintf("others on this machine can read the key in %s: chmod 600 %[1]s", path)
	}
	var stored struct{ Username, Key string }
	b, err := io.ReadAll(io.LimitReader(f, maxCredentials))
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) // a byte-order mark
	if err != nil || json.Unmarshal(b, &stored) != nil || stored.Username == "" || stored.Key == "" {
		// without its content, which is secret
		return nil, "", fmt.Errorf(`%s: want {"username": "...", "key": "..."}, as Kaggle gives it`, path)
	}
	return &Credentials{User: stored.Username, Key: stored.Key}, warning, nil
}

// sign adds the credentials to the request r.
func (c *Credentials) sign(r *http.Request) {
	switch {
	case c == nil:
	case c.Token != "":
		r.Header.Set("Authorization", "Bearer "+c.Token)
	default:
		r.SetBasicAuth(c.User, c.Key)
	}
}
