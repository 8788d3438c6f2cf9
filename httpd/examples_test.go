package httpd

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

// The files of testdata/examples are the examples of the two published documents, as they stand there: those
// of version 1 were indented by four spaces by the documentation tool, those of version 2 lost their line breaks.

func example(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// oneLine makes every stretch of white space one space.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestExamplesOfVersion2(t *testing.T) {
	b := newBox(t, "fixture-qnap.jsonl", nil)
	b.engine.change(format.Container{Type: "lxc", ID: "utest", Name: "utest", Image: "ubuntu-bionic:latest", State: "running",
		CPU: 0.0005105513955071477, Memory: 44904448, RX: 393, TX: 354, IPAddress: []string{"10.0.3.241"}})
	cookie := b.cookie("admin")
	for file, path := range map[string]string{
		"v2-log.txt":   "/log?limit=5&category=image,export",
		"v2-event.txt": "/event",
		"v2-wait.txt":  "/event/wait/lxc/utest/stopped?duration=0",
	} {
		got := b.do("GET", "/container-station/api/v1"+path, "", "Cookie", cookie)
		if want := oneLine(example(t, file)); oneLine(got.body) != want {
			t.Errorf("GET %s = %s\nwant %s", path, oneLine(got.body), want)
		}
	}
}

func TestExamplesOfVersion1(t *testing.T) {
	b := newBox(t, "", nil)
	b.engine.change(format.Container{Type: "lxc", ID: "utest", Name: "utest", Image: "ubuntu-trusty:latest", State: "running",
		Memory: 10870784, IPAddress: []string{"10.0.3.177"}})
	b.restoreExample(example(t, "v1-export.csv"), example(t, "v1-event.json"))
	cookie := b.cookie("admin")
	get := func(path string) string { return b.do("GET", "/api/v1"+path, "", "Cookie", cookie).body }
	if got, want := get("/log/export"), strings.ReplaceAll(example(t, "v1-export.csv"), "\n", "\r\n"); got != want {
		t.Errorf("export = %q\nwant %q", got, want)
	}
	for file, path := range map[string]string{"v1-log.json": "/log?limit=5", "v1-event.json": "/event"} {
		want := regexp.MustCompile(`(?m)^( +)`).ReplaceAllStringFunc(example(t, file), func(s string) string { return s[len(s)/2:] })
		if got := get(path); got != want {
			t.Errorf("GET %s = %s\nwant %s", path, got, want)
		}
	}
	if diffs := matchJSON(json.RawMessage(example(t, "v1-wait.json")), get("/event/wait/lxc/utest/stopped?duration=0"), false); diffs != nil {
		t.Errorf("wait: %s", strings.Join(diffs, "\n"))
	}
}

// restoreExample makes records of an exported log and of a list of events. The example's list of the log has
// whole seconds of the same records, and its events are the last 20 of 76.
func (b *box) restoreExample(csv, events string) {
	b.t.Helper()
	var recs []*format.Record
	lines := bufio.NewScanner(strings.NewReader(csv))
	for lines.Scan() {
		part := strings.SplitN(lines.Text(), ",", 5)
		when, err := time.Parse("2006-01-02 15:04:05.000000", part[0])
		if err != nil {
			continue // the header
		}
		msg := part[4]
		if strings.HasPrefix(msg, `"`) {
			msg = strings.ReplaceAll(msg[1:len(msg)-1], `""`, `"`)
		}
		recs = append(recs, &format.Record{Stream: format.StreamLog, Time: when, Level: format.Level(part[1]), Category: part[2],
			Actor: format.Actor{Name: part[3]}, Msg: msg})
	}
	var list struct{ Messages []string }
	if err := json.Unmarshal([]byte(events), &list); err != nil {
		b.t.Fatal(err)
	}
	for range 76 - len(list.Messages) {
		recs = append(recs, &format.Record{Stream: format.StreamEvent, Category: "image", Action: "image.update"})
	}
	for i := range list.Messages {
		part := strings.SplitN(list.Messages[len(list.Messages)-1-i], ":", 3)
		r := &format.Record{Stream: format.StreamEvent, Category: part[0], Actor: format.Actor{Name: part[1]},
			Data: json.RawMessage(`{"qnap":` + part[2] + `}`)}
		if part[1] == "all" {
			r.Actor = format.Actor{Type: format.ActorEngine}
		}
		recs = append(recs, r)
	}
	for _, r := range recs {
		if r.Stream == format.StreamEvent {
			r.Eseq = format.NextEseq
		}
		b.append(r)
	}
}
