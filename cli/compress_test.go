package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// TestCompressedLog lets a running shiplog compress old segments, and looks at what all commands say of them.
func TestCompressedLog(t *testing.T) {
	dir := t.TempDir()
	w, err := format.Open(dir, format.Options{SegmentBytes: 400 << 10})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		recs := make([]*format.Record, 100)
		for k := range recs {
			n := 100*i + k
			recs[k] = &format.Record{Time: time.Now().AddDate(0, -2, 0), Stream: format.StreamLog, Category: "test", Msg: fmt.Sprintf("record %d of many that are much alike", n*n)}
		}
		if err := w.Append(t.Context(), recs...); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	must(t, "", "seal", "--data", dir)
	files, err := filepath.Glob(filepath.Join(dir, "log", "*.jsonl"))
	if err != nil || len(files) < 4 {
		t.Fatalf("segments: %v, %v, want several", files, err)
	}
	old := time.Now().AddDate(0, -2, 0)
	for _, f := range files {
		if err := os.Chtimes(f, old, old); err != nil {
			t.Fatal(err)
		}
	}
	lines, table := must(t, "", "export", "--data", dir, "-o", "jsonl"), must(t, "", "query", "--data", dir, "--text", "record 1521 of", "-n", "5")
	r := startReloaded(t, dir, "run", "compress-after: 90d")
	if packed, _ := filepath.Glob(filepath.Join(dir, "log", "*.zst")); len(packed) > 0 {
		t.Errorf("%v are there although no segment is 90 days old", packed)
	}
	r.write("compress-after: 30d")
	r.reload("changed=compress-after")
	var packed []string
	r.wait("compressed segments", func() bool {
		packed, _ = filepath.Glob(filepath.Join(dir, "log", "00*.zst"))
		return len(packed) >= 3
	})
	for _, p := range packed[:3] { // as shiplog does after a while
		if err := os.Remove(strings.TrimSuffix(p, ".zst")); err != nil {
			t.Fatal(err)
		}
	}
	if got := must(t, "", "export", "--data", dir, "-o", "jsonl"); !strings.HasPrefix(got, lines) {
		t.Error("export gives other lines than before")
	}
	if got := must(t, "", "query", "--data", dir, "--text", "record 1521 of", "-n", "5"); got != table || got == "" {
		t.Errorf("query = %q, want %q", got, table)
	}
	if out, errs, status := shiplog(t, "", "verify", "--data", dir); status != exitOK {
		t.Errorf("verify = exit %d\n%s%s", status, out, errs)
	}
	if out := must(t, "", "status", "--data", dir); !strings.Contains(out, " of them compressed, ") {
		t.Errorf("status prints\n%swant how many segments are compressed", out)
	}
	zstdcat(t, dir, packed[0], lines)
	b, err := os.ReadFile(packed[1])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 4
	if err := os.WriteFile(packed[1], b, 0o640); err != nil {
		t.Fatal(err)
	}
	out, errs, status := shiplog(t, "", "verify", "--data", dir)
	if status == exitOK || !strings.Contains(out+errs, filepath.Base(packed[1])) || !strings.Contains(out+errs, "cannot be decompressed") {
		t.Errorf("verify of a damaged file = exit %d\n%s%s", status, out, errs)
	}
}

// zstdcat shows that other programs read the first lines, and that their hash is the sealed one.
func zstdcat(t *testing.T, dir, file, lines string) {
	t.Helper()
	if _, err := exec.LookPath("zstdcat"); err != nil {
		t.Log("zstdcat is not installed: what it shows is not compared")
		return
	}
	out, err := exec.Command("zstdcat", file).Output()
	if err != nil || len(out) == 0 || !strings.HasPrefix(lines, string(out)) {
		t.Errorf("zstdcat %s gives %d bytes, %v, want the first lines", file, len(out), err)
	}
	sum, err := exec.Command("sh", "-c", `zstdcat "$0" | sha256sum | cut -d' ' -f1`, file).Output()
	seals, rerr := os.ReadFile(filepath.Join(dir, "log", "SEALS.jsonl"))
	if err != nil || rerr != nil || !strings.Contains(string(seals), `"sha256":"`+strings.TrimSpace(string(sum))+`"`) {
		t.Errorf("zstdcat | sha256sum gives %s, %v, %v, which is not in the seals", sum, err, rerr)
	}
}
