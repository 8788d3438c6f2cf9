package format_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"shiplog/format"
)

// tooDeep tells whether encoding/json may accept what this package refuses for its depth.
func tooDeep(line []byte) bool {
	return bytes.Count(line, []byte("["))+bytes.Count(line, []byte("{")) >= 128
}

var lines = []string{
	`{"v":1,"seq":7,"eseq":3,"id":"0190","time":"2026-01-02T03:04:05.678Z","obs":"2026-01-02T03:04:05.7Z","stream":"event","level":"INFO","category":"container","action":"container.start","outcome":"success","status":"start","code":"0","msg":"Start container (docker, d59bf8a8b229, dtest)","actor":{"name":"admin","id":"1","domain":"d","type":"user","email":"a@b"},"src":{"ip":"10.0.0.1","agent":"curl"},"obj":{"type":"container","id":"d59b","name":"dtest","image":"busybox","tag":"latest"},"engine":"docker","host":"nas","ns":"lgsd","repo":"diamond","project":"p","req":"r","preq":"q","args":"[1]","data":{"attr":{"a":"b"},"n":1.50},"cut":["msg"],"new":[1,{"x":null}]}`,
	`{}`, `{"seq":1}`, ` { "seq" : 1 , "msg" : "a" } `, `{"seq":1,"seq":2}`, `{"seq":18446744073709551615}`,
	`{"seq":18446744073709551616}`, `{"seq":1.0}`, `{"seq":01}`, `{"seq":-1}`, `{"seq":"1"}`, `{"seq":null}`,
	`{"msg":"\u00e9\ud83d\ude00\ud83d \n\/"}`, "{\"msg\":\"\xff\xc3\"}", "{\"msg\":\"\x00\"}", `{"msg":5}`,
	`{"m\u0073g":"x"}`, `{"MSG":"x"}`, `{"actor":{"name":"a"},"actor":{"id":"b"}}`, `{"actor":null}`, `{"actor":[]}`,
	`{"data":[]}`, `{"data":null}`, `{"data":{"a":[[[]]],"b":{}}}`, `{"cut":[]}`, `{"cut":["a",1]}`, `{"cut":[null]}`,
	`{"time":"2026-02-30T00:00:00Z"}`, `{"time":"2024-02-29T23:59:59.123456789+02:00"}`, `{"time":"0000-01-01T00:00:00Z"}`,
	`{"time":"2026-01-02T03:04:05,5Z"}`, `{"time":"9999-12-31T23:59:59.999999999Z"}`, `{"x":-0.5e+10,"y":1E5,"z":-}`,
	`{"v":2,"seq":1}`, `{"a":true,"b":false,"c":nul}`, `{"a":1,}`, `{"a" 1}`, `[1]`, `null`, `"x"`, ``, `{"a":"\x"}`,
	`{"a":"\u12g4"}`, `{"a":{]}`, `{"msg":"tab	raw"}`, `{"msg":"` + strings.Repeat("long text ", 20) + `"}`,
	"{\"msg\":\"a\u2028b\u202e\"}",
	// nearly as the writer writes them
	`{"v":1,"seq":7,"id":"a""time":"2026-01-02T03:04:05Z"}`, `{"v":1"seq":2}`, `{"id":"a","id":"b","id":"c"}`, `{"id":"a","v":1}`,
	`{"v":null,"seq":null,"id":null,"time":null,"host":"h"}`, `{"v":1,"seq":01,"id":"a"}`, `{"v":1,"seq":7,}`, `{"v":1,"seq":7 ,"id":"a"}`,
	`{"categorys":"c","outcomes":"o","projects":"p","ids":"i"}`, `{"category" :"c","outcome":"failure","project": "p","ns":"n"}`,
	`{"actor":{"name":"a"}"host":"h"}`, `{"actor":{"name":"a" },"host":"h"}`, `{"actor":{},"src":{"ip":"1"},"obj":{"tag":"t"}}`,
	`{"actor":{"name":"a","name":"b"},"host":"h","actor":{"id":"c"}}`, `{"actor":{"id":"c","name":"a"},"host":"h"}`,
	`{"obj":{"type":"t","new":[1,{}],"id":"x"},"host":"h","obj":{"id":"y"}}`, `{"obj":{"type":"t","id":"x",},"host":"h"}`,
	`{"obj":{"type":"t","id":"x"`, `{"obj":{"type":"t\u0041","id":null},"host":"h"}`, `{"src":{"ip":"1","agent":5}}`, `{"src":{"ip":"1"}}}`,
	`{"obj":"","obj":{}}`, `{"obj":{"id":5},"obj":{"id":"a"}}`, `{"data":1,"data":{}}`, `{"msg":5,"msg":"a"}`, `{"cut":{},"cut":["a"]}`,
	`{"time":"2026-01-02T03:04:05.12345678Z","obs":"2026-01-02T03:04:05.1234567890Z"}`,
}

