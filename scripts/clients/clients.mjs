// The official JavaScript clients of OpenAI and Ollama, unchanged from npm, with a running pali
// serve: their answers must be those of pali run.
//
//   node clients.mjs ADDRESS PALI MODEL IMAGE...

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Ollama } from 'ollama';
import OpenAI from 'openai';

const [address, pali, model, ...files] = process.argv.slice(2);
let checks = 0;

// same fails unless have is want.
function same(what, have, want) {
	checks++;
	if (have !== want) throw new Error(`${what}: ${JSON.stringify(have)}, want ${JSON.stringify(want)}`);
}

// run returns the command's answer.
function run(prompt, path) {
	return JSON.parse(execFileSync(pali, ['run', '-m', model, '-t', '1', '--json', prompt, '-i', path])).text;
}
const base64 = (path) => readFileSync(path).toString('base64');
const uri = (path) => `data:image/${path.endsWith('jpg') ? 'jpeg' : 'png'};base64,${base64(path)}`;

async function withOpenAI() {
	const c = new OpenAI({ baseURL: address + '/v1', apiKey: 'none', maxRetries: 0 });
	const name = (await c.models.list()).data[0].id;
	for (const path of files) {
		for (const prompt of ['caption en', 'answer en how many circles are there?', 'detect circle']) {
			const want = run(prompt, path);
			const content = [{ type: 'text', text: prompt }, { type: 'image_url', image_url: { url: uri(path) } }];
			const messages = [{ role: 'user', content }];
			same(prompt, (await c.chat.completions.create({ model: name, messages })).choices[0].message.content, want);
			let text = '';
			const parts = await c.chat.completions.create({ model: name, messages, stream: true });
			for await (const part of parts) text += part.choices[0]?.delta?.content ?? '';
			same(prompt + ', streamed', text, want);
			const image = { type: 'input_image', image_url: uri(path), detail: 'auto' };
			const input = [{ role: 'user', content: [{ type: 'input_text', text: prompt }, image] }];
			same(prompt + ', as a response', (await c.responses.create({ model: name, input })).output_text, want);
			text = '';
			const events = await c.responses.create({ model: name, input, stream: true });
			for await (const e of events) if (e.type === 'response.output_text.delta') text += e.delta;
			same(prompt + ', as events', text, want);
		}
	}
	const messages = [{ role: 'user', content: 'hello' }];
	const refused = await c.chat.completions.create({ model: name, messages }).catch((e) => e);
	same('the error', refused.code, 'unsupported');
}

async function withOllama() {
	const c = new Ollama({ host: address });
	const name = (await c.list()).models[0].model;
	same('vision', (await c.show({ model: name })).capabilities.includes('vision'), true);
	for (const path of files) {
		for (const prompt of ['caption en', 'detect circle']) {
			const want = run(prompt, path);
			const images = [base64(path)];
			same(prompt, (await c.generate({ model: name, prompt, images })).response, want);
			let text = '';
			for await (const part of await c.generate({ model: name, prompt, images, stream: true })) text += part.response;
			same(prompt + ', streamed', text, want);
			const messages = [{ role: 'user', content: prompt, images }];
			same(prompt + ', as a chat', (await c.chat({ model: name, messages })).message.content, want);
			text = '';
			for await (const part of await c.chat({ model: name, messages, stream: true })) text += part.message.content;
			same(prompt + ', as a streamed chat', text, want);
		}
	}
	same('loaded', (await c.ps()).models[0].model, name);
}

await withOpenAI();
await withOllama();
console.log(`JavaScript: openai and ollama: ${checks} answers are those of pali run`);
