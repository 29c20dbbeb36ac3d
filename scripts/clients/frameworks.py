"""What is built on OpenAI's and Ollama's protocols, unchanged from PyPI: LangChain's chat models,
LiteLLM and instructor, with a running pali serve: their answers must be those of pali run.

    python frameworks.py ADDRESS PALI MODEL IMAGE
"""

import base64
import json
import os
import subprocess
import sys
from importlib.metadata import version

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no prices from elsewhere

import instructor
import litellm
import openai
import pydantic
from langchain_core.messages import HumanMessage
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI

address, pali, model, image = sys.argv[1:]
name = openai.OpenAI(base_url=address + "/v1", api_key="none").models.list().data[0].id
data = base64.b64encode(open(image, "rb").read()).decode()
uri = "data:image/png;base64," + data
checks = 0


class Box(pydantic.BaseModel):
    """A box in whole pixels, as most people write it down."""

    label: str
    xyxy: list[int]
    colour: str | None = None


class Found(pydantic.BaseModel):
    """All objects of an image."""

    objects: list[Box]


def same(what, have, want):
    """Fails unless have is want."""
    global checks
    checks += 1
    if have != want:
        sys.exit(f"{what}: {have!r}, want {want!r}")


def run(prompt):
    """Returns the answer of the command."""
    args = [pali, "run", "-m", model, "-t", "1", "--json", prompt, "-i", image]
    return json.loads(subprocess.run(args, check=True, capture_output=True, text=True).stdout)["text"]


def parts(prompt):
    """Returns a message's content."""
    return [{"type": "text", "text": prompt}, {"type": "image_url", "image_url": {"url": uri}}]


def fits(what, found):
    """Fails unless found is one circle in whole pixels."""
    if isinstance(found, dict):
        found = Found.model_validate(found)
    same(what, [(o.label, len(o.xyxy), o.colour) for o in found.objects], [("circle", 4, None)])


def with_langchain():
    caption = run("caption en")
    # seed and num_predict as people set them; validate_model_on_init asks for the list first
    ollama = ChatOllama(model=name, base_url=address, temperature=0, num_predict=4096, num_ctx=2048,
                        keep_alive="5m", validate_model_on_init=True)
    openais = ChatOpenAI(model=name, base_url=address + "/v1", api_key="none", temperature=0, max_tokens=4096,
                         stream_usage=True, max_retries=0)
    for what, llm in [("ChatOllama", ollama), ("ChatOpenAI", openais)]:
        question = [HumanMessage(content=parts("caption en"))]
        got = llm.invoke(question)
        same(what, got.content, caption)
        same(what + "'s usage", got.usage_metadata["output_tokens"] > 3, True)
        same(what + ", streamed", "".join(c.content for c in llm.stream(question)), caption)
        detect = [HumanMessage(content=parts("detect circle"))]
        for method in ["json_schema", "function_calling", "json_mode"]:
            if method == "json_mode":  # the prompt alone says what is wanted: all fields come
                got = llm.with_structured_output(None, method=method).invoke(detect)
                same(f"{what}, {method}", [o["label"] for o in got["objects"]], ["circle"])
            else:
                fits(f"{what}, {method}", llm.with_structured_output(Found, method=method).invoke(detect))


def with_litellm():
    caption = run("caption en")
    for provider, base in [("ollama_chat/", address), ("openai/", address + "/v1")]:
        common = dict(model=provider + name, api_base=base, api_key="none", num_retries=0)
        ask = dict(common, messages=[{"role": "user", "content": parts("caption en")}])
        got = litellm.completion(**ask, max_tokens=4096, temperature=0, seed=1)
        same(provider, got.choices[0].message.content, caption)
        same(provider + "'s usage", got.usage.completion_tokens > 3, True)
        stream = litellm.completion(**ask, stream=True)
        text = "".join(part.choices[0].delta.content or "" for part in stream)
        same(provider + ", streamed", text, caption)
        got = litellm.completion(**common, messages=[{"role": "user", "content": parts("detect circle")}],
                                 response_format=Found)
        fits(provider + " with a schema", json.loads(got.choices[0].message.content))
        try:
            litellm.completion(**common, messages=[{"role": "user", "content": "hello"}])
            sys.exit("answered without an image")
        except (litellm.BadRequestError, litellm.APIConnectionError, litellm.APIError) as e:
            same(provider + "'s error", "answers about images" in str(e), True)


def with_instructor():
    for mode in [instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA]:
        c = instructor.from_openai(openai.OpenAI(base_url=address + "/v1", api_key="none"), mode=mode)
        messages = [{"role": "user", "content": parts("detect circle")}]
        try:
            found = c.chat.completions.create(model=name, messages=messages, response_model=Found, max_retries=0)
        except Exception as e:  # it puts the schema into a system message, which is refused
            same(f"instructor, {mode}", "system message" in str(e), True)
            continue
        fits(f"instructor, {mode}", found)


with_langchain()
with_litellm()
with_instructor()
names = ["langchain-ollama", "langchain-openai", "litellm", "instructor"]
print(f"Python: {', '.join(n + ' ' + version(n) for n in names)}: {checks} answers are those of pali run")
