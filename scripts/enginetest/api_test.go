package enginetest

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The prefixes of the Container Station API: the second version, its older spelling, the first version.
const (
	v2    = "/container-station/api/v1"
	v2old = "/containerstation/api/v1"
	v1    = "/api/v1"
)

func (b *box) get(t testing.TB, path string) []byte {
	t.Helper()
	resp, err := b.client.Get(b.base + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("GET %s = %s %v\n%s", path, resp.Status, err, body)
	}
	return body
}

func (b *box) getJSON(t testing.TB, path string, into any) {
	t.Helper()
	if body := b.get(t, path); json.Unmarshal(body, into) != nil {
		t.Fatalf("GET %s is not the JSON expected:\n%s", path, body)
	}
}

// logLine is one record of /log.
type logLine struct {
	ID                             int64
	TS                             int64
	Level, Category, User, Message string
}

// logs gives the whole of /log, oldest first.
func (b *box) logs(t testing.TB, prefix string) []logLine {
	t.Helper()
	var all []logLine
	for {
		var page []logLine
		b.getJSON(t, fmt.Sprintf("%s/log?limit=1000&offset=%d", prefix, len(all)), &page)
		all = append(all, page...)
		if len(page) < 1000 {
			slices.Reverse(all)
			return all
		}
	}
}

// message is one message of /event.
type message struct {
	Pos            int // position in the event stream, from 1
	Category, User string
	TS             string // "" under the v1 prefix
	Body           map[string]any
	Text           string
}

func (m message) member(name string) string {
	s, _ := m.Body[name].(string)
	return s
}

// events follows /event from the first message, as a client does: each answer's offset is the next index.
func (b *box) events(t testing.TB, prefix string) []message {
	t.Helper()
	var all []message
	for index := 0; ; {
		var page struct {
			Index, Offset int
			Messages      []string
		}
		b.getJSON(t, fmt.Sprintf("%s/event?index=%d", prefix, index), &page)
		if page.Index != index || len(page.Messages) != page.Offset-page.Index {
			t.Fatalf("%s/event?index=%d = %d messages, index %d, offset %d", prefix, index, len(page.Messages), page.Index, page.Offset)
		}
		slices.Reverse(page.Messages)
		for i, text := range page.Messages {
			all = append(all, parseMessage(t, prefix, index+1+i, text))
		}
		if index = page.Offset; len(page.Messages) == 0 {
			return all
		}
	}
}

func parseMessage(t testing.TB, prefix string, pos int, text string) message {
	t.Helper()
	n := 4
	if prefix == v1 {
		n = 3
	}
	parts := strings.SplitN(text, ":", n)
	m := message{Pos: pos, Text: text}
	if len(parts) != n || json.Unmarshal([]byte(parts[n-1]), &m.Body) != nil {
		t.Fatalf("%s/event message %q cannot be read", prefix, text)
	}
	m.Category, m.User = parts[0], parts[1]
	if n == 4 {
		m.TS = parts[2]
	}
	return m
}

// record is one line of the files, read without any of shiplog's code.
type record struct {
	Seq, Eseq                       uint64
	Time                            time.Time
	Stream, Category, Action, Level string
	Engine, Msg, Project            string
	Actor                           struct{ Name, Type string }
	Obj                             struct{ Type, ID, Name string }
	Data                            map[string]json.RawMessage
	Line                            string `json:"-"`
}

func (r record) synthetic() bool { return string(r.Data["synthetic"]) == "true" }

// records reads all lines of the data directory, as grep and jq would.
func (b *box) records(t testing.TB) []record {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.data, "log", "[0-9]*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no segments in %s: %v", b.data, err)
	}
	slices.Sort(files)
	var all []record
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.HasSuffix(line, "\n") {
				continue // being written
			}
			r := record{Line: strings.TrimSpace(line)}
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatalf("%s: %v in %s", file, err, line)
			}
			all = append(all, r)
		}
	}
	return all
}

// newest is the seq of the newest record.
func (b *box) newest(t testing.TB) uint64 {
	all := b.records(t)
	return all[len(all)-1].Seq
}

// awaitLine waits for a record after seq whose human line begins with prefix, and gives it.
func (b *box) awaitLine(t testing.TB, after uint64, prefix string) record {
	t.Helper()
	var found record
	eventually(t, 40*time.Second, fmt.Sprintf("no line %q after seq %d", prefix, after), func() bool {
		for _, r := range b.records(t) {
			if r.Seq > after && strings.HasPrefix(r.Msg, prefix) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}
