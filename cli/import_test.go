package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"shiplog/format"
)

// given is what an import gives a record anew each time.
var given = regexp.MustCompile(`"(id|obs)":"[0-9a-zTZ:.+-]{20,36}",`)

// TestImportOfRecordedStreams takes what real engines sent through the command: the records are those of
// the agent's own golden files, which were checked line by line.
func TestImportOfRecordedStreams(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join("..", "agent", "testdata", "golden", "*", "*.jsonl"))
	if len(files) < 20 {
		t.Fatalf("%d golden files, want 20", len(files))
	}
	for _, golden := range files {
		engine, name := filepath.Base(filepath.Dir(golden)), filepath.Base(golden)
		t.Run(engine+"/"+name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, "", "import", "--data", dir, "--format", engine, filepath.Join("..", "agent", "testdata", engine, name))
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Split(stripGiven(must(t, "", "export", "--data", dir, "-o", "jsonl")), "\n")
			for i, line := range strings.Split(string(want), "\n") {
				if i >= len(got) || got[i] != line {
					t.Fatalf("line %d = %s, want %s", i+1, strings.Join(got[min(i, len(got)):min(i+1, len(got))], ""), line)
				}
			}
		})
	}
}

// stripGiven removes the members of the envelope that no two imports give alike.
func stripGiven(lines string) string {
	var b strings.Builder
	for line := range strings.Lines(lines) {
		head, tail, _ := strings.Cut(line, `"stream":`)
		b.WriteString(given.ReplaceAllString(head, "") + `"stream":` + tail)
	}
	return b.String()
}

// TestImportNativeKeepsEveryByte takes native records through import and export: nothing changes.
func TestImportNativeKeepsEveryByte(t *testing.T) {
	var in []byte
	for i := range 3000 {
		r := &format.Record{Seq: uint64(i + 1), ID: "00000000-0000-7000-8000-000000000001", Stream: format.StreamLog,
			Category: "system", Msg: strings.Repeat("x", i%97), Time: at(i), Obs: at(i)}
		if i%3 == 0 {
			r.Stream, r.Eseq = format.StreamEvent, uint64(i/3+1)
		}
		in = format.AppendLine(in, r)
	}
	dir := t.TempDir()
	if out := must(t, string(in), "import", "--data", dir, "--format", "native"); out != "{\"read\":3000,\"stored\":3000,\"rejected\":0}\n" {
		t.Errorf("import printed %q", out)
	}
	if out := must(t, "", "export", "--data", dir, "-o", "jsonl"); out != string(in) {
		t.Errorf("export = %d bytes that differ from the %d imported", len(out), len(in))
	}
}

func TestImportNamesLongLines(t *testing.T) {
	long := bytes.Repeat([]byte("x"), maxImportLine+10)
	in := `{"stream":"log","category":"a","msg":"1"}` + "\n" + string(long) + "\r\n\n" + `{"stream":"log","category":"a","msg":"2"}`
	dir := t.TempDir()
	out, errs, status := shiplog(t, in, "import", "--data", dir, "--format", "native")
	if status != exitOK || out != "{\"read\":3,\"stored\":2,\"rejected\":1}\n" || errs != "shiplog: rejected line 2: longer than 4 MiB\n" {
		t.Errorf("import = exit %d %q %q", status, out, errs)
	}
}

func TestImportNamesOnlySomeOfTheRejected(t *testing.T) {
	in := strings.Repeat("nonsense\n", 100) + `{"stream":"log","category":"a","msg":"2"}` + "\n"
	_, errs, status := shiplog(t, in, "import", "--data", t.TempDir(), "--format", "native")
	if n := strings.Count(errs, "\n"); status != exitOK || n != rejectedShown+1 || !strings.Contains(errs, "80 more rejected") {
		t.Errorf("import = exit %d, %d lines on standard error:\n%s", status, n, errs)
	}
}
