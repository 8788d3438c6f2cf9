package cli

import (
	"fmt"
	"strings"
	"testing"

	"shiplog/format"
)

// TestImportOfLinesAsTheyStand imports the same records twice: as the writer wrote them, and with a space that makes
// the import look closer. What is stored and what is rejected must be the same.
func TestImportOfLinesAsTheyStand(t *testing.T) {
	var plain, spaced strings.Builder
	for i := range 1000 {
		r := &format.Record{Seq: uint64(2*i + 3), ID: fmt.Sprintf("id-%d", i), Stream: format.StreamLog, Category: "system",
			Msg: fmt.Sprintf("line \"%d\" of ünequal length%*s", i, i%50, ""), Host: "nas", Time: at(i), Obs: at(i)}
		switch i % 10 {
		case 1:
			r.Stream, r.Eseq = format.StreamEvent, uint64(i+5)
		case 2:
			r.Data = fmt.Appendf(nil, `{"ref":%d,"why":"it follows"}`, 2*i+1)
		case 3:
			r.Data = []byte(`{"ref":999999}`)
		case 4:
			r.ID, r.Host = "", ""
		case 5:
			r.Seq = 1 // it does not rise; numbered anew it is taken
		case 6:
			r.Time = r.Time.AddDate(-3000, 0, 0)
		}
		line := string(format.AppendLine(nil, r))
		plain.WriteString(line)
		spaced.WriteString(" " + line)
	}
	for _, before := range []string{"", `{"time":"2026-01-02T03:04:05Z","stream":"log","category":"a","msg":"it was here before"}` + "\n"} {
		var results [2]string
		for i, in := range []string{plain.String(), spaced.String()} {
			dir := t.TempDir()
			if before != "" {
				must(t, before, "import", "--data", dir, "--format", "native")
			}
			out, errs, status := shiplog(t, in, "import", "--data", dir, "--format", "native")
			if status != exitOK {
				t.Fatalf("import = exit %d %s", status, errs)
			}
			stored := must(t, "", "export", "--data", dir, "-o", "jsonl")
			results[i] = out + errs + given.ReplaceAllString(stored, "")
		}
		if results[0] != results[1] {
			t.Errorf("after %q lines as they stand = %d bytes, want the %d of records made of them:\n%.2000s", before, len(results[0]), len(results[1]), results[0])
		}
		if n := strings.Count(results[0], `"was_ref":999999`); before != "" && n != 100 {
			t.Errorf("%d records say what they referred to, want 100", n)
		}
	}
}
