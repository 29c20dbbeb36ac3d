// Vercel's AI SDK, unchanged from npm, by OpenAI's protocol and by Ollama's, with a running pali
// serve: its answers must be those of pali run.
//
//   node frameworks.mjs ADDRESS PALI MODEL IMAGE

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, streamText, Output } from 'ai';
import { createOllama } from 'ollama-ai-provider-v2';
import { z } from 'zod';

const [address, pali, model, path] = process.argv.slice(2);
const image = readFileSync(path).toString('base64'); // ollama-ai-provider-v2 sends bytes as an object of numbers
let checks = 0;

// same fails unless have is want.
function same(what, have, want) {
	checks++;
	if (have !== want) throw new Error(`${what}: ${JSON.stringify(have)}, want ${JSON.stringify(want)}`);
}

// run returns the command's answer.
function run(prompt) {
	return JSON.parse(execFileSync(pali, ['run', '-m', model, '-t', '1', '--json', prompt, '-i', path])).text;
}

// messages asks a prompt about the image.
function messages(prompt) {
	return [{ role: 'user', content: [{ type: 'text', text: prompt }, { type: 'image', image, mediaType: 'image/png' }] }];
}

const name = (await (await fetch(address + '/v1/models')).json()).data[0].id;
const providers = {
	'openai-compatible': createOpenAICompatible({ name: 'pali', baseURL: address + '/v1', supportsStructuredOutputs: true }),
	'ollama-ai-provider-v2': createOllama({ baseURL: address + '/api' }),
};
const found = z.object({ objects: z.array(z.object({ label: z.string(), xyxy: z.array(z.int()).length(4) })) });
const caption = run('caption en');
for (const [what, provider] of Object.entries(providers)) {
	const ask = { model: provider(name), maxRetries: 0, temperature: 0, maxOutputTokens: 4096 };
	const got = await generateText({ ...ask, messages: messages('caption en') });
	same(what, got.text, caption);
	same(what + ', its end', got.finishReason, 'stop');
	same(what + ', its usage', got.usage.outputTokens > 3, true);
	let text = '';
	for await (const part of streamText({ ...ask, messages: messages('caption en') }).textStream) text += part;
	same(what + ', streamed', text, caption);
	const objects = await generateText({
		...ask, messages: messages('detect circle'), output: Output.object({ schema: found }),
	});
	same(what + ', a schema', objects.output.objects.map((o) => o.label).join(), 'circle');
	const refused = await generateText({ ...ask, prompt: 'hello' }).catch((e) => e);
	same(what + ', the error', refused.statusCode, 400);
}
console.log(`JavaScript: AI SDK: ${checks} answers are those of pali run`);
