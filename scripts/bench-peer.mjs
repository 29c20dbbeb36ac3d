// Compares `pali bench` with upstream llama.cpp on the same text files, in turn, and prints a
// Markdown table with the medians of both and their ratio.
//
//   node scripts/bench-peer.mjs PACKAGE ROUNDS MODEL.gguf...
//
// PACKAGE is the folder of an installed node-llama-cpp, which contains upstream's prebuilt
// libraries; MODEL.gguf are text files with their mmproj files in the same folder. Both run 264
// positions of prefix and 24 tokens of answer with the number of threads that pali chooses;
// upstream's prefix is 264 tokens of text, and causal. Each round is a process of its own, ours and
// theirs in turn; each process warms up once. PALI is the program, bin/pali by default.
import { execFileSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const prefix = 264, answer = 24;
const self = fileURLToPath(import.meta.url);

// upstream measures one model in this process: tokens per second of prefix and answer.
async function upstream(folder, model, threads) {
	const { getLlama } = await import(pathToFileURL(path.join(folder, "dist", "index.js")));
	const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: "error" });
	const loaded = await llama.loadModel({ modelPath: model, gpuLayers: 0 });
	const context = await loaded.createContext({ contextSize: 512, batchSize: 512, threads });
	let rates;
	for (let round = 0; round < 2; round++) {
		const sequence = context.getSequence();
		await sequence.clearHistory();
		const tokens = Array.from({ length: prefix }, (_, i) => 1000 + ((i * 7919 + round * 13) % 50000));
		let start = performance.now();
		await sequence.evaluateWithoutGeneratingNewTokens(tokens);
		const prefill = (prefix / (performance.now() - start)) * 1000;
		start = performance.now();
		let n = 0;
		for await (const _ of sequence.evaluate([2000], { temperature: 0, yieldEogToken: true })) {
			if (++n === answer - 1) {
				break;
			}
		}
		rates = { prefill, decode: (n / (performance.now() - start)) * 1000 };
		sequence.dispose();
	}
	return rates;
}

function ours(model) {
	const pali = process.env.PALI ?? path.join(path.dirname(self), "..", "bin", "pali");
	const args = ["bench", "-m", model, "-r", "1", "--prompt-tokens", "8", "--max-tokens", String(answer), "--json"];
	const out = execFileSync(pali, args);
	const r = JSON.parse(out);
	return { prefill: r.prefill.per_second, decode: r.decode.per_second, tokens: r.prefill_tokens, threads: r.threads };
}

const median = (v) => v.toSorted((a, b) => a - b)[Math.floor(v.length / 2)];

function compare(folder, rounds, model) {
	const rows = { prefill: [[], []], decode: [[], []] };
	for (let i = 0; i < rounds; i++) {
		const a = ours(model);
		if (a.tokens !== prefix) {
			throw new Error(`${model}: a prefix of ${a.tokens} positions, want ${prefix}: take a 224 px model`);
		}
		const b = JSON.parse(execFileSync(process.execPath, [self, "--upstream", folder, model, String(a.threads)]));
		for (const what of ["prefill", "decode"]) {
			rows[what][0].push(a[what]);
			rows[what][1].push(b[what]);
		}
	}
	const cell = (what) => {
		const [a, b] = rows[what];
		return `${median(a).toFixed(1)} | ${median(b).toFixed(1)} | ${median(a.map((v, i) => v / b[i])).toFixed(2)}`;
	};
	console.log(`| ${path.basename(model)} | ${cell("prefill")} | ${cell("decode")} |`);
}

const args = process.argv.slice(2);
if (args[0] === "--upstream") {
	console.log(JSON.stringify(await upstream(args[1], args[2], Number(args[3]))));
	process.exit(0);
}
const [folder, rounds, ...models] = args;
if (models.length === 0 || !(Number(rounds) > 0)) {
	console.error("usage: node scripts/bench-peer.mjs PACKAGE ROUNDS MODEL.gguf...");
	process.exit(2);
}
console.log("| file | prefill, tokens/s | upstream | ratio | decode, tokens/s | upstream | ratio |");
console.log("|---|---|---|---|---|---|---|");
for (const model of models) {
	compare(path.resolve(folder), Number(rounds), path.resolve(model));
}
