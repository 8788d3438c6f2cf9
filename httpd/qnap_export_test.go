package httpd

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"shiplog/format"
)

func TestCSVFields(t *testing.T) {
	for name, row := range map[string]struct{ in, want, safe string }{
		"plain":           {"a b", "a b", "a b"},
		"a comma":         {"a,b", `"a,b"`, `"a,b"`},
		"a quote":         {`a"b`, `"a""b"`, `"a""b"`},
		"a line break":    {"a\nb", "\"a\nb\"", "\"a\nb\""},
		"CRLF":            {"a\r\nb", "\"a\r\nb\"", "\"a\r\nb\""},
		"a leading space": {" a", " a", " a"},
		"a backslash dot": {`\.`, `\.`, `\.`},
		"empty":           {"", "", ""},
		"a formula":       {"=1+2", "=1+2", "'=1+2"},
		"a quoted one":    {"=A,B", `"=A,B"`, `"'=A,B"`},
		"a sign":          {"-1", "-1", "'-1"},
		"at":              {"@x", "@x", "'@x"},
		"a tab":           {"\tx", "\tx", "'\tx"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(AppendCSVField(nil, []byte(row.in), false)); got != row.want {
				t.Errorf("field(%q) = %q, want %q", row.in, got, row.want)
			}
			if got := string(AppendCSVField(nil, []byte(row.in), true)); got != row.safe {
				t.Errorf("safe field(%q) = %q, want %q", row.in, got, row.safe)
			}
		})
	}
}

func TestExportFiltersAndGuards(t *testing.T) {
	b := newBox(t, "", nil)
	cookie := b.cookie("admin")
	one, two := operation("=cmd()"), operation("käse, \"x\"\nline")
	one.Time, two.Time = time.Date(2024, 1, 2, 3, 4, 5, 999999999, time.UTC), time.Date(2024, 1, 2, 3, 4, 6, 0, time.UTC)
	two.Level = format.LevelWarn
	b.append(one)
	b.append(two)
	const head, first, second = csvHeader, "2024-01-02 03:04:05.999999,INFO,container,admin,=cmd()\r\n",
		"2024-01-02 03:04:06.000000,WARN,container,admin,\"käse, \"\"x\"\"\nline\"\r\n"
	for query, want := range map[string]string{
		"": head + first + second, "level=WARN": head + second, "end=1704164645": head + first, "start=1704164646": head + second, "text=nope": head,
		"limit=1&offset=1": head + first + second, "safe=1": head + strings.Replace(first, "=cmd", "'=cmd", 1) + second,
	} {
		got := b.do("GET", "/container-station/api/v1/log/export?"+query, "", "Cookie", cookie)
		if got.body != want || got.header.Get("Content-Type") != "text/csv; charset=utf-8" || got.header.Get("Content-Length") != "" ||
			got.header.Get("Content-Disposition") != `attachment; filename="container-station-log.csv"` {
			t.Errorf("export?%s = %q %v, want %q", query, got.body, got.header, want)
		}
	}
	wantError(t, "export with a bad bound", b.do("GET", "/api/v1/log/export?start=x", "", "Cookie", cookie), 400)
}

// fill appends n records of about 2 KB.
func (b *box) fill(n int) {
	b.t.Helper()
	pad := strings.Repeat("x", 2000)
	for done := 0; done < n; done += 1000 {
		recs := make([]*format.Record, 1000)
		for i := range recs {
			recs[i] = operation(fmt.Sprintf("record %d %s", done+i, pad))
		}
		if err := b.writer.Write(recs...); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestExportNeedsConstantMemory(t *testing.T) {
	b := newBox(t, "", nil)
	const n = 8_000 // 16 MB of CSV
	b.fill(n)
	req, err := http.NewRequest("GET", b.url+"/api/v1/log/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Cookie", b.cookie("admin"))
	b.list("limit=1", req.Header.Get("Cookie")) // columns are built
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	res, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines, peak := 0, uint64(0)
	buf := make([]byte, 256<<10)
	for i := 0; ; i++ {
		k, err := res.Body.Read(buf)
		lines += strings.Count(string(buf[:k]), "\n")
		if i%400 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			peak = max(peak, now.HeapAlloc)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if lines != n+1 {
		t.Errorf("%d lines, want %d", lines, n+1)
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("heap grew by %d bytes during the export, want less than 8 MiB", grown)
	}
}

func TestExportOutlivesTheDeadlinesOfOtherRequests(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.limits = limits{read: time.Second, write: time.Second} })
	b.fill(6_000)
	c := b.dial("GET", "/api/v1/log/export", b.cookie("admin"))
	total, buf := 0, make([]byte, 512<<10)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		k, err := c.Read(buf) // slowly, but always something
		if total += k; err != nil {
			t.Fatalf("after %d bytes: %v", total, err)
		}
	}
	rest, err := io.ReadAll(c)
	if err != nil || !strings.HasSuffix(string(rest), "\r\n0\r\n\r\n") {
		t.Errorf("the export was cut off after %d bytes: %v", total+len(rest), err)
	}
}

func TestExportIsCutWhenTheClientDoesNotRead(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.limits = limits{write: 500 * time.Millisecond} })
	b.fill(3_000)
	cookie := b.cookie("admin")
	b.list("limit=1", cookie) // columns are built
	c := b.dial("GET", "/api/v1/log/export", cookie)
	if _, err := c.Read(make([]byte, 1)); err != nil { // it has begun
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	data, _ := io.ReadAll(c)
	if strings.HasSuffix(string(data), "0\r\n\r\n") {
		t.Error("the export looks complete although its client did not read for longer than a chunk may take")
	}
}

// dial sends a request on a connection of its own, with a small receive buffer.
func (b *box) dial(method, path, cookie string) net.Conn {
	b.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	if err := c.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		b.t.Fatal(err)
	}
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: localhost\r\nCookie: %s\r\nConnection: close\r\n\r\n", method, path, cookie)
	return c
}
