package format_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shiplog/format"
)

// canonicalLine has every member that a canonical line may have.
const canonicalLine = `{"v":1,"seq":7,"eseq":3,"id":"01937f6a-5b1c-7def-8123-0123456789ab","time":"2026-01-02T03:04:05.678Z","obs":"2026-01-02T03:04:05Z","stream":"event","level":"INFO","category":"container","action":"container.start","outcome":"success","status":"start","code":"0","msg":"Start \"é\" \\ \n\t\b\f\r (docker)","actor":{"name":"admin","id":"1","domain":"d","type":"user","email":"a@b"},"src":{"ip":"10.0.0.1","agent":"curl"},"obj":{"type":"container","id":"d59b","name":"dtest","image":"busybox","tag":"latest"},"engine":"docker","host":"nas","ns":"lgsd","repo":"diamond","project":"p","req":"r","preq":"q","args":"[1]","data":{"attr":{"a":"b\u00e9"},"n":1.50}}`

// checkCanonical compares what is taken over with what becomes of the line by way of a record. It tells whether the
// line is taken over.
func checkCanonical(t *testing.T, line []byte) bool {
	t.Helper()
	var c format.Canonical
	if bytes.ContainsAny(line, "\r\n") || !format.ScanCanonical(line, &c) {
		return false
	}
	var r format.Record
	if err := format.ParseLine(line, &r); err != nil {
		t.Fatalf("ScanCanonical(%q) = true, ParseLine = %v", line, err)
	}
	if err := r.Validate(); err != nil {
		t.Fatalf("ScanCanonical(%q) = true, Validate = %v", line, err)
	}
	if r.ID == "" || r.Time.IsZero() || r.Obs.IsZero() {
		t.Fatalf("ScanCanonical(%q) = true, but the writer would add something", line)
	}
	if c.Seq != r.Seq || c.Eseq != r.Eseq || string(c.Data) != string(r.Data) {
		t.Fatalf("ScanCanonical(%q) = seq %d, eseq %d, data %q, want %d, %d, %q", line, c.Seq, c.Eseq, c.Data, r.Seq, r.Eseq, r.Data)
	}
	r.V = format.Version
	r.Trim()
	want := format.AppendLine(nil, &r)
	if got := c.AppendLine(nil); string(got) != string(want) {
		t.Fatalf("%q is taken over as\n%q, want\n%q", line, got, want)
	}
	return true
}

// with is canonicalLine with one part replaced.
func with(old, now string) string { return strings.Replace(canonicalLine, old, now, 1) }

func TestCanonicalLinesAreTakenOver(t *testing.T) {
	short := `{"v":1,"seq":1,"id":"a","time":"2026-01-02T03:04:05.1Z","obs":"2026-01-02T03:04:05.1Z","stream":"log"`
	for name, line := range map[string]string{
		"all members":             canonicalLine,
		"only what must be there": short + "}",
		"a short end":             short + `,"category":"abc"}`,
		"a name of eight letters": short + `,"category":"a"}`,
		"an object that is empty": short + `,"data":{}}`,
		"no eseq":                 with(`,"eseq":3`, ``),
		"no eseq of a log record": strings.Replace(with(`,"eseq":3`, ``), `"event"`, `"log"`, 1),
		"a message at its limit":  with("(docker)", strings.Repeat("x", 32<<10-29)),
		"a benchmark's line":      strings.Replace(benchLine, `"eseq":812,`, "", 1),
	} {
		if !checkCanonical(t, []byte(line)) {
			t.Errorf("%s: ScanCanonical(%.200s) = false, want true", name, line)
		}
	}
}

