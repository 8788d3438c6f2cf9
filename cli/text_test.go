package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAppendVisible(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain text of any language stays", "Grüße, 世界 🚢", "Grüße, 世界 🚢"},
		{"line ends and tabs", "a\nb\r\tc", `a\nb\r\tc`},
		{"an escape sequence", "\x1b[31mred\x7f", `\x1b[31mred\x7f`},
		{"a C1 control", "\u009b2J", `\u009b2J`},
		{"direction marks", "abc\u202egnp.exe\u2066", `abc\u202egnp.exe\u2066`},
		{"line separators", "a\u2028b", `a\u2028b`},
		{"invalid UTF-8", "a\xffb", `a\xffb`},
	}
	for _, tt := range tests {
		if got := string(appendVisible(nil, []byte(tt.in))); got != tt.want {
			t.Errorf("%s: appendVisible(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestVisibleKeepsJSONTheSame(t *testing.T) {
	const in = "[\n{\"msg\":\"a\u009b\u202e\x7fz\"},\r\n{}]\n"
	var b strings.Builder
	if _, err := (&visible{w: &b}).Write([]byte(in)); err != nil {
		t.Fatal(err)
	}
	const want = "[\n{\"msg\":\"a\\u009b\\u202e\\u007fz\"},\r\n{}]\n"
	if b.String() != want {
		t.Errorf("visible = %q, want %q", b.String(), want)
	}
	var x, y []map[string]string
	if err := json.Unmarshal([]byte(in), &x); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(b.String()), &y); err != nil || x[0]["msg"] != y[0]["msg"] {
		t.Errorf("read again: %q, %v; want %q", y, err, x)
	}
}
