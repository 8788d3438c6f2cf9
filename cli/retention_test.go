package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"shiplog/agent"
)

func TestWhatIsNoLimit(t *testing.T) {
	for _, c := range []struct{ flag, value, want string }{
		{"keep-age", "400", "write it like 400d"},
		{"keep-age", "-3d", "must be from 1h"},
		{"keep-age", "10m", "must be from 1h"},
		{"keep-age", "99999999999d", "to 36500d"},
		{"keep-age", "d", "is no age"},
		{"keep-bytes", "20GB", "write it like 500MiB"},
		{"keep-bytes", "1KiB", "must be from 1MiB"},
		{"keep-bytes", "1e9", "is no size"},
		{"keep-bytes", "NaN", "is no size"},
		{"keep-bytes", "InfTiB", "must be from"},
		{"keep-free", "0%", "above 0%"},
		{"keep-free", "95%", "at most 90%"},
		{"keep-free", "some", "or like 5%"},
		{"keep-at-least", "0", "from 1 to"},
		{"keep-at-least", "few", "write it like 10 or 30d"},
	} {
		out, errs, status := shiplog(t, "", "prune", "--data", t.TempDir(), "--"+c.flag, c.value)
		if status != exitUsage || !strings.Contains(errs, c.want) {
			t.Errorf("prune --%s %s = exit %d %s%s, want 2 and %q", c.flag, c.value, status, out, errs, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	k := keepFlags{age: "52w", bytes: "1.5GiB", free: "5%", least: "30d"}
	p := k.policy()
	if p.Age != 364*24*time.Hour || p.Bytes != 3<<29 || p.Free.Percent != 5 || p.AtLeast.Age != 30*24*time.Hour {
		t.Errorf("policy() = %+v", p)
	}
	k = keepFlags{age: "36h", bytes: "1048576", free: "10GiB", least: "12"}
	p = k.policy()
	if p.Age != 36*time.Hour || p.Bytes != 1<<20 || p.Free.Bytes != 10<<30 || p.AtLeast.Segments != 12 {
		t.Errorf("policy() = %+v", p)
	}
	if (keepFlags{least: "1"}).policy().Keeps() {
		t.Error("without a rule something is removed")
	}
}

// load writes records of 6 KiB over the socket, from several clients, until so many bytes were acknowledged.
type load struct {
	mu    sync.Mutex
	acked map[uint64]string // message by number
	bytes int
}

func (l *load) run(t *testing.T, sock string, bytes int) {
	t.Helper()
	var clients sync.WaitGroup
	for c := range 4 {
		clients.Go(func() {
			for i := 0; ; i++ {
				msg := fmt.Sprintf("client %d record %d ", c, i)
				line := fmt.Sprintf(`{"category":"test","msg":"%s%s"}`, msg, strings.Repeat("x", 6<<10))
				seq, err := agent.SendRecord(context.Background(), sock, []byte(line))
				if err != nil {
					t.Errorf("SendRecord = %v", err)
					return
				}
				l.mu.Lock()
				l.acked[seq] = msg
				l.bytes += len(line)
				enough := l.bytes >= bytes
				l.mu.Unlock()
				if enough {
					return
				}
			}
		})
	}
	clients.Wait()
}

// logBytes is what the segments of a log take up, with what lies beside them, and their number.
func logBytes(t *testing.T, dir string) (bytes int64, segments int) {
	t.Helper()
	ents, err := os.ReadDir(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ents {
		if fi, err := e.Info(); err == nil && strings.Contains(e.Name(), ".jsonl") && !strings.HasPrefix(e.Name(), "SEALS") {
			bytes += fi.Size()
			if strings.HasSuffix(e.Name(), ".jsonl") {
				segments++
			}
		}
	}
	return bytes, segments
}

// TestDiskUseIsBoundedUnderLoad writes four times as much as is kept.
func TestDiskUseIsBoundedUnderLoad(t *testing.T) {
	const limit = 2 << 20
	dir := t.TempDir()
	r := startReloaded(t, dir, "run", "keep-bytes: 2MiB")
	sock := filepath.Join(dir, agent.SocketName)
	waitFor(t, sock)
	ctx, cancel := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	var most int64
	watch.Go(func() {
		for ctx.Err() == nil {
			bytes, _ := logBytes(t, dir)
			most = max(most, bytes)
			if status, body := r.do("GET", "/readyz", "", "", ""); status != 200 {
				t.Errorf("GET /readyz = %d %s, want 200", status, body)
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	l := &load{acked: map[uint64]string{}}
	l.run(t, sock, 4*limit)
	cancel()
	watch.Wait()
	if most > limit+limit/2 { // those who write do not wait for what is removed
		t.Errorf("the log grew to %d bytes, want about %d at most", most, limit)
	}
	r.wait("log within its limit", func() bool { bytes, _ := logBytes(t, dir); return bytes <= limit })
	if bytes, _ := logBytes(t, dir); bytes < limit/2 {
		t.Errorf("%d bytes are left of the log, want nearly %d", bytes, limit)
	}
	for _, name := range []string{"shiplog_retention_removed_segments_total", "shiplog_retention_removed_bytes_total", "shiplog_retention_last_run_timestamp_seconds"} {
		if v, err := strconv.ParseFloat(r.metric(name), 64); err != nil || v <= 0 {
			t.Errorf("%s = %v, %v, want more than 0", name, v, err)
		}
	}
	if out := must(t, "", "prune", "--data", dir, "--dry-run"); !strings.Contains(out, "nothing to remove") {
		t.Errorf("prune --dry-run over the socket = %q, want nothing to remove", out)
	}
	r.write("keep-bytes: 1MiB")
	r.reload("changed=keep-bytes")
	r.wait("smaller log", func() bool { bytes, _ := logBytes(t, dir); return bytes <= 1<<20 })
	r.wait("the last of what goes", func() bool { // the limit counts what lies beside the segments, too
		return strings.Contains(must(t, "", "prune", "--data", dir, "--dry-run"), "nothing to remove")
	})
	before := first(t, dir)
	if out := must(t, "", "prune", "--data", dir, "--keep-bytes", "1MiB", "--keep-at-least", "2"); !strings.Contains(out, "nothing to remove") {
		t.Errorf("prune over the socket = %q, want nothing to remove", out)
	}
	l.whole(t, dir, before)
	if out, errs, status := shiplog(t, "", "verify", "--data", dir); status != exitOK {
		t.Errorf("verify = exit %d\n%s%s", status, out, errs)
	}
}

// numbered is what a test looks at of a record.
type numbered struct {
	Seq         uint64
	Msg, Action string
}

func records(t *testing.T, dir string) (all []numbered) {
	t.Helper()
	for line := range strings.Lines(must(t, "", "query", "--data", dir, "-o", "jsonl")) {
		var n numbered
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

func first(t *testing.T, dir string) uint64 {
	t.Helper()
	all := records(t, dir)
	if len(all) == 0 {
		t.Fatal("the log is empty")
	}
	return all[0].Seq
}

// whole holds that nothing is missing from record first on, of what was acknowledged and between.
func (l *load) whole(t *testing.T, dir string, first uint64) {
	t.Helper()
	all := records(t, dir)
	for i, n := range all {
		if n.Seq != all[0].Seq+uint64(i) {
			t.Fatalf("record %d stands where %d is expected", n.Seq, all[0].Seq+uint64(i))
		}
	}
	there := 0
	for seq, msg := range l.acked {
		i := slices.IndexFunc(all, func(n numbered) bool { return n.Seq == seq })
		switch {
		case i < 0 && seq >= first:
			t.Errorf("record %d was acknowledged and is gone, although the log begins with %d", seq, first)
		case i >= 0 && !strings.HasPrefix(all[i].Msg, msg):
			t.Errorf("record %d is %.40q, want %q", seq, all[i].Msg, msg)
		case i >= 0:
			there++
		}
	}
	if there < 50 || there == len(l.acked) {
		t.Errorf("%d of %d acknowledged records are left; the test tested nothing", there, len(l.acked))
	}
}
