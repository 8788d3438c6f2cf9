package httpd

import (
	"testing"
	"time"
)

func TestExportFilesAreWrittenBeforeAnybodyIsTold(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	told := delivery{To: "http://example.com/"}
	telling := &exportJob{ID: "telling", State: exportNotifying, Ended: now.Add(-time.Hour / 2), Callback: told}
	written := &exportJob{ID: "written", State: exportQueued, Next: now.Add(-time.Second)}
	later := &exportJob{ID: "later", State: exportQueued, Next: now.Add(time.Minute)}
	x := &exporter{now: func() time.Time { return now }, settings: func() *settings { return &settings{Settings: Settings{ExportRetryDelay: time.Hour}} }, jobs: map[string]*exportJob{}}
	for _, step := range []struct {
		add  *exportJob
		want string // "": nothing is due
		wait time.Duration
	}{{later, "", time.Minute}, {telling, "telling", 0}, {written, "written", 0}} {
		x.jobs[step.add.ID] = step.add
		for range 20 { // maps have no order
			j, wait := x.next()
			got := ""
			if j != nil {
				got = j.ID
			}
			if got != step.want || wait != step.wait {
				t.Fatalf("with %s: next() = %q, %v, want %q, %v", step.add.ID, got, wait, step.want, step.wait)
			}
		}
	}
}
