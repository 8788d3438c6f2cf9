package agent

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

func readSeed(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "qnap", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// csvAgain writes records as a Container Station export, by the rules of the contract.
func csvAgain(recs []*format.Record) string {
	var b strings.Builder
	b.WriteString(qnapHead + "\r\n")
	for _, r := range recs {
		b.WriteString(r.Time.UTC().Format("2006-01-02 15:04:05.000000"))
		for _, f := range []string{string(r.Level), r.Category, r.Actor.Name, r.Msg} {
			if strings.ContainsAny(f, ",\"\r\n") {
				f = `"` + strings.ReplaceAll(f, `"`, `""`) + `"`
			}
			b.WriteString("," + f)
		}
		b.WriteString("\r\n")
	}
	return b.String()
}

func TestReadQNAPCSVGivesTheSeedsBack(t *testing.T) {
	for name, rows := range map[string]int{"v2-log.csv": 59, "v1-log.csv": 52} {
		seed := readSeed(t, name)
		for _, in := range [][]byte{seed, bytes.ReplaceAll(seed, []byte("\r\n"), []byte("\n"))} {
			var recs []*format.Record
			for r, err := range ReadQNAPCSV(bytes.NewReader(in)) {
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				recs = append(recs, r)
			}
			if len(recs) != rows {
				t.Errorf("ReadQNAPCSV(%s) = %d records, want %d", name, len(recs), rows)
			}
			if got := csvAgain(recs); got != string(seed) {
				t.Errorf("%s written again = %q, want %q", name, got, seed)
			}
		}
	}
}

func TestReadQNAPCSVRows(t *testing.T) {
	row := func(msg string) string { return "2021-08-11 16:42:51.676762,INFO,system,admin," + msg + "\r\n" }
	tests := []struct{ name, in, want string }{
		{"a line break inside quotes is kept byte for byte", row("\"a\r\nb\nc\"") + row("d"), "a\r\nb\nc|d|"},
		{"doubled quotes are one", row(`"say ""hi"""`), `say "hi"|`},
		{"no head line, no last line end", strings.TrimSpace(row("x")), "x|"},
		{"a byte order mark before the head", "\ufeff" + qnapHead + "\r\n" + row("x"), "x|"},
		{"a bad row is named and the next is read", "nonsense\r\n" + row("x"), "line 1: 1 fields, want 5 (Date,Level,Category,User,Message)|x|"},
		{"a bad date", "yesterday,INFO,system,admin,x\n" + row("y"), `line 1: date "yesterday", want YYYY-MM-DD HH:MM:SS.ffffff|y|`},
		{"an unknown level", strings.Replace(row("x"), "INFO", "LOUD", 1), `line 1: level "LOUD" unknown (INFO, WARN, ERROR)|`},
		{"the line number counts breaks inside quotes", row("\"a\nb\"") + "bad\n", "a\nb|line 3: 1 fields, want 5 (Date,Level,Category,User,Message)|"},
		{"text after a closing quote", row(`"a"b`) + row("c"), "line 1: not a CSV row: text after a closing quote|c|"},
		{"an open quote at the end", row(`"a`), "line 1: not a CSV row: the file ends inside a quoted field|"},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got strings.Builder
			for r, err := range ReadQNAPCSV(strings.NewReader(tt.in)) {
				if err != nil {
					fmt.Fprintf(&got, "%v|", err)
				} else {
					got.WriteString(r.Msg + "|")
				}
			}
			if got.String() != tt.want {
				t.Errorf("ReadQNAPCSV = %q, want %q", got.String(), tt.want)
			}
		})
	}
}

func TestReadQNAPCSVFillsTheObject(t *testing.T) {
	tests := []struct {
		msg, action string
		engine      format.Engine
		obj         format.Object
	}{
		{"Create container (docker, d59bf8a8b229, dtest)", "container.create", "docker", format.Object{Type: "container", ID: "d59bf8a8b229", Name: "dtest"}},
		{"Stop container (lxc, utest)", "container.stop", "lxc", format.Object{Type: "container", Name: "utest"}},
		{"commit container (docker, 5b4b96c56fd7, aaa:v1)", "container.commit", "docker", format.Object{Type: "container", ID: "5b4b96c56fd7", Image: "aaa:v1"}},
		{"Start to backup container (lxc, utest)", "", "", format.Object{}},
		{"Finished export container (lxc, utest) to (/test/c.tgz) (return=0)", "", "", format.Object{}},
		{"Create container (rkt, x)", "", "", format.Object{}},
	}
	for _, tt := range tests {
		r, err := qnapLog(time.Now(), "INFO", "container", "admin", tt.msg)
		if err != nil || r.Action != tt.action || r.Engine != tt.engine || fmt.Sprint(r.Obj) != fmt.Sprint(tt.obj) || r.Msg != tt.msg {
			t.Errorf("qnapLog(%q) = %q %q %+v, %v; want %q %q %+v", tt.msg, r.Action, r.Engine, r.Obj, err, tt.action, tt.engine, tt.obj)
		}
	}
}

