package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// measureVictoria sends the records to a VictoriaLogs as they are, and asks in its language. A substring in any case
// is a regular expression there.
func (b *bench) measureVictoria() error {
	binary := os.Getenv("VICTORIA_LOGS")
	if binary == "" {
		b.report.leftOut(victoria, "VICTORIA_LOGS names no binary")
		return nil
	}
	data := filepath.Join(b.dir, "victoria")
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	defer os.RemoveAll(data)
	v, err := startVictoria(binary, data)
	if err != nil {
		return err
	}
	defer func() { v.stop() }()
	if err := b.loadVictoria(v); err != nil {
		return err
	}
	if err := v.end(); err != nil {
		return err
	}
	size, err := treeSize(data)
	if err != nil {
		return err
	}
	b.report.set("space", "all on disk", "bytes/record", victoria, &cell{Value: float64(size) / float64(b.n)})
	if v, err = startVictoria(binary, data); err != nil {
		return err
	}
	return b.askVictoria(v)
}

// startVictoria starts one that keeps everything, whatever its time.
func startVictoria(binary, data string) (*peer, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := ln.Addr().String()
	ln.Close() // it wants to be told a port; nobody takes this one meanwhile, most likely
	cmd := exec.Command(binary, "-storageDataPath="+data, "-httpListenAddr="+address, "-retentionPeriod=100y", "-futureRetention=10y", "-loggerLevel=ERROR")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	v := &peer{cmd: cmd, url: "http://" + address}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, _, err := get(http.DefaultClient, v.url+"/health"); err == nil {
			return v, nil
		}
	}
	v.stop()
	return nil, errors.New("VictoriaLogs did not answer within a minute")
}

const victoriaInsert = "/insert/jsonline?_stream_fields=host,category&_time_field=time&_msg_field=msg"

// loadVictoria sends all records. Its cost counts when it says that it has them, and again when it has flushed them.
func (b *bench) loadVictoria(v *peer) error {
	say("VictoriaLogs takes in the records")
	client := &http.Client{Timeout: 5 * time.Minute}
	peak := watch(v.pid())
	began := time.Now()
	if err := inChunks(b.records, 4<<20, func(chunk []byte) error {
		_, _, err := post(client, v.url+victoriaInsert, "application/json", chunk)
		return err
	}); err != nil {
		return err
	}
	b.report.set("writing", "import", "records/s", victoria, &cell{Value: float64(b.n) / time.Since(began).Seconds()})
	taken := &cell{Value: b.perMillion(cpu(v.pid())), Note: "it has answered, the records are not yet on the disk"}
	b.report.set("writing", "import, CPU per million", "s", victoria, taken)
	b.report.set("writing", "import and columns, CPU per million", "s", victoria, &cell{Value: taken.Value})
	if _, _, err := get(client, v.url+"/internal/force_flush"); err != nil {
		return err
	}
	time.Sleep(min(6*time.Second, b.patient)) // every 5 seconds it moves what is in memory to the disk, and merges
	if _, err := b.calm(v.pid()); err != nil {
		return err
	}
	b.report.set("writing", "whole cost, CPU per million", "s", victoria, &cell{Value: b.perMillion(cpu(v.pid()))})
	b.report.set("memory", "peak while importing", "MB anon", victoria, &cell{Value: mb(peak())})
	return nil
}

// inChunks calls each with whole lines, about size bytes at a time.
func inChunks(name string, size int, each func([]byte) error) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	in := bufio.NewReaderSize(file, size)
	for {
		chunk, err := in.Peek(size)
		if len(chunk) == 0 {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		end := bytes.LastIndexByte(chunk, '\n') + 1
		if end == 0 {
			return fmt.Errorf("%s has a line of more than %d bytes", name, size)
		}
		if err := each(chunk[:end]); err != nil {
			return err
		}
		if _, err := in.Discard(end); err != nil {
			return err
		}
	}
}

