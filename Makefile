# Pali. `make` builds bin/pali; `make demo` shows it at work; `make test` runs the tests.
# Needs Go, make and a C/C++ compiler, nothing else.

GO ?= go

# Go asks for CC and CXX in its own environment too; ask it which they are.
CC  := $(shell $(GO) env CC 2>/dev/null || echo cc)
CXX := $(shell $(GO) env CXX 2>/dev/null || echo c++)

# The first line says what is missing, before Go's own errors do.
ifeq (,$(shell command -v $(GO) 2>/dev/null))
$(error this needs Go (https://go.dev/dl): no "$(GO)" command found)
endif
ifeq (,$(shell command -v $(firstword $(CC)) 2>/dev/null))
$(error this needs a C compiler (Debian: apt-get install build-essential; macOS: xcode-select --install): no "$(CC)" command found)
endif
ifeq (,$(shell command -v $(firstword $(CXX)) 2>/dev/null))
$(error this needs a C++ compiler (Debian: apt-get install build-essential; macOS: xcode-select --install): no "$(CXX)" command found)
endif

# Speed: what "native" means on this processor, spelled out (scripts/native-flags.sh says why), and
# ggml's interleaved weights.
# -w: the C and C++ are the module's; their warnings are not ours to fix.
NATIVE := $(shell sh scripts/native-flags.sh $(firstword $(CC)))
export CGO_ENABLED  := 1
# -ffp-contract=off: blocks are rounded the same way on every processor. A product and a sum rounded
# once give other blocks: a third of all q5_k ones.
export CGO_CFLAGS   := -O3 -w $(NATIVE) -ffp-contract=off
export CGO_CXXFLAGS := -O3 -w $(NATIVE)
export CGO_CPPFLAGS := -DGGML_USE_CPU_REPACK

# The packages that need no C: those that import bindings neither themselves nor through others.
PURE = $(shell CGO_ENABLED=0 $(GO) list -e -f '{{.ImportPath}} {{join .Deps " "}}' ./... | grep -v /bindings/ | cut -d' ' -f1)

.PHONY: all modules demo test test-go test-pure race asan asan-short cuda vulkan test-gpu bench quality scores label-many bench-go fuzz lint synthetic clean env

# Builds the program.  e.g. make && bin/pali --help
all: bin/pali

# Go itself knows what is up to date.
.PHONY: bin/pali
bin/pali: modules
	@$(GO) build -o $@ ./cmd/pali

# The Go modules of go.mod, fetched first: without them go names every package that lacks one. Go
# says itself if it is too old.
modules:
	@$(GO) list -m >/dev/null
	@$(GO) mod download || { echo 'the modules of go.mod are not on this machine: the first build fetches them and needs a network' >&2; exit 1; }

# Converts the small checkpoint that is inside the program, and asks it about images.
demo: bin/pali
	@bin/pali demo

# All tests: everything with C, then the packages without C in a build that has none.
test: test-go test-pure

# Packages one after the other: ggml's threads wait for each other by spinning, and two programs
# doing so on few cores take very long.
test-go: modules
	$(GO) build ./...
	$(GO) test -p 1 -timeout 15m ./...
	$(GO) -C scripts vet ./...
	$(GO) -C scripts test ./...

# A build without C has other files; its tests must hold too.
test-pure:
	CGO_ENABLED=0 $(GO) test -short -timeout 10m $(PURE)

# The race detector, over what runs in several goroutines. It compiles all of the C again.
race:
	$(GO) test -race -p 1 -timeout 60m ./...

# The sanitizers for memory and for undefined behaviour, over all that calls C: 100 lives of a
# model, mutated files, the goldens, the blocks; then a look for leaks. Needs gcc or clang on Linux,
# and compiles all of the C again. scripts/leaks.txt lists what is llama.cpp's own. Pointers in Go's
# garbage would hide a leak; clobberfree wipes them. Go gives -fsanitize to C only, so the flags say
# it for C++. Each test program is built first: what "go test" runs itself has no names of
# functions, by which leaks.txt knows a leak.
SANITIZE := -fsanitize=address,undefined
asan: export CGO_CFLAGS   := -O1 -g1 -fno-omit-frame-pointer -w $(SANITIZE) $(NATIVE)
asan: export CGO_CXXFLAGS := -O1 -g1 -fno-omit-frame-pointer -w $(SANITIZE) $(NATIVE)
asan: export CGO_LDFLAGS  := $(SANITIZE)
asan: export GODEBUG       = clobberfree=1
asan: export UBSAN_OPTIONS = halt_on_error=1:print_stacktrace=1
asan: export LSAN_OPTIONS  = print_suppressions=0:suppressions=$(CURDIR)/scripts/leaks.txt
asan: export PALI_LIVES   ?= 100
asan: export PALI_HOSTILE ?= 600
asan:
	@set -e; for p in . bindings/ggml bindings/kernels bindings/llama mmproj/siglip runner/llamacpp quant; do \
		$(GO) test -asan -c -o bin/asan.test ./$$p; echo "asan: $$p"; \
		(cd $$p && $(CURDIR)/bin/asan.test -test.timeout 60m -test.skip 'TestDemo|TestRepeats|TestRings|TestImports|TestReadme'); \
	done; rm bin/asan.test

# The same for our own C alone, in a minute or two: every kernel on memory of exactly its size
# (bindings/kernels/testdata/check.c), by this compiler and by clang if there is one; then the tests
# of bindings and of SigLIP, over a llama.cpp that is compiled as always (the tag sanitize).
asan-short: export UBSAN_OPTIONS = halt_on_error=1:print_stacktrace=1
asan-short: modules
	sh scripts/check-c.sh $(firstword $(CC)) clang
	ASAN_OPTIONS=detect_leaks=0 $(GO) test -p 1 -tags sanitize ./bindings/... ./mmproj/siglip

# ggml's backend for a GPU as shared libraries in lib/pali, next to bin; pali loads them by itself.
# scripts/gpu.sh says what each needs.
cuda vulkan:
	sh scripts/gpu.sh $@

# The comparison with the authors' numbers on a GPU, within wider bounds. The test program lies in
# bin: the libraries are found from there.
# e.g. make test-gpu DEVICE=cuda
DEVICE ?= vulkan
test-gpu:
	$(GO) test -c -o bin/runner.test ./runner/llamacpp
	cd runner/llamacpp && PALI_DEVICE=$(DEVICE) ../../bin/runner.test -test.v -test.run 'TestGoldens|TestCausal|TestInterrupt'

# Everything that needs a GPU, in under eight minutes, and one table (docs/gpu.md). For a machine with
# a GPU and without Go, scripts/gpu-check.sh prepare packs what must be carried there.
# e.g. make gpu-check DEVICE=cpu, a rehearsal
.PHONY: gpu-check
gpu-check: modules
	sh scripts/gpu-check.sh prepare
	sh scripts/gpu-check.sh

# How fast this is here, written to docs/bench.md: the demo, text files that are named, Go's
# benchmarks.
#   e.g. make bench MODELS=models/a-Q4_0.gguf
MODELS ?=
bench: bin/pali
	@GO="$(GO)" sh scripts/bench.sh $(MODELS) >docs/bench.md.new && mv docs/bench.md.new docs/bench.md || { rm -f docs/bench.md.new; exit 1; }

# pali label over ten thousand images: how fast, how busy the model is, and that memory does not
# grow.
label-many:
	PALI_MANY=10000 $(GO) test -v -count=1 -timeout 30m -run TestLabelMany ./cmd/pali

# Go's benchmarks of some packages.  e.g. make bench-go PKG=./mmproj
PKG ?= ./...
bench-go:
	$(GO) test -p 1 -run '^$$' -bench . -benchmem $(PKG)

# Every fuzz target for FUZZTIME.  e.g. make fuzz FUZZTIME=10m
FUZZTIME ?= 30s
fuzz:
	sh scripts/fuzz.sh $(FUZZTIME)

# The clients of docs/clients.md that PyPI and npm have, unchanged, against a running server, and
# schemathesis on its description. Fetches them into bin/clients.
.PHONY: test-clients
test-clients: bin/pali
	sh scripts/clients.sh

# A server asked for long by clients that lose it a worker now and then; its memory and descriptors
# must not grow. Then the figures of docs/reliability.md.
#   e.g. make soak SOAK=2h
SOAK ?= 10m
.PHONY: soak
soak:
	PALI_SOAK=$(SOAK) PALI_LOAD=8 $(GO) test ./cmd/pali -v -timeout 0 -run 'TestServeSoak|TestServeLoad'
	CGO_ENABLED=0 $(GO) test ./server -v -run 'TestFaultsUnderLoad|TestSlowClients'

# The page: types and style of its modules; its tests in headless Chromium, with the demo model; its
# screenshots in docs. Fetches what they need into bin/_page.
.PHONY: lint-page test-page page-pictures
lint-page:
	sh scripts/page.sh lint
test-page: bin/pali
	sh scripts/page.sh test
page-pictures: bin/pali
	sh scripts/page.sh pictures

# The gate for every change.
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
lint:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./... ./testdata/demo
	$(GO) mod tidy -diff
	$(GO) run $(STATICCHECK) ./... ./testdata/demo
	$(GO) -C scripts vet ./...
	$(GO) -C scripts mod tidy -diff
	cd scripts && $(GO) run $(STATICCHECK) ./...

# What scores of boxes are worth: rewrites docs/scores.md and its plot, in a minute.
scores: bin/pali
	bin/pali convert testdata/demo/demo.npz --tokenizer testdata/demo/tokenizer.model -t f32 -o bin/scores --force
	grep '"detect' testdata/quality/questions.jsonl >bin/scores/questions.jsonl
	bin/pali eval -m bin/scores --questions bin/scores/questions.jsonl --images testdata/quality --kv f32 -t 1 --per-question bin/scores/rows.jsonl --force
	$(GO) -C scripts build -o ../bin/scores.program ./scores
	bin/scores.program bin/scores/rows.jsonl -o docs

# What each type costs the demo checkpoint: rewrites docs/quality.md and its plots. About four
# minutes on two cores; with all questions, half an hour:
# make quality QUESTIONS=testdata/quality/questions.jsonl
QUESTIONS ?= testdata/quality/short.jsonl
quality: bin/pali
	$(GO) -C scripts build -o ../bin/quality.program ./quality
	bin/quality.program --questions $(QUESTIONS)

# A full-size PaliGemma 3B with random weights (11.7 GB), for measuring (scripts/bench-convert.sh).
OUT       ?= synthetic-3b.npz
TOKENIZER ?= synthetic-tokenizer.model
synthetic:
	CGO_ENABLED=0 $(GO) -C scripts build -o ../bin/synthetic ./synthetic
	bin/synthetic -o $(OUT) --tokenizer $(TOKENIZER)

# The same environment for a shell, so that go itself builds with the same flags:
#   eval "$$(make -s env)" && go test ./quant
env:
	@echo 'export CGO_ENABLED=1 CGO_CFLAGS="$(CGO_CFLAGS)" CGO_CXXFLAGS="$(CGO_CXXFLAGS)" CGO_CPPFLAGS="$(CGO_CPPFLAGS)"'

clean:
	rm -rf bin lib
