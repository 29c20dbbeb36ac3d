"""The official Python clients of OpenAI and Ollama, unchanged from PyPI, with a running pali serve:
their answers must be those of pali run.

    python clients.py ADDRESS PALI MODEL IMAGE...
"""

import base64
import json
import subprocess
import sys

import ollama
import openai

address, pali, model, files = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
checks = 0


def same(what, have, want):
    """Fails unless have is want."""
    global checks
    checks += 1
    if have != want:
        sys.exit(f"{what}: {have!r}, want {want!r}")


def run(prompt, *paths):
    """Returns the answer of the command."""
    args = [pali, "run", "-m", model, "-t", "1", "--json", prompt]
    for path in paths:
        args += ["-i", path]
    return json.loads(subprocess.run(args, check=True, capture_output=True, text=True).stdout)["text"]


def uri(path):
    kind = "jpeg" if path.endswith("jpg") else "png"
    return f"data:image/{kind};base64," + base64.b64encode(open(path, "rb").read()).decode()


def user(prompt, *paths):
    """Returns a chat message."""
    images = [{"type": "image_url", "image_url": {"url": uri(p)}} for p in paths]
    return {"role": "user", "content": [{"type": "text", "text": prompt}, *images]}


def with_openai():
    c = openai.OpenAI(base_url=address + "/v1", api_key="none", max_retries=0)
    name = c.models.list().data[0].id
    same("the model", c.models.retrieve(name).id, name)
    for path in files:
        for prompt in ["caption en", "answer en how many circles are there?", "detect circle"]:
            want = run(prompt, path)
            messages = [user(prompt, path)]
            got = c.chat.completions.create(model=name, messages=messages, logprobs=True, top_logprobs=2)
            same(prompt, got.choices[0].message.content, want)
            same("tokens", "".join(t.token for t in got.choices[0].logprobs.content), want)
            usage = {"include_usage": True}
            stream = c.chat.completions.create(model=name, messages=messages, stream=True, stream_options=usage)
            parts = list(stream)
            same(prompt + ", streamed", "".join(p.choices[0].delta.content or "" for p in parts if p.choices), want)
            same("usage", parts[-1].usage.completion_tokens, got.usage.completion_tokens)
            content = [{"type": "input_text", "text": prompt}, {"type": "input_image", "image_url": uri(path)}]
            question = [{"role": "user", "content": content}]
            got = c.responses.create(model=name, input=question)
            same(prompt + ", as a response", got.output_text, want)
            with c.responses.stream(model=name, input=question) as events:
                text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
                same(prompt + ", as events", text, want)
                same("the final response", events.get_final_response().output_text, want)
    both = "answer en how many circles are there?"
    got = c.chat.completions.create(model=name, messages=[user(both, *files[:2])])
    same("two images", got.choices[0].message.content, run(both, *files[:2]))
    chat = [
        user("caption en", files[0]),
        {"role": "assistant", "content": "a circle"},
        {"role": "user", "content": both},
    ]
    got = c.chat.completions.create(model=name, messages=chat)
    same("a later message", got.choices[0].message.content, run(both, files[0]))

    import pydantic

    class Box(pydantic.BaseModel):
        label: str
        xyxy: list[float]
        score: float

    class Found(pydantic.BaseModel):
        objects: list[Box]

    messages = [user("detect circle", files[0])]
    got = c.chat.completions.parse(model=name, messages=messages, response_format=Found)
    same("parsed", [o.label for o in got.choices[0].message.parsed.objects], ["circle"])
    for wrong in [
        dict(messages=[{"role": "system", "content": "Be brief."}, user("ocr", files[0])]),
        dict(messages=[{"role": "user", "content": "hello"}]),
        dict(messages=[user("ocr", files[0])], n=2),
    ]:
        try:
            c.chat.completions.create(model=name, **wrong)
            sys.exit(f"answered: {wrong}")
        except openai.BadRequestError as e:
            same("the error's code", e.code, "unsupported")
    try:
        c.chat.completions.create(model="gpt-4o", messages=[user("ocr", files[0])])
        sys.exit("another model answered")
    except openai.NotFoundError:
        pass


def with_ollama():
    c = ollama.Client(host=address)
    name = c.list().models[0].model
    if "vision" not in c.show(name).capabilities:
        sys.exit("no vision")
    for path in files:
        for prompt in ["caption en", "detect circle"]:
            want = run(prompt, path)
            same(prompt, c.generate(model=name, prompt=prompt, images=[path]).response, want)
            parts = c.generate(model=name, prompt=prompt, images=[path], stream=True)
            same(prompt + ", streamed", "".join(p.response for p in parts), want)
            messages = [{"role": "user", "content": prompt, "images": [path]}]
            got = c.chat(model=name, messages=messages, keep_alive="1m", options={"temperature": 0})
            same(prompt + ", as a chat", got.message.content, want)
            parts = c.chat(model=name, messages=messages, stream=True)
            same(prompt + ", as a streamed chat", "".join(p.message.content for p in parts), want)
    same("loaded", c.ps().models[0].model, name)
    got = c.generate(model=name, prompt="detect circle", images=[files[0]], format="json").response
    same("JSON", [o["label"] for o in json.loads(got)["objects"]], ["circle"])
    try:
        c.generate(model=name, prompt="hello")
        sys.exit("answered without an image")
    except ollama.ResponseError as e:
        same("the error's status", e.status_code, 400)


with_openai()
with_ollama()
print(f"Python: openai {openai.__version__}, ollama: {checks} answers are those of pali run")
