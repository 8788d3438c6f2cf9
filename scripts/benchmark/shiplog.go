package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"shiplog/index"
)

// measureShiplog is the whole life of the records in shiplog.
func (b *bench) measureShiplog() error {
	life := []func() error{b.build, b.load, b.starting, b.columns, b.indexing, b.parts, b.serve, b.coldStart}
	if b.compress {
		life = append(life, b.compressing)
	}
	if b.scope == wholeLife {
		life = append(life, b.appending, b.following, b.waiting, b.mixed, b.pruning)
	}
	for _, f := range life {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// load imports the records into a new data directory.
func (b *bench) load() error {
	say("shiplog imports")
	if err := b.emptyLog(b.data()); err != nil {
		return err
	}
	cmd := exec.Command(b.binary(), "import", "--data", b.data(), "--format", "native", b.records)
	used, err := timed(cmd)
	if err != nil {
		return err
	}
	b.report.set("writing", "import", "records/s", shiplog, &cell{Value: float64(b.n) / used.wall.Seconds()})
	b.report.set("writing", "import, CPU per million", "s", shiplog, &cell{Value: b.perMillion(used.cpu)})
	b.report.set("memory", "peak while importing", "MB anon", shiplog, &cell{Value: mb(used.peak)})
	if b.scope == hardRecords {
		if err := run(exec.Command(b.binary(), "seal", "--data", b.data())); err != nil {
			return err
		}
	}
	return age(b.data())
}

// starting is what a start costs when there are no records, with the login: a password's hash is slow on purpose.
// With few records it would be most of what making their index seems to cost.
func (b *bench) starting() error {
	data := filepath.Join(b.dir, "empty")
	defer os.RemoveAll(data)
	if err := b.emptyLog(data); err != nil {
		return err
	}
	s, err := b.start(data)
	if err != nil {
		return err
	}
	defer s.stop()
	_, err = b.calm(s.pid())
	b.startCost = cpu(s.pid())
	return err
}

// emptyLog makes a data directory with the accounts and nothing else.
func (b *bench) emptyLog(data string) error {
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	accounts := filepath.Join(b.dir, "accounts.json")
	text := fmt.Sprintf(`{"qnap_users": [{"name": "admin", "password": %q, "admin": true}], "tokens": [
		{"token": %q, "user": "admin", "project": "default", "roles": ["admin"], "scopes": ["super:user", "org:admin"]}]}`, password, token)
	if err := os.WriteFile(accounts, []byte(text), 0o600); err != nil {
		return err
	}
	return run(exec.Command(b.binary(), "account", "apply", "--data", data, accounts))
}

// columns is what it costs to make the columns of all records, which is all that filters need: in this process,
// because the program makes the text index at the same time.
func (b *bench) columns() error {
	used := self()
	x, err := index.Open(b.data(), index.Options{})
	if err != nil {
		return err
	}
	defer x.Close()
	if _, err := x.Count(context.Background(), index.Query{Categories: []string{"container"}}); err != nil {
		return err
	}
	columns := b.perMillion(self() - used)
	b.report.set("writing", "columns, CPU per million", "s", shiplog, &cell{Value: columns})
	appended := b.report.find("import, CPU per million").Cells[shiplog].Value
	b.report.set("writing", "import and columns, CPU per million", "s", shiplog, &cell{Value: appended + columns}).atMostOf(victoria, 0.2)
	return nil
}

// self is the CPU time of this process.
func self() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// indexing starts the program on the records and waits until it has made the index.
func (b *bench) indexing() error {
	say("shiplog makes its index")
	s, err := b.start(b.data())
	if err != nil {
		return err
	}
	defer s.stop()
	peak := watch(s.pid())
	took, err := b.calm(s.pid())
	if err != nil {
		return err
	}
	used := max(cpu(s.pid())-b.startCost, 0)
	if _, _, err := get(s.client, s.url+"/readyz"); err != nil {
		return err
	}
	appended := b.report.find("import, CPU per million").Cells[shiplog].Value
	b.report.set("writing", "columns and index, CPU per million", "s", shiplog, &cell{Value: b.perMillion(used)})
	b.report.set("writing", "whole cost, CPU per million", "s", shiplog, &cell{Value: appended + b.perMillion(used)}).atMostOf(victoria, 0.6)
	whole := b.report.find("whole cost, CPU per million").Cells[shiplog].Value
	b.report.set("writing", "whole cost, CPU per GB", "s", shiplog, &cell{Value: whole * float64(b.n) * 1e3 / float64(max(b.report.Bytes, 1))})
	b.report.set("writing", "indexed after", "s", shiplog, &cell{Value: took.Seconds()})
	limit := 64.0
	if b.n > 1_000_000 {
		limit = 80
	}
	b.report.set("memory", "peak while indexing", "MB anon", shiplog, &cell{Value: mb(peak())}).atMost(limit)
	return b.sizes()
}

// sizes is what is on the disk. What is not sealed yet has its index in memory.
func (b *bench) sizes() error {
	log, err := treeSize(filepath.Join(b.data(), "log"))
	if err != nil {
		return err
	}
	index, err := treeSize(filepath.Join(b.data(), "index"))
	if err != nil {
		return err
	}
	indexed, err := sealedSize(b.data())
	if err != nil {
		return err
	}
	limit := 10.0
	if b.n > 1_000_000 {
		limit = 14
	}
	b.report.set("space", "index and columns", "% of the log", shiplog, &cell{Value: 100 * float64(index) / float64(max(indexed, 1))}).atMost(limit)
	b.report.set("space", "index and columns, each record", "bytes", shiplog,
		&cell{Value: float64(index) / float64(b.n) * float64(log) / float64(max(indexed, 1))})
	b.report.set("space", "all on disk", "bytes/record", shiplog, &cell{Value: float64(log+index) / float64(b.n)})
	return nil
}

// serve asks all questions of a shiplog that has its index.
func (b *bench) serve() error {
	s, err := b.start(b.data())
	if err != nil {
		return err
	}
	defer s.stop()
	peak := watch(s.pid())
	if _, err := b.calm(s.pid()); err != nil {
		return err
	}
	b.report.set("memory", "start to first answer", "ms", shiplog, &cell{Value: ms(s.first)}).atMost(100)
	b.report.set("memory", "start to first answer, CPU", "ms", shiplog, &cell{Value: ms(s.used)})
	for _, q := range b.questions() {
		path, rows := b.shiplogProbe(q.id)
		p := probe{rows: rows, fetch: func() ([]byte, time.Duration, error) { return get(s.client, s.url+path) }}
		if err := b.ask(q, shiplog, p); err != nil {
			return err
		}
	}
	if err := b.csv(s); err != nil {
		return err
	}
	b.report.set("memory", "peak while answering", "MB anon", shiplog, &cell{Value: mb(peak())}).atMost(100)
	if b.scope != hardRecords {
		b.idle(s.pid())
	}
	return nil
}

// shiplogProbe is how shiplog is asked: in the dialect that has the question.
func (b *bench) shiplogProbe(id string) (path string, rows func([]byte) ([]string, error)) {
	t := b.truth
	text := func(s string) string { return api + "/log?limit=20&text=" + url.QueryEscape(s) }
	if needle, ok := t.needle(id); ok {
		return text(needle), messages
	}
	switch id {
	case errorsOf:
		return api + "/log?limit=20&level=ERROR&category=image,export", messages
	case userDay:
		return fmt.Sprintf("%s/log?limit=20&user=%s&start=%d&end=%d", api, askedUser, t.day.Unix(), t.day.Unix()+86399), messages
	case deep:
		return fmt.Sprintf("%s/log?limit=20&offset=%d", api, b.n/2), messages
	case count:
		return "/v1/journal/count?action__startswith=container.&user_name=" + countedUser, counted
	case perDay:
		return "/api/v1/user/aggregatelogs?starttime=10/01/2026&endtime=10/30/2026", aggregated
	}
	return api + "/log?limit=20", messages
}

// messages are those of an answer of the log.
func messages(body []byte) ([]string, error) {
	var rows []struct{ Message string }
	if err := json.Unmarshal(body, &rows); err != nil {
		return nil, err
	}
	var all []string
	for _, r := range rows {
		all = append(all, r.Message)
	}
	return all, nil
}

func counted(body []byte) ([]string, error) {
	var n struct{ Count int }
	err := json.Unmarshal(body, &n)
	return []string{fmt.Sprint(n.Count)}, err
}

// aggregated brings the answer into the form of the truth; kinds are actions with another dot.
func aggregated(body []byte) ([]string, error) {
	var a struct {
		Aggregated []struct {
			Kind     string
			Count    int
			Datetime string
		}
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return nil, err
	}
	var all []string
	for _, g := range a.Aggregated {
		day, err := time.Parse("Mon, 02 Jan 2006 15:04:05 -0000", g.Datetime)
		if err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprintf("%s %s %d", day.Format(time.DateOnly), strings.Replace(g.Kind, "_", ".", 1), g.Count))
	}
	slices.Sort(all)
	return all, nil
}

// idle measures what is used and written when nothing happens. The record of the last login is signed within a
// minute; that is waited for, when there is patience for it.
func (b *bench) idle(pid int) {
	wait := min(10*time.Second, b.patient)
	var written int64
	var used time.Duration
	for end := time.Now().Add(7 * wait); ; {
		written, used = field(pid, "io", "write_bytes"), cpu(pid)
		time.Sleep(wait)
		written, used = field(pid, "io", "write_bytes")-written, cpu(pid)-used
		if time.Now().After(end) || b.patient < 5*time.Second {
			break
		}
	}
	b.report.set("memory", "idle", "MB anon", shiplog, &cell{Value: mb(anon(pid))}).atMost(24)
	b.report.set("memory", "idle, with mapped files", "MB", shiplog, &cell{Value: mb(resident(pid))})
	b.report.set("memory", "written while idle", "bytes", shiplog, &cell{Value: float64(written)}).atMost(0)
	b.report.set("memory", "CPU while idle", "ms/s", shiplog, &cell{Value: ms(used) / wait.Seconds()})
}
