package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const api = "/container-station/api/v1"

// question is one thing that is asked again and again.
type question struct {
	name, path string
	runs       int    // instead of -runs
	limit      string // what is promised for a million records
}

// The filters have hits in the records of scripts/workload; the last needle has none.
func (b *bench) questions() []question {
	day := time.Date(2026, 10, 15, 0, 0, 0, 0, time.UTC).Unix()
	return []question{
		{name: "floor: /healthz", path: "/healthz"},
		{name: "latest 20", path: api + "/log", limit: "3 ms"},
		{name: "level and category", path: api + "/log?level=ERROR&category=image,export", limit: "3 ms"},
		{name: "user and day", path: fmt.Sprintf("%s/log?user=user16&start=%d&end=%d", api, day, day+86399), limit: "3 ms"},
		{name: "user and day, all 44 kB", path: fmt.Sprintf("%s/log?user=user16&start=%d&end=%d&limit=1000", api, day, day+86399), limit: "3 ms"},
		{name: "deep offset", path: fmt.Sprintf("%s/log?offset=%d", api, b.n/2), limit: "3 ms"},
		{name: "12-hex substring", path: api + "/log?text=68a6eb33c3d5", limit: "8 ms"},
		{name: "substring without a hit", path: api + "/log?text=no-such-words-anywhere", limit: "8 ms"},
		{name: "12 hex without a hit", path: api + "/log?text=68a6eb33c3d6", limit: "8 ms"},
		{name: "common substring", path: api + "/log?text=start"},
		{name: "latest 20 events", path: api + "/event"},
		{name: "Quay: latest 20 of a user", path: "/api/v1/user/logs?starttime=10/01/2026&endtime=10/31/2026"},
		{name: "Quay: a month by day", path: "/api/v1/user/aggregatelogs?starttime=10/01/2026&endtime=10/30/2026"},
		{name: "HSS: latest 10 and total", path: "/v5/default/container/image/events"},
		{name: "HSS: one user in a day", path: fmt.Sprintf("/v5/default/container/image/events?user_name=user16&start_time=%d000&end_time=%d999", day, day+86399)},
		{name: "HSS: deep offset", path: fmt.Sprintf("/v5/default/container/image/events?offset=%d&limit=200", b.n/2)},
		{name: "AOS: latest 20", path: "/v1/journal/?limit=20"},
		{name: "AOS: count of a user", path: "/v1/journal/count?user_name=user16"},
		{name: "AOS: message in a day", path: "/v1/journal/?limit=20&message__contains=start&event_time__gte=2026-10-15&event_time__lt=2026-10-16"},
	}
}

// serve starts the program on the imported records, without engines, and measures it.
func (b *bench) serve() error {
	cmd := exec.Command(b.binary, "run", "--data", b.data, "--listen", "127.0.0.1:0", "--docker", "none", "--incus", "none")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait() }()
	peak := watch(cmd.Process.Pid)
	stdout := bufio.NewReader(out)
	line, err := stdout.ReadString('\n')
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		return fmt.Errorf("first line %q (%v), want listening on URL", line, err)
	}
	go io.Copy(io.Discard, stdout)
	client, err := login(base)
	if err != nil {
		return err
	}
	if _, _, err := get(client, base+api+"/log"); err != nil {
		return err
	}
	row("start to first answer", "%.0f ms", time.Since(began).Seconds()*1e3)
	if err := b.indexed(client, base, cmd.Process.Pid); err != nil {
		return err
	}
	if err := b.ask(client, base); err != nil {
		return err
	}
	if err := b.export(client, base); err != nil {
		return err
	}
	row("peak anonymous", "%.0f MB since the start (limit 100)", mb(peak()))
	b.idle(cmd.Process.Pid)
	return nil
}

func login(base string) (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Jar: jar, Timeout: 5 * time.Minute, Transport: bearer{http.DefaultTransport}}
	resp, err := client.Post(base+api+"/login", "application/json",
		strings.NewReader(fmt.Sprintf(`{"username": "admin", "password": %q}`, password)))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New("login: " + resp.Status)
	}
	return client, nil
}

// bearer names the asker in the ways of the dialects that know no sessions.
type bearer struct{ http.RoundTripper }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Auth-Token", token)
	return b.RoundTripper.RoundTrip(r)
}

// get reads an answer to its end and throws it away.
func get(client *http.Client, url string) (int64, time.Duration, error) {
	began := time.Now()
	resp, err := client.Get(url)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	return n, time.Since(began), err
}

// indexed waits until the background work is done: the program is ready and has used no CPU for two seconds.
func (b *bench) indexed(client *http.Client, base string, pid int) error {
	began, last, quiet := time.Now(), time.Duration(0), time.Now()
	for time.Since(quiet) < 2*time.Second {
		if time.Since(began) > 10*time.Minute {
			return errors.New("not indexed within 10 minutes")
		}
		time.Sleep(200 * time.Millisecond)
		if used := cpu(pid); used > last+20*time.Millisecond {
			last, quiet = used, time.Now()
		}
	}
	if _, _, err := get(client, base+"/readyz"); err != nil {
		return err
	}
	log, err := treeSize(filepath.Join(b.data, "log"))
	if err != nil {
		return err
	}
	index, err := treeSize(filepath.Join(b.data, "index"))
	if err != nil {
		return err
	}
	n := float64(b.n)
	row("indexed after", "%.1f s, %.1f CPU s per million", (quiet.Sub(began)).Seconds(), cpu(pid).Seconds()*1e6/n)
	row("bytes per record", "log %.1f, index %.1f (%.1f %%)", float64(log)/n, float64(index)/n, 100*float64(index)/float64(log))
	return nil
}

// ask prints p50 and p99 of each question over one kept connection.
func (b *bench) ask(client *http.Client, base string) error {
	fmt.Printf("\n%-28s %9s %9s %9s %9s  %s\n", "question", "p50 ms", "p99 ms", "x floor", "bytes", "promised p50")
	var floor float64
	for _, q := range b.questions() {
		runs := b.runs
		if q.runs > 0 {
			runs = q.runs
		}
		var all []float64
		var size int64
		for i := range runs + 10 {
			n, took, err := get(client, base+q.path)
			if err != nil {
				return err
			}
			if size = n; i >= 10 { // the first ones warm up
				all = append(all, took.Seconds()*1e3)
			}
		}
		slices.Sort(all)
		p50, p99 := all[len(all)/2], all[len(all)*99/100]
		if floor == 0 {
			floor = p50
		}
		fmt.Printf("%-28s %9.2f %9.2f %9.1f %9d  %s\n", q.name, p50, p99, p50/floor, size, q.limit)
	}
	fmt.Println()
	return nil
}

func (b *bench) export(client *http.Client, base string) error {
	n, took, err := get(client, base+api+"/log/export")
	if err != nil {
		return err
	}
	row("CSV export", "%.0f MB in %.2f s: %.0f MB/s", mb(n), took.Seconds(), mb(n)/took.Seconds())
	return nil
}

// idle measures what is used and written when nothing happens.
func (b *bench) idle(pid int) {
	time.Sleep(5 * time.Second) // the last requests' memory goes back
	written, used := field(pid, "io", "write_bytes"), cpu(pid)
	time.Sleep(10 * time.Second)
	bytes := field(pid, "io", "write_bytes") - written
	row("idle", "anonymous %.0f MB, resident with mapped files %.0f MB", mb(anon(pid)), mb(resident(pid)))
	row("idle for 10 s", "%d bytes written (promised 0), %.0f ms of CPU", bytes, (cpu(pid)-used).Seconds()*1e3)
}