func (b *bench) askVictoria(v *peer) error {
	if _, err := b.calm(v.pid()); err != nil {
		return err
	}
	peak := watch(v.pid())
	client := &http.Client{Timeout: 5 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 200}}
	for _, q := range b.questions() {
		query, limit, rows := b.victoriaProbe(q.id)
		p := probe{rows: rows, fetch: func() ([]byte, time.Duration, error) { return get(client, v.url+victoriaQuery(query, limit)) }}
		if err := b.ask(q, victoria, p); err != nil {
			return err
		}
	}
	_, took, err := drain(client, v.url+victoriaQuery("* | fields _time, level, category, actor.name, _msg", 0))
	if err != nil {
		return err
	}
	b.report.set("answers", exportName, "records/s", victoria, &cell{Value: float64(b.n) / took.Seconds()})
	b.report.set("memory", "peak while answering", "MB anon", victoria, &cell{Value: mb(peak())})
	b.report.set("memory", "idle", "MB anon", victoria, &cell{Value: mb(anon(v.pid()))})
	return b.appendRows(overHTTP, victoria, func() time.Duration { return cpu(v.pid()) }, func() (appender, func(), error) {
		return func(i int) error {
			line := fmt.Appendf(nil, `{"time":"%s",%s`, time.Now().UTC().Format(time.RFC3339Nano), nativeLine(i)[1:])
			_, _, err := post(client, v.url+victoriaInsert, "application/json", line)
			return err
		}, func() {}, nil
	})
}

func victoriaQuery(query string, limit int) string {
	v := url.Values{"query": {query}}
	if limit > 0 {
		v.Set("limit", fmt.Sprint(limit))
	}
	return "/select/logsql/query?" + v.Encode()
}

// victoriaProbe asks for the fields of shiplog's page. With a limit VictoriaLogs looks for the newest by itself.
func (b *bench) victoriaProbe(id string) (query string, limit int, rows func([]byte) ([]string, error)) {
	const fields = " | fields _time, _msg, level, category, actor.name, seq"
	t := b.truth
	text := func(needle string) (string, int, func([]byte) ([]string, error)) {
		return fmt.Sprintf(`_msg:~%q`, "(?i)"+strings.NewReplacer("(", `\(`, ")", `\)`).Replace(needle)) + fields, pageRows, newestFirst
	}
	if needle, ok := t.needle(id); ok && id != word {
		return text(needle)
	}
	switch id {
	case errorsOf:
		return `level:=ERROR category:in(image, export)` + fields, pageRows, newestFirst
	case userDay:
		return fmt.Sprintf(`_time:%s "actor.name":=%s`, t.day.Format(time.DateOnly), askedUser) + fields, pageRows, newestFirst
	case word:
		return "_msg:" + t.rare + fields, pageRows, newestFirst
	case count:
		return fmt.Sprintf(`category:=container "actor.name":=%s | count() as _msg`, countedUser), 0, newestFirst
	case deep:
		return fmt.Sprintf(`* | sort by (_time) desc offset %d limit %d`, b.n/2, pageRows) + fields, 0, newestFirst
	case perDay:
		return fmt.Sprintf(`_time:<%s "actor.name":=%s | stats by (_time:1d, action) count() as n`, lastDay.Format(time.DateOnly), countedUser), 0, daysAndActions
	}
	return "*" + fields, pageRows, newestFirst
}

// victoriaRow is what of an answer's line is looked at.
type victoriaRow struct {
	Time, Msg, Action, N string
}

func victoriaRows(body []byte) (all []victoriaRow, err error) {
	for d := json.NewDecoder(bytes.NewReader(body)); d.More(); {
		var r struct {
			Time string `json:"_time"`
			Msg  string `json:"_msg"`
			victoriaRow
		}
		if err := d.Decode(&r); err != nil {
			return nil, err
		}
		all = append(all, victoriaRow{r.Time, r.Msg, r.Action, r.N})
	}
	return all, nil
}

// newestFirst are the messages by time: the order of the answer is not promised.
func newestFirst(body []byte) ([]string, error) {
	rows, err := victoriaRows(body)
	slices.SortStableFunc(rows, func(a, b victoriaRow) int { return strings.Compare(b.comparable(), a.comparable()) })
	var all []string
	for _, r := range rows {
		all = append(all, r.Msg)
	}
	return all, err
}

// comparable is the time with as many digits as all others: it is written without zeros at the end.
func (r victoriaRow) comparable() string {
	t, err := time.Parse(time.RFC3339Nano, r.Time)
	if err != nil {
		return r.Time
	}
	return t.Format("2006-01-02T15:04:05.000000000")
}

func daysAndActions(body []byte) ([]string, error) {
	rows, err := victoriaRows(body)
	var all []string
	for _, r := range rows {
		all = append(all, fmt.Sprintf("%.10s %s %s", r.Time, r.Action, r.N))
	}
	slices.Sort(all)
	return all, err
}
