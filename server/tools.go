package server

// This file: a function that a client makes the model call: an answer as JSON in another wrapping.
//
// PaliGemma chooses no function. Where a request leaves no choice, the arguments are the objects
// that it finds, in the form of the function's parameters.

import "encoding/json"

// toolJSON is a function that a client offers.
type toolJSON struct {
	Function struct {
		Name       string          `json:"name"`
		Parameters json.RawMessage `json:"parameters"`
		Strict     bool            `json:"strict"`
	} `json:"function"`
}

// toolCallJSON is a call of a function in an answer, in OpenAI's form and Ollama's.
type toolCallJSON struct {
	Index    *int       `json:"index,omitempty"` // of OpenAI's chunks
	ID       string     `json:"id,omitempty"`
	Type     string     `json:"type,omitempty"`
	Function calledJSON `json:"function"`
}

type calledJSON struct {
	Name      string `json:"name"`
	Arguments any    `json:"arguments"` // a text of JSON (OpenAI's), or an object
}

// toolName returns the name of the only function that a choice leaves: "" for any, ok is false if
// it leaves the choice to the model.
func toolName(choice json.RawMessage) (name string, ok bool) {
	var named struct{ Function struct{ Name string } }
	switch {
	case string(choice) == `"required"` || string(choice) == `"any"`:
		return "", true
	case json.Unmarshal(choice, &named) == nil && named.Function.Name != "":
		return named.Function.Name, true
	}
	return "", false
}

// takeTool makes the answer's form that of a function's arguments: of the one with this name, or
// of the only one if name is "".
func (c *chat) takeTool(raw json.RawMessage, name string) error {
	var all []toolJSON
	if json.Unmarshal(raw, &all) != nil {
		return wrongKind("tools", "a list of functions", raw)
	}
	for _, t := range all {
		f := t.Function
		if f.Name == "" || name != "" && f.Name != name || name == "" && len(all) > 1 {
			continue
		}
		if c.form != nil {
			return unsupported("tools: an answer has the form of a function's parameters or of a format, not both")
		}
		form, err := parseSchema("the parameters of the function "+shorten(f.Name, maxEcho), f.Parameters, f.Strict)
		if err != nil {
			return err
		}
		if form.name == "" {
			return unsupported("the parameters of the function %s: want an object, which has the list", shorten(f.Name, maxEcho))
		}
		form.tool, c.form = f.Name, form
		return nil
	}
	return unsupported("tools: PaliGemma chooses none: give one function, and on OpenAI's route name it in tool_choice")
}
