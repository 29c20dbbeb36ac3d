package worker_test

import (
	"slices"
	"testing"

	"github.com/pali-gguf/pali/server/worker"
)

// A worker gets what libraries and drivers read, and no key of anything.
func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		variable string
		passed   bool
	}{
		{"PATH=/bin", true}, {"Path=C:\\Windows", true}, {"HOME=/h", true}, {"LC_ALL=C", true}, {"TMPDIR=/t", true},
		{"CUDA_VISIBLE_DEVICES=1", true}, {"GGML_VK_VISIBLE_DEVICES=0", true}, {"VK_ICD_FILENAMES=a=b", true},
		{"OMP_NUM_THREADS=2", true}, {"SystemRoot=C:\\Windows", true}, {"PALI_LOAD=8", true},
		{"KAGGLE_KEY=k", false}, {"KAGGLE_USERNAME=u", false}, {"KAGGLE_API_TOKEN=t", false}, {"PALI_API_KEY=k", false},
		{"PALI_API_KEY_FILE=/run/secrets/k", false}, {"HTTPS_PROXY=http://u:p@h", false},
		{"https_proxy=http://u:p@h", false},
		{"AWS_SECRET_ACCESS_KEY=k", false}, {"OPENAI_API_KEY=k", false}, {"HF_TOKEN=t", false},
		{"NVIDIA_API_KEY=k", false},
		{"DATABASE_URL=postgres://u:p@h", false}, {"LD_PRELOAD=/x.so", false}, {"=C:=C:\\", false}, {"", false},
	} {
		t.Run(c.variable, func(t *testing.T) {
			if have := slices.Contains(worker.Environment([]string{c.variable}), c.variable); have != c.passed {
				t.Errorf("passed on: %v", have)
			}
		})
	}
}
