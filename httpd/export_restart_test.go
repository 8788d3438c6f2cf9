package httpd

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestExportSurvivesARestart(t *testing.T) {
	b := newBox(t, "fixture-quay.jsonl", func(o *Options) {
		allowLoopback(o)
		o.ExportRetryDelay = time.Hour
	})
	c := newCallbackReceiver(t)
	c.replies = []int{500}
	id := b.order("/api/v1/organization/admin/exportlogs", `{"callback_url":"`+c.url+`","starttime":"2025-03-04"}`)
	b.until(id, "tried once", func(j *exportJob) bool { return !j.Callback.Next.IsZero() })
	first := b.job(id)
	b.tweak = allowLoopback // its short delay makes the long one void
	b.restart()
	j := b.until(id, "over", over)
	if got := c.messages(t); len(got) != 2 || got[1].Status != exportSuccess || j.Callback.Attempts != 2 || *got[1].URL != first.url() {
		t.Errorf("after a restart: %+v, %d attempts, want one more message", got, j.Callback.Attempts)
	}
	b.restart()
	time.Sleep(100 * time.Millisecond)
	if got := c.messages(t); len(got) != 2 {
		t.Errorf("%d messages after another restart, want no more than 2", len(got))
	}
	if r := b.do("GET", "/exportedlogs/"+id+"-"+j.Secret, ""); r.status != 200 || !strings.HasSuffix(r.body, "{\"terminator\":true}]}\n") {
		t.Errorf("download after two restarts = %d", r.status)
	}
}

// TestExportSurvivesAKill leaves the directory as a process leaves it that is killed at one point or another.
func TestExportSurvivesAKill(t *testing.T) {
	var logged lockedBuffer
	b := newBox(t, "fixture-quay.jsonl", func(o *Options) {
		allowLoopback(o)
		o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	})
	c := newCallbackReceiver(t)
	body := `{"callback_url":"` + c.url + `","starttime":"2025-03-04"}`
	queued, lost, torn := b.order("/api/v1/organization/admin/exportlogs", body), b.order("/api/v1/organization/admin/exportlogs", body), b.order("/api/v1/user/exportlogs", body)
	var whole *exportJob
	for _, id := range []string{queued, lost, torn} {
		whole = b.until(id, "over", over)
	}
	b.stop()
	store := b.server.exports.store
	again := func(id string, change func(*exportJob)) {
		j, err := store.read(id)
		if err != nil {
			t.Fatal(err)
		}
		change(j)
		if err := store.save(j); err != nil {
			t.Fatal(err)
		}
	}
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(store.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again(queued, func(j *exportJob) { // killed while the file was written
		j.State, j.Result, j.Ended, j.Callback.Sent, j.Callback.Attempts = exportQueued, "", time.Time{}, false, 0
	})
	if err := os.Remove(store.path(queued, logsFile)); err != nil {
		t.Fatal(err)
	}
	put(queued+logsFile+halfFile, `{"export_id":"half`)
	put(queued+jobFile+halfFile, `{"ver`)
	again(lost, func(j *exportJob) { j.State, j.Callback.Sent = exportNotifying, false }) // killed before it was noted
	text, err := os.ReadFile(store.path(torn, jobFile))
	if err != nil {
		t.Fatal(err)
	}
	put(torn+jobFile, string(text[:len(text)/2]))
	put(whole.Secret+logsFile, "nobody's")
	c.mu.Lock()
	c.bodies = nil
	c.mu.Unlock()
	b.start()
	b.until(queued, "over", over)
	b.until(lost, "over", over)
	told := map[string]int{}
	for _, m := range c.messages(t) {
		told[m.ExportID]++
	}
	if len(told) != 2 || told[queued] != 1 || told[lost] != 1 {
		t.Errorf("told after the kill: %v, want each once", told)
	}
	if b.job(torn) != nil || !strings.Contains(logged.String(), "export job set aside") || !strings.Contains(logged.String(), torn+jobFile+badFile) {
		t.Errorf("torn job is %v, log %s, want it set aside by name", b.job(torn), logged.String())
	}
	b.stop() // a job is over a moment before its file says so
	want := []string{queued + jobFile, queued + logsFile, lost + jobFile, lost + logsFile, torn + jobFile + badFile}
	slices.Sort(want)
	if got := b.exportFiles(); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
}

func TestExportJobFileCutAtEveryByte(t *testing.T) {
	b := newBox(t, "fixture-quay.jsonl", nil)
	id := b.order("/api/v1/organization/admin/exportlogs", `{}`)
	b.until(id, "over", over)
	b.stop()
	store := b.server.exports.store
	whole, err := os.ReadFile(store.path(id, jobFile))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) - 2 { // without its last line's end it is whole
		if err := os.WriteFile(store.path(id, jobFile), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if j, err := store.read(id); err == nil {
			t.Fatalf("cut at byte %d: %+v, want an error", n, j)
		}
	}
	if err := os.WriteFile(store.path(id, jobFile), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
}

func TestExportThatNobodyCouldBeToldOfInTime(t *testing.T) {
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	b := newBox(t, "fixture-quay.jsonl", func(o *Options) {
		allowLoopback(o)
		o.ExportRetryDelay, o.Now = time.Hour, func() time.Time { return time.Unix(0, now.Load()) }
	})
	c := newCallbackReceiver(t)
	c.replies = []int{500}
	id := b.order("/api/v1/organization/admin/exportlogs", `{"callback_url":"`+c.url+`"}`)
	b.until(id, "tried once", func(j *exportJob) bool { return j != nil && !j.Callback.Next.IsZero() })
	now.Add(int64(2 * time.Hour))
	b.server.exports.ring()
	j := b.until(id, "over", over)
	got := c.messages(t)
	if last := got[len(got)-1]; len(got) != 2 || last.Status != exportTimedOut || last.URL != nil || j.State != exportFailed {
		t.Errorf("told %+v, job %s, want timedout without a URL", got, j.State)
	}
	if r := b.do("GET", "/exportedlogs/"+id+"-"+j.Secret, ""); r.status != 404 {
		t.Errorf("download = %d, want 404", r.status)
	}
}

// TestExportThatCannotBeWritten puts a directory where the file is to be.
func TestExportThatCannotBeWritten(t *testing.T) {
	b := newBox(t, "fixture-quay.jsonl", func(o *Options) {
		allowLoopback(o)
		o.ExportRetryDelay = 100 * time.Millisecond
	})
	c := newCallbackReceiver(t)
	b.stop()
	store := exportStore{filepath.Join(b.dir, "exports"), discardLogger()}
	j := &exportJob{Version: 1, ID: "0b0f873b-2114-4068-9f27-f52c449274d2", Secret: "f0290531-3d0a-470b-b5a4-32cf86e3e726", State: exportQueued, NS: "admin", Owner: "admin",
		From: time.Now().Add(-time.Hour), To: time.Now(), Base: b.url, Callback: delivery{To: c.url}}
	if err := store.save(j); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(store.path(j.ID, logsFile), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.until(j.ID, "over", over)
	got := c.messages(t)
	if len(got) != 1 || got[0].Status != exportFailed || got[0].URL != nil {
		t.Errorf("told %+v, want failed without a URL", got)
	}
	page := b.quayPage("tok-admin", "/api/v1/organization/admin/logs")
	if l := page.Logs[0]; l.Kind != "export_logs_failure" || l.Metadata["export_id"] != j.ID || l.Metadata["error"] == nil {
		t.Errorf("newest record %+v, want that the export failed", l)
	}
}
