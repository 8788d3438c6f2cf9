package enginetest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// noSecret looks for the canaries in every byte that shiplog wrote or says.
func (r *run) noSecret(t *testing.T) {
	r.exported(t)
	if code, _ := r.b.stop(t, syscall.SIGTERM); code != 0 {
		t.Errorf("SIGTERM: exit status %d, want 0", code)
	}
	// What is sealed gets an index, whose files are looked through too.
	if out, err := exec.Command(r.b.binary, "seal", "--data", r.b.data).CombinedOutput(); err != nil {
		t.Fatalf("shiplog seal: %v\n%s", err, out)
	}
	after := r.b.newest(t)
	r.b.start(t, true)
	r.b.awaitLine(t, after, "Container engine docker connected")
	r.b.awaitLine(t, after, "Container engine incus connected")
	eventually(t, 20*time.Second, "the sealed segment has no index", func() bool {
		files, _ := filepath.Glob(filepath.Join(r.b.data, "index", "*", "*"))
		return len(files) > 0
	})
	r.settle(t)
	said := r.answers(t)
	for name, text := range r.files(t) {
		said[name] = text
	}
	said["what shiplog printed"] = []byte(r.b.log.String())
	if !bytes.Contains(said["what shiplog printed"], []byte("source connected")) {
		t.Error("what shiplog printed does not tell of its engines: a secret in it would not have been found")
	}
	r.noneIn(t, said)
	r.marked(t)
	r.unfindable(t)
}

// noneIn looks for all canaries but the kept ones, and for the credentials of the test itself.
func (r *run) noneIn(t *testing.T, said map[string][]byte) {
	for name, text := range said {
		low := bytes.ToLower(text)
		for i, p := range plants[:len(plants)-len(keptPlants)] {
			for _, needle := range needles(i) {
				if at := bytes.Index(low, []byte(needle)); at >= 0 {
					t.Errorf("%s: %s is in %s:\n%q", p.place, p.fill(i), name, low[max(0, at-200):min(len(low), at+60)])
				}
			}
		}
		for _, own := range []string{password, registryToken, journalToken, writerToken} {
			if bytes.Contains(text, []byte(own)) {
				t.Errorf("%q is in %s", own, name)
			}
		}
	}
}

// marked proves that there was something to hide: what the engines said of each plant is in a record, and so is
// what programs wrote; and what is kept by the rules is kept.
func (r *run) marked(t *testing.T) {
	var all strings.Builder
	for _, rec := range r.b.records(t) {
		all.WriteString(rec.Line + "\n")
	}
	text := all.String()
	for i, p := range plants {
		if p.told && !r.o.told(canary(i)) && !r.o.told(strings.ToUpper(canary(i))) && !r.o.told(basic(i)) {
			t.Errorf("%s: the engine did not say %s; nothing was tested", p.place, p.fill(i))
		}
		written := strings.HasPrefix(p.place, "record:") || strings.HasPrefix(p.place, "journal:") || strings.HasPrefix(p.place, "socket:")
		if (p.told || written) && !strings.Contains(text, mark(i)) {
			t.Errorf("%s: no record has %s, want one of %s", p.place, mark(i), p.fill(i))
		}
		if kept := strings.HasPrefix(p.place, "kept:"); kept && !strings.Contains(text, canary(i)) {
			t.Errorf("%s: no record has %s; say in the list that it is redacted", p.place, p.fill(i))
		}
	}
}

// unfindable asks the index for each canary.
func (r *run) unfindable(t *testing.T) {
	for i, p := range plants {
		count := 0
		for _, field := range []string{"message", "action_arguments", "object_id", "user_name"} {
			var answer struct{ Count int }
			r.b.fetch(t, "/v1/journal/count?"+field+"__contains="+canary(i), "X-Auth-Token", journalToken, &answer)
			count += answer.Count
		}
		switch kept := strings.HasPrefix(p.place, "kept:"); {
		case !kept && count > 0:
			t.Errorf("%s: the journal finds %d entries with %s", p.place, count, canary(i))
		case p.place == "kept: a word of a message" && count == 0:
			t.Errorf("%s: the journal does not find %s", p.place, canary(i))
		}
	}
}

// files are all of the data directory.
func (r *run) files(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(r.b.data, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, r.b.data)] = text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/log/", "/index/", "/keys/", "/exports/", "/accounts.json"} {
		found := false
		for path := range all {
			found = found || strings.HasPrefix(path, want)
		}
		if !found {
			t.Errorf("the data directory has no %s: its files could not be looked through", want)
		}
	}
	return all
}
