package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestProgress(t *testing.T) {
	for _, row := range []struct {
		name string
		size int64
		want string
	}{
		{"a file", 4096, "\rread 2.0 KiB of 4.0 KiB, 50 %"},
		{"a pipe", -1, "\rread 2.0 KiB  "},
		{"a file that grew", 1024, "\rread 2.0 KiB of 1.0 KiB, 100 %"},
	} {
		var to bytes.Buffer
		p := &progress{in: strings.NewReader(strings.Repeat("x", 2048)), to: &to, size: row.size}
		if n, err := io.Copy(io.Discard, p); n != 2048 || err != nil {
			t.Errorf("%s: read %d, %v", row.name, n, err)
		}
		p.done()
		if got := to.String(); !strings.Contains(got, row.want) || !strings.HasSuffix(got, "\n") {
			t.Errorf("%s: shows %q, want %q in it", row.name, got, row.want)
		}
		if n := strings.Count(to.String(), "\r"); n > 3 {
			t.Errorf("%s: shown %d times in an instant", row.name, n)
		}
	}
}