func checkLine(t *testing.T, line []byte) {
	t.Helper()
	if bytes.ContainsAny(line, "\n\r") {
		return // a line of a file holds none; what scans them at its end takes them off
	}
	var f format.Fields
	var r format.Record
	serr, perr := format.ScanLine(line, &f), format.ParseLine(line, &r)
	want, werr := oracle(line)
	if (serr == nil) != (perr == nil) {
		t.Fatalf("%q: ScanLine: %v, ParseLine: %v", line, serr, perr)
	}
	if (werr == nil) != (serr == nil) {
		if werr == nil && tooDeep(line) {
			return
		}
		t.Fatalf("%q: ScanLine: %v, encoding/json: %v", line, serr, werr)
	}
	if errors.Is(werr, format.ErrVersion) != errors.Is(serr, format.ErrVersion) {
		t.Fatalf("%q: ScanLine: %v, want %v", line, serr, werr)
	}
	if serr != nil {
		return
	}
	w := want
	w.V, w.Time, w.Obs, w.Level, w.Outcome, w.Cut, w.extra = 0, "", "", "", "", nil, 0
	if got := fromFields(&f); got.String() != w.String() {
		t.Fatalf("%q: ScanLine = %v, want %v", line, got, w)
	}
	if got := fromRecord(&r); got.String() != w.String() {
		t.Fatalf("%q: ParseLine = %v, want %v", line, got, w)
	}
	if string(r.Level) != want.Level || string(r.Outcome) != want.Outcome || !slices.Equal(r.Cut, want.Cut) {
		t.Fatalf("%q: ParseLine = level %q outcome %q cut %q, want %q %q %q", line, r.Level, r.Outcome, r.Cut, want.Level, want.Outcome, want.Cut)
	}
	if f.Level != r.EffectiveLevel() || f.Outcome != r.EffectiveOutcome() || f.User().String() != r.User() {
		t.Fatalf("%q: derived %q %q %q, the record says %q %q %q", line, f.Level, f.Outcome, f.User(), r.EffectiveLevel(), r.EffectiveOutcome(), r.User())
	}
	checkTime(t, want.Time, r.Time, f.Time)
	checkRoundTrip(t, line, &r)
}

func checkTime(t *testing.T, text string, at time.Time, nanos int64) {
	t.Helper()
	if text == "" {
		return
	}
	want, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !at.Equal(want) {
		t.Fatalf("time %q = %v, want %v (%v)", text, at, want, err)
	}
	if y := want.Year(); y > 1678 && y < 2261 && nanos != want.UnixNano() {
		t.Fatalf("time %q = %d ns, want %d", text, nanos, want.UnixNano())
	}
}

// checkRoundTrip writes r, which was read from line, and reads it again.
func checkRoundTrip(t *testing.T, line []byte, r *format.Record) {
	t.Helper()
	out := checkWritten(t, r)
	var again format.Record
	if err := format.ParseLine(out, &again); err != nil {
		t.Fatalf("%q: written as %q: %v", line, out, err)
	}
	if second := format.AppendLine(nil, &again); !bytes.Equal(out, second) {
		t.Fatalf("%q: written as %q, then as %q", line, out, second)
	}
	if !utf8.Valid(line) {
		return
	}
	if a, b := members(t, line), members(t, out); a != b {
		t.Fatalf("%q: %d members, written %d: %q", line, a, b, out)
	}
}

// members counts the members of a line that are not empty, at the top and in the groups, repeated ones once.
func members(t *testing.T, line []byte) int {
	w, err := oracle(line)
	if err != nil {
		t.Fatal(err)
	}
	return w.extra
}

// checkWritten writes r and holds that it is one line of valid JSON.
func checkWritten(t *testing.T, r *format.Record) []byte {
	t.Helper()
	out := format.AppendLine(nil, r)
	if n := bytes.IndexByte(out, '\n'); n != len(out)-1 {
		t.Fatalf("AppendLine = %q: newline at %d of %d", out, n, len(out))
	}
	if !json.Valid(out) || !utf8.Valid(out) {
		t.Fatalf("AppendLine = %q: not JSON in UTF-8", out)
	}
	return out
}