func TestOtherLinesAreLookedAtCloser(t *testing.T) {
	for name, line := range map[string]string{
		"a newer version":                  with(`"v":1`, `"v":2`),
		"no version":                       with(`"v":1,`, ``),
		"no seq":                           with(`"seq":7,`, ``),
		"a seq beyond all":                 with(`"seq":7`, `"seq":9223372036854775808`),
		"an eseq to be given":              with(`"eseq":3`, `"eseq":18446744073709551615`),
		"an eseq of a log record":          with(`"stream":"event"`, `"stream":"log"`),
		"no id":                            with(`"id":"01937f6a-5b1c-7def-8123-0123456789ab",`, ``),
		"no time":                          with(`"time":"2026-01-02T03:04:05.678Z",`, ``),
		"no obs":                           with(`"obs":"2026-01-02T03:04:05Z",`, ``),
		"no stream":                        with(`"stream":"event",`, ``),
		"a stream nobody knows":            with(`"stream":"event"`, `"stream":"river"`),
		"a level nobody knows":             with(`"INFO"`, `"INFORMATION"`),
		"a level in small letters":         with(`"INFO"`, `"info"`),
		"an outcome nobody knows":          with(`"success"`, `"fine"`),
		"a time with an offset":            with(`678Z`, `678+00:00`),
		"a time with zeros at the end":     with(`678Z`, `670Z`),
		"a time with nothing but zeros":    with(`678Z`, `0Z`),
		"Go's zero time":                   with(`2026-01-02T03:04:05.678Z`, `0001-01-01T00:00:00Z`),
		"a day that is none":               with(`2026-01-02T03:04:05.678Z`, `2026-02-30T03:04:05.678Z`),
		"two of a member":                  with(`"engine":"docker"`, `"engine":"docker","engine":"lxc"`),
		"another order":                    with(`"req":"r","preq":"q"`, `"preq":"q","req":"r"`),
		"another order in an object":       with(`"ip":"10.0.0.1","agent":"curl"`, `"agent":"curl","ip":"10.0.0.1"`),
		"an unknown member":                with(`"engine":"docker"`, `"engine":"docker","motor":"v8"`),
		"an unknown member in an object":   with(`"agent":"curl"`, `"agent":"curl","port":"1"`),
		"a list of what was cut":           canonicalLine[:len(canonicalLine)-1] + `,"cut":["msg"]}`,
		"an empty text":                    with(`"status":"start"`, `"status":""`),
		"a null":                           with(`"status":"start"`, `"status":null`),
		"an empty object of known members": with(`{"ip":"10.0.0.1","agent":"curl"}`, `{}`),
		"space before a member":            with(`,"engine"`, `, "engine"`),
		"space before a colon":             with(`"engine":`, `"engine" :`),
		"space after a colon":              with(`"engine":`, `"engine": `),
		"space after a value":              with(`"docker",`, `"docker" ,`),
		"space at the end":                 canonicalLine + " ",
		"space in the data":                with(`"n":1.50`, `"n": 1.50`),
		"bytes above ASCII in the data":    with(`\u00e9`, "é"),
		"an escape in a name":              with(`"engine"`, `"\u0065ngine"`),
		"an escape that need not be":       with(`(docker)`, `(d\u006fcker)`),
		"an escaped slash":                 with(`(docker)`, `(\/docker)`),
		"a character that misleads":        with(`(docker)`, "(\u202edocker)"),
		"bytes that are no UTF-8":          with(`(docker)`, "(\xffdocker)"),
		"a control character":              with(`(docker)`, "(\x01docker)"),
		"a text above its limit":           with(`"start"`, `"`+strings.Repeat("x", 65)+`"`),
		"a message above its limit":        with("(docker)", strings.Repeat("x", 32<<10)),
		"a long line":                      with(`"[1]"`, `"`+strings.Repeat("x", 64<<10)+`"`),
		"half a line":                      canonicalLine[:len(canonicalLine)/2],
		"nothing":                          "",
	} {
		if checkCanonical(t, []byte(line)) {
			t.Errorf("%s: ScanCanonical(%.200s) = true, want false", name, line)
		}
	}
	for i := range canonicalLine {
		if checkCanonical(t, []byte(canonicalLine[:i])) {
			t.Errorf("ScanCanonical of the first %d bytes = true, want false", i)
		}
	}
}

