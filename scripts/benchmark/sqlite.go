package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// measureSQLite loads the records into SQLite, with indexes of users and categories and FTS5's trigrams of the
// messages, and asks over HTTP as well, so that both pay for it.
func (b *bench) measureSQLite() error {
	program, db := filepath.Join(b.dir, "sqlite"), filepath.Join(b.dir, "records.db")
	say("builds SQLite")
	build := exec.Command("go", "build", "-tags", "sqlite_fts5", "-o", program, ".")
	build.Dir = "scripts/benchmark/sqlite"
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		b.report.leftOut(sqlite, fmt.Sprintf("it cannot be built here (%v: %.200s)", err, out))
		return nil
	}
	defer removeDatabase(db)
	if err := b.loadSQLite(program, db); err != nil {
		return err
	}
	p, err := startPeer(exec.Command(program, "serve", db))
	if err != nil {
		return err
	}
	defer p.stop()
	client := &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 200}}
	for _, q := range b.questions() {
		path, rows := b.sqliteProbe(q.id)
		if err := b.ask(q, sqlite, probe{rows: rows, fetch: func() ([]byte, time.Duration, error) { return get(client, p.url+path) }}); err != nil {
			return err
		}
	}
	_, took, err := drain(client, p.url+statement("SELECT time, level, category, user, msg FROM log ORDER BY seq"))
	if err != nil {
		return err
	}
	b.report.set("answers", exportName, "records/s", sqlite, &cell{Value: float64(b.n) / took.Seconds()})
	b.report.set("memory", "idle", "MB anon", sqlite, &cell{Value: mb(anon(p.pid()))})
	err = b.appendRows(overHTTP, sqlite, func() time.Duration { return cpu(p.pid()) }, func() (appender, func(), error) {
		return func(i int) error {
			_, _, err := post(client, p.url+"/append", "application/json", nativeLine(i))
			return err
		}, func() {}, nil
	})
	if err != nil {
		return err
	}
	_, took, err = drain(client, p.url+statement("DELETE FROM log WHERE seq <= (SELECT max(seq) / 2 FROM log)"))
	if err != nil {
		return err
	}
	b.report.set("answers", pruneName, "ms", sqlite, &cell{Value: ms(took), Note: "DELETE, the text index left as it is; the file does not get smaller"})
	return nil
}

// removeDatabase makes room: with ten million records each peer takes as much as shiplog, or more.
func removeDatabase(db string) {
	for _, end := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(db + end)
	}
}

func (b *bench) loadSQLite(program, db string) error {
	say("SQLite takes in the records")
	removeDatabase(db) // of a run before, if there was one
	cmd := exec.Command(program, "load", b.records, db)
	var out strings.Builder
	cmd.Stdout = &out
	used, err := timed(cmd)
	if err != nil {
		return err
	}
	var own struct{ CPU, Wall float64 } // of SQLite alone: the program has read JSON too
	if err := json.Unmarshal([]byte(out.String()), &own); err != nil {
		return err
	}
	info, err := os.Stat(db)
	if err != nil {
		return err
	}
	perMillion := own.CPU * 1e6 / float64(b.n)
	b.report.set("writing", "import", "records/s", sqlite, &cell{Value: float64(b.n) / own.Wall})
	b.report.set("writing", "import, CPU per million", "s", sqlite, &cell{Value: perMillion})
	b.report.set("writing", "whole cost, CPU per million", "s", sqlite, &cell{Value: perMillion})
	b.report.set("memory", "peak while importing", "MB anon", sqlite, &cell{Value: mb(used.peak)})
	b.report.set("space", "all on disk", "bytes/record", sqlite, &cell{Value: float64(info.Size()) / float64(b.n)})
	return nil
}

func statement(sql string, args ...string) string {
	v := url.Values{"sql": {sql}, "arg": args}
	return "/?" + v.Encode()
}

// sqliteProbe asks for what the page of shiplog shows. The order is that of seq: with that of time SQLite sorts.
func (b *bench) sqliteProbe(id string) (path string, rows func([]byte) ([]string, error)) {
	const fields = "SELECT msg, seq, time, level, category, user FROM log "
	newest := fmt.Sprintf(" ORDER BY seq DESC LIMIT %d", pageRows)
	text := func(needle string) (string, func([]byte) ([]string, error)) {
		phrase := `"` + strings.ReplaceAll(needle, `"`, `""`) + `"`
		return statement(fields+fmt.Sprintf("WHERE seq IN (SELECT rowid FROM text WHERE text MATCH ? ORDER BY rowid DESC LIMIT %d)", pageRows)+newest, phrase), firstOfRow
	}
	t := b.truth
	if needle, ok := t.needle(id); ok {
		return text(needle)
	}
	switch id {
	case errorsOf:
		return statement(fields + "WHERE level = 'ERROR' AND +category IN ('image', 'export')" + newest), firstOfRow
	case userDay:
		return statement(fields+"WHERE user = ? AND time BETWEEN CAST(? AS INTEGER) AND CAST(? AS INTEGER) ORDER BY time DESC, seq DESC LIMIT 20", askedUser,
			fmt.Sprint(t.day.UnixNano()), fmt.Sprint(t.day.AddDate(0, 0, 1).UnixNano()-1)), firstOfRow
	case count:
		return statement("SELECT CAST(count(*) AS TEXT) FROM log WHERE category = 'container' AND user = ?", countedUser), firstOfRow
	case deep:
		return statement(fields+newest+" OFFSET CAST(? AS INTEGER)", fmt.Sprint(b.n/2)), firstOfRow
	case perDay:
		return statement("SELECT date(time / 1000000000, 'unixepoch') || ' ' || action || ' ' || count(*) FROM log WHERE user = ? AND time < CAST(? AS INTEGER)"+
			" GROUP BY date(time / 1000000000, 'unixepoch'), action", countedUser, fmt.Sprint(lastDay.UnixNano())), sortedFirst
	}
	return statement(fields + newest), firstOfRow
}

// firstOfRow are the first values of an answer's rows.
func firstOfRow(body []byte) ([]string, error) {
	var rows [][]any
	if err := json.Unmarshal(body, &rows); err != nil {
		return nil, err
	}
	var all []string
	for _, r := range rows {
		all = append(all, fmt.Sprint(r[0]))
	}
	return all, nil
}

func sortedFirst(body []byte) ([]string, error) {
	all, err := firstOfRow(body)
	slices.Sort(all)
	return all, err
}
