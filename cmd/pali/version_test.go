package main

import "testing"

func TestVersionOf(t *testing.T) {
	for _, c := range []struct{ name, module, want string }{
		{"a tag", "v1.2.3", "1.2.3"},
		{"after a tag", "v1.2.4-0.20260102030405-0123456789ab+dirty", "1.2.4-0.20260102030405-0123456789ab+dirty"},
		{"no tag", "v0.0.0-20260102030405-0123456789ab", fallbackVersion},
		{"no version control", "(devel)", fallbackVersion},
		{"a test", "", fallbackVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			if have := versionOf(c.module); have != c.want {
				t.Errorf("have %s, want %s", have, c.want)
			}
		})
	}
}