func TestLinesAgreeWithEncodingJSON(t *testing.T) {
	for _, line := range lines {
		checkLine(t, []byte(line))
	}
	for cut := range len(lines[0]) {
		checkLine(t, []byte(lines[0][:cut]))
	}
}

// TestChangedLinesAgreeWithEncodingJSON changes each byte of a line in turn.
func TestChangedLinesAgreeWithEncodingJSON(t *testing.T) {
	for i := range len(lines[0]) {
		for _, c := range []byte("\"\\,} x") {
			line := []byte(lines[0])
			line[i] = c
			checkLine(t, line)
		}
	}
}

// TestChangedTimesAgreeWithTheStandardLibrary puts each byte at each place of a time.
func TestChangedTimesAgreeWithTheStandardLibrary(t *testing.T) {
	const at = "2024-02-29T23:59:59.123456789Z"
	for i := range len(at) {
		for c := range 128 {
			text := []byte(at)
			text[i] = byte(c)
			checkLine(t, append(append([]byte(`{"seq":1,"time":"`), text...), `"}`...))
		}
	}
}

func TestScanLineDepth(t *testing.T) {
	deep := func(n int) []byte {
		return []byte(`{"seq":1,"data":{"a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}}`)
	}
	var f format.Fields
	if err := format.ScanLine(deep(128), &f); err != nil {
		t.Errorf("ScanLine(data 128 deep): %v", err)
	}
	if err := format.ScanLine(deep(129), &f); err == nil {
		t.Error("ScanLine(data 129 deep) = nil, want an error")
	}
	if err := format.ScanLine(bytes.Repeat([]byte(`{"a":`), 1<<20), &f); err == nil {
		t.Error("ScanLine(a million deep) = nil, want an error")
	}
}

func TestScanLineDoesNotAllocate(t *testing.T) {
	line := []byte(lines[0])
	var f format.Fields
	if n := testing.AllocsPerRun(100, func() { _ = format.ScanLine(line, &f) }); n != 0 {
		t.Errorf("ScanLine allocates %v times, want 0", n)
	}
}

func FuzzScanLine(f *testing.F) {
	for _, l := range lines {
		f.Add([]byte(l))
	}
	f.Fuzz(checkLine)
}

func FuzzParseLine(f *testing.F) {
	for _, l := range lines {
		f.Add([]byte(l), true)
	}
	f.Fuzz(func(t *testing.T, value []byte, inData bool) {
		name := "new"
		if inData {
			name = "data"
		}
		checkLine(t, append(append([]byte(`{"seq":1,"`+name+`":`), value...), '}'))
	})
}

func FuzzAppendLine(f *testing.F) {
	f.Add("hello", "admin", []byte(`{"a": 1.0}`), []byte(`[1]`), "x", int64(0), uint64(1))
	f.Add("a\nb\u2028\xff\x00\"\\<>&", "\u202e", []byte("{}\n"), []byte("\"\xff\""), "seq", int64(math.MaxInt64), uint64(0))
	f.Add(strings.Repeat("\x01", 300<<10), strings.Repeat("é", 300), []byte(`{`), []byte(``), "", int64(-1), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, msg, name string, data, extra []byte, extraName string, sec int64, seq uint64) {
		r := format.Record{Seq: seq, Stream: format.StreamLog, Msg: msg, Args: msg, Data: data, Time: time.Unix(sec, 5),
			Actor: format.Actor{Name: name}, Extra: []format.Member{{Name: extraName, Value: extra}}}
		out := checkWritten(t, &r)
		var back format.Record
		if err := format.ParseLine(out, &back); err != nil {
			t.Fatalf("ParseLine(%q): %v", out, err)
		}
		for _, c := range [][2]string{{back.Msg, msg}, {back.Actor.Name, name}} {
			b, _ := json.Marshal(c[1])
			var want string
			_ = json.Unmarshal(b, &want)
			if c[0] != want {
				t.Fatalf("%q comes back as %q, want %q", c[1], c[0], want)
			}
		}
		if back.Seq != seq {
			t.Fatalf("seq = %d, want %d", back.Seq, seq)
		}
		r.Trim()
		if out := checkWritten(t, &r); len(out) > 256<<10 {
			t.Fatalf("after Trim the line is %d bytes long", len(out))
		}
		checkLine(t, bytes.TrimSuffix(format.AppendLine(nil, &r), []byte("\n")))
	})
}
