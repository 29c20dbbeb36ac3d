#!/bin/sh
# Runs the clients that people use against a server: OpenAI's, Ollama's, LangChain's and LiteLLM of
# PyPI; OpenAI's, Ollama's and Vercel's AI SDK of npm; then schemathesis on /openapi.json. Needs
# Python 3.10 or newer with venv, Node.js with npm, and a network for what is not in bin/clients yet.
# docs/clients.md says what each reads. Ollama's Go client is tested by scripts/clients/ollama_test.go.
#
#   scripts/clients.sh    (make test-clients)
set -eu
cd "$(dirname "$0")/.."
place=bin/clients
mkdir -p "$place"
# install FOLDER PACKAGE...: a Python environment.
install() {
	folder=$1
	shift
	[ -e "$folder/complete" ] || { python3 -m venv "$folder" && "$folder/bin/pip" install -q "$@" && touch "$folder/complete"; }
}
install "$place/venv" openai ollama schemathesis
install "$place/frameworks" langchain-ollama langchain-openai litellm instructor # they ask for an older openai
[ -d "$place/node_modules/ai" ] || npm install --prefix "$place" --no-audit --no-fund --silent \
	openai ollama ai @ai-sdk/openai-compatible ollama-ai-provider-v2 zod
cp scripts/clients/*.mjs "$place/" # Node.js looks for modules from the script's folder

convert() { bin/pali convert "$@" -o "$place/model" --force >/dev/null 2>&1; }
convert testdata/demo/demo.npz --tokenizer testdata/demo/tokenizer.model -t f32
convert --masks testdata/demo/masks.npz --name demo
bin/pali serve -m "$place/model" -t 1 --listen 127.0.0.1:0 --quiet >"$place/address" &
server=$!
trap 'kill $server' EXIT
until grep -q http "$place/address"; do sleep 0.1; done
address=$(sed 's/ .*//' "$place/address")
until python3 -c "import urllib.request; urllib.request.urlopen('$address/health')" 2>/dev/null; do sleep 0.1; done

folder=testdata/demo/pictures
images="$folder/000.png $folder/013.jpg $folder/008.png"
"$place/venv/bin/python" scripts/clients/clients.py "$address" bin/pali "$place/model" $images
"$place/frameworks/bin/python" scripts/clients/frameworks.py "$address" bin/pali "$place/model" $folder/000.png
node "$place/clients.mjs" "$address" bin/pali "$place/model" $images
node "$place/frameworks.mjs" "$address" bin/pali "$place/model" $folder/000.png
# Data that fits the schema may be refused for what a schema cannot say (bytes that are not an
# image), and OpenAI's and Ollama's clients may send more than is described.
checks=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance
checks=$checks,response_schema_conformance,unsupported_method
"$place/venv/bin/schemathesis" run "$address/openapi.json" --url "$address" --max-examples "${EXAMPLES:-30}" \
	--seed 1 --no-color --generation-database none --checks $checks
kill -0 $server