func TestReadQNAPJSON(t *testing.T) {
	tests := []struct {
		name        string
		first, last string
	}{
		{"v2-log.json", "seq=55 eseq=0 2021-08-11T16:53:11Z image/ admin",
			"seq=59 eseq=0 2021-08-11T16:53:22Z image/ admin"},
		{"v1-log.json", "seq=48 eseq=0 2015-03-17T17:29:57Z export/ Anonymous",
			"seq=52 eseq=0 2015-03-17T17:30:12Z import/ Anonymous"},
		{"v2-event.json", "seq=0 eseq=102 2021-08-11T08:52:23Z container/container.die ",
			"seq=0 eseq=121 2021-08-11T08:53:15Z image/image.delete admin"},
		{"v1-event.json", "seq=0 eseq=57 0001-01-01T00:00:00Z container/container.port_add ",
			"seq=0 eseq=76 0001-01-01T00:00:00Z import/import.completed Anonymous"},
	}
	for _, tt := range tests {
		var all []string
		for r, err := range ReadQNAPJSON(bytes.NewReader(readSeed(t, tt.name))) {
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			all = append(all, fmt.Sprintf("seq=%d eseq=%d %s %s/%s %s", r.Seq, r.Eseq, r.Time.Format(time.RFC3339), r.Category, r.Action, r.Actor.Name))
		}
		if len(all) == 0 || all[0] != tt.first || all[len(all)-1] != tt.last {
			t.Errorf("ReadQNAPJSON(%s) = %q, want first %q and last %q", tt.name, all, tt.first, tt.last)
		}
	}
}

func TestReadQNAPJSONStoresTheV2Names(t *testing.T) {
	const answer = `{"index": 0, "offset": 2, "messages": [
		"image:all:{\"action\": \"update\", \"from\": \"local\", \"type\": \"lxc\"}",
		"image:a%3Ab:{\"from\": \"appcenter\", \"name\": \"x\", \"action\": \"download\", \"state\": \"success\", \"type\": \"lxc\"}"]}`
	want := []string{
		`{"qnap":{"repository":"qnap","name":"x","action":"download","state":"success","type":"lxc"}}`,
		`{"qnap":{"action":"update","category":"local","type":"lxc"}}`,
	}
	i := 0
	for r, err := range ReadQNAPJSON(strings.NewReader(answer)) {
		if err != nil {
			t.Fatal(err)
		}
		if string(r.Data) != want[i] {
			t.Errorf("record %d: data = %s, want %s", i, r.Data, want[i])
		}
		if i == 0 && r.Actor.Name != "a:b" {
			t.Errorf("actor = %q, want a:b", r.Actor.Name)
		}
		i++
	}
}

func TestReadQNAPJSONNamesWhatIsWrong(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"an error answer", `{"error": {"code": 401}}`, `not an answer of /log ([...]) or /event ({"index":..,"messages":[..],"offset":..})`},
		{"no JSON", `hello`, "not an answer of /log or /event: invalid character 'h' looking for beginning of value"},
		{"a message without a user", `{"messages": ["container"]}`, `line 1: event "container", want category:user:time:{...}`},
		{"a bad level", `[{"category":"a","id":1,"level":"LOUD","message":"","ts":1,"user":""}]`, `line 1: level "LOUD" unknown (INFO, WARN, ERROR)`},
		{"a bad time", `[{"category":"a","id":1,"level":"INFO","message":"","ts":-1,"user":""}]`, `line 1: time "-1", want seconds since 1970`},
	}
	for _, tt := range tests {
		var got []string
		for _, err := range ReadQNAPJSON(strings.NewReader(tt.in)) {
			if err != nil {
				got = append(got, err.Error())
			}
		}
		if len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: errors %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzReadQNAPCSV(f *testing.F) {
	f.Add(readSeed(f, "v2-log.csv"))
	f.Add([]byte("a,\"b\r\n\"\"c\",d\n\"x"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var recs []*format.Record
		for r, err := range ReadQNAPCSV(bytes.NewReader(in)) {
			var bad *LineError
			if err != nil && !errors.As(err, &bad) {
				t.Fatalf("error %v, want a LineError", err)
			}
			if err == nil {
				recs = append(recs, r)
			}
		}
		// What was read and is written again is read as the same.
		first := csvAgain(recs)
		recs = recs[:0]
		for r, err := range ReadQNAPCSV(strings.NewReader(first)) {
			if err != nil {
				t.Fatalf("reading %q again: %v", first, err)
			}
			recs = append(recs, r)
		}
		if again := csvAgain(recs); again != first {
			t.Fatalf("written twice: %q, want %q", again, first)
		}
	})
}

func FuzzReadQNAPJSON(f *testing.F) {
	for _, name := range []string{"v2-log.json", "v2-event.json", "v1-log.json", "v1-event.json"} {
		f.Add(readSeed(f, name))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		for r, err := range ReadQNAPJSON(bytes.NewReader(in)) {
			if (r == nil) == (err == nil) {
				t.Fatalf("record %v and error %v, want one of them", r, err)
			}
		}
	})
}