// TestChangedLinesAreTakenOverAsTheyWouldBeWritten puts pieces of lines into lines, at random.
func TestChangedLinesAreTakenOverAsTheyWouldBeWritten(t *testing.T) {
	pieces := []string{`"`, `\`, `\u00e9`, `\u202e`, ` `, `,`, `:`, `{`, `}`, `[]`, `null`, `0`, `é`, "\xff", "\u2028", "\x00", `""`, `"name":"x"`,
		`"level":"WARN",`, `"data":{},`, `,"cut":["a"]`, `Z`, `.0`, `\/`, `\n`, "\x7f"}
	taken, rnd := 0, rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		line := []byte(canonicalLine)
		for range 1 + rnd.IntN(2) {
			from := rnd.IntN(len(line))
			to, piece := min(len(line), from+rnd.IntN(3)), pieces[rnd.IntN(len(pieces))]
			if at := rnd.IntN(len(line)); rnd.IntN(3) == 0 {
				piece = string(line[at:min(len(line), at+rnd.IntN(30))])
			}
			line = append(append(append([]byte(nil), line[:from]...), piece...), line[to:]...)
		}
		if checkCanonical(t, line) {
			taken++
		}
	}
	if taken < 5_000 || taken > 80_000 {
		t.Errorf("%d of 100000 lines were taken over; want neither few nor most", taken)
	}
}

func FuzzScanCanonical(f *testing.F) {
	f.Add([]byte(canonicalLine))
	for _, l := range lines {
		f.Add([]byte(l))
	}
	f.Fuzz(func(t *testing.T, line []byte) { checkCanonical(t, line) })
}

func TestScanCanonicalDoesNotAllocate(t *testing.T) {
	line := []byte(canonicalLine)
	var c format.Canonical
	if n := testing.AllocsPerRun(100, func() { format.ScanCanonical(line, &c) }); n != 0 {
		t.Errorf("ScanCanonical allocates %v times, want 0", n)
	}
}

// TestBatchIsWrittenAsItsRecords writes lines and records in one batch, and the same records one by one.
func TestBatchIsWrittenAsItsRecords(t *testing.T) {
	for _, restore := range []bool{true, false} {
		one, other := t.TempDir(), t.TempDir()
		w, plain := open(t, one, format.Options{}), open(t, other, format.Options{})
		write := plain.Write
		if restore {
			write = plain.Restore
		}
		batch := w.NewBatch(restore)
		for i := range 100 {
			line := []byte(with(`"seq":7,"eseq":3`, fmt.Sprintf(`"seq":%d,"eseq":%d`, 3*i+5, 2*i+9)))
			var c format.Canonical
			var r format.Record
			if !format.ScanCanonical(line, &c) || format.ParseLine(line, &r) != nil {
				t.Fatalf("ScanCanonical(%s) = false, want true", line)
			}
			var err error
			if i%3 == 0 {
				err = batch.Add(&r)
			} else {
				err = batch.AddLine(&c)
			}
			clear(line) // the batch has a copy
			if err = errors.Join(err, write(&r)); err == nil && i%7 == 0 {
				err = batch.Write()
			}
			if err != nil || i%7 == 0 && batch.Len() != 0 {
				t.Fatalf("record %d of a batch: %v, and %d wait", i, err, batch.Len())
			}
		}
		if err := batch.Write(); err != nil {
			t.Fatal(err)
		}
		got, _ := w.Active()
		a, aerr := os.ReadFile(filepath.Join(one, "log", got))
		b, berr := os.ReadFile(filepath.Join(other, "log", got))
		if aerr != nil || berr != nil || !bytes.Equal(a, b) || bytes.Count(a, []byte("\n")) != 100 {
			t.Errorf("restore %t: batches wrote %d bytes (%v), want the %d of single records (%v)", restore, len(a), aerr, len(b), berr)
		}
	}
}

func TestBatchThatCannotBeWrittenStays(t *testing.T) {
	full := format.Faults{Hook: func(kind string, _ int) (int, error) {
		if kind == "write" {
			return 0, syscall.ENOSPC
		}
		return 0, nil
	}}
	w := open(t, t.TempDir(), full.Options(format.Options{}))
	batch := w.NewBatch(true)
	var c format.Canonical
	if !format.ScanCanonical([]byte(canonicalLine), &c) || batch.AddLine(&c) != nil {
		t.Fatal("the line is not taken in")
	}
	if err := batch.Write(); !errors.Is(err, format.ErrFull) || batch.Len() != 1 {
		t.Errorf("Write on a full disk = %v and %d wait, want ErrFull and 1", err, batch.Len())
	}
	if seq, eseq := w.Last(); seq != 0 || eseq != 0 {
		t.Errorf("Last = %d, %d, want 0, 0", seq, eseq)
	}
	if c.Seq = 0; batch.AddLine(&c) == nil {
		t.Error("AddLine without a number to keep = nil, want an error")
	}
}
