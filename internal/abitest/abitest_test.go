package abitest

import "testing"

// Each assertion fails where our declaration differs from the library's in what it is about.
func TestAssertions(t *testing.T) {
	const theirs = "struct one { int64_t size; void *data; bool on; int32_t more[2]; };\n"
	for _, c := range []struct {
		name, ours, list string
		compiles         bool
	}{
		{"equal", "int64_t size; void *data; bool on; int32_t more[2];", "WHOLE", true},
		{"first fields", "int64_t size; void *data;", "HEAD", true},
		{"too small for all", "int64_t size; void *data;", "WHOLE", false},
		{"too large", "int64_t size; void *data; bool on; int32_t more[9];", "HEAD", false},
		{"wrong offset", "void *data; int64_t size;", "HEAD", false},
		{"wrong size", "int32_t size; void *data;", "HEAD", false},
		{"wrong kind", "int64_t size; void *data; uint8_t on;", "HEAD", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			source := assertions + "#include <stdint.h>\n" + theirs + "struct pali_one { " + c.ours + " };\n" +
				"#define FIELDS(F, S) F(S, , size, ) F(S, , data, )"
			if c.name == "equal" || c.name == "wrong kind" {
				source += " F(S, , on, )"
			}
			if out, err := Syntax(t, source+"\n"+c.list+"(one, FIELDS)\n"); (err == nil) != c.compiles {
				t.Errorf("compiles: %v, want %v\n%s", err == nil, c.compiles, out)
			}
		})
	}
}
