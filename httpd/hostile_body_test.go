package httpd

import (
	"bytes"
	"compress/gzip"
	"runtime"
	"strings"
	"testing"
	"time"
)

// bomb is a text that gunzips to n bytes.
func bomb(n int) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(make([]byte, n)) // into memory
	_ = w.Close()
	return b.String()
}

// TestHostileBodies sends to everything that reads a body what is not meant for it.
func TestHostileBodies(t *testing.T) {
	b := newBox(t, "", quickRefusals)
	many := strings.Repeat
	const form, multipart = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
	entry := func(members string) string {
		return `{"journal":{"object_id":"o","action":"a","status":"success"` + members + `}}`
	}
	login, journal, export := "/api/v1/login", "/v1/journal/", "/api/v1/user/exportlogs"
	for _, row := range []struct {
		name, path, contentType, body string
		status                        int
	}{
		{"deep arrays", login, "", `{"username":` + many("[", 30_000) + many("]", 30_000) + "}", 400},
		{"deep objects", login, "", many(`{"a":`, 9_000) + "1" + many("}", 9_000), 400},
		{"half of deep objects", login, "", many(`{"a":`, 12_000), 400},
		{"thousands of members", login, "", "{" + many(`"a":0,`, 10_000) + `"b":0}`, 400},
		{"thousands of parameters", login, form, many("a=b&", 15_000), 400},
		{"ampersands", login, form, many("&", 60_000), 400},
		{"percent signs", login, form, "username=" + many("%", 30_000) + "&password=" + many("%zz", 10_000), 401},
		{"a password of 60 KiB", login, form, "username=admin&password=" + many("a", 60<<10), 401},
		{"a name of 60 KiB", login, form, "password=admin-pw&username=" + many("a", 60<<10), 401},
		{"a name that is no UTF-8", login, "", "username=\xff\xfe&password=x", 401},
		{"a name with line breaks", login, "", `{"username":"a\r\nlevel=ERROR msg=forged","password":"x"}`, 401},
		{"a number for a name", login, "", `{"username":1e400,"password":"x"}`, 400},
		{"a name given twice", login, "", `{"username":"admin","username":"nobody","password":"admin-pw"}`, 401},
		{"a form within a form", login, multipart, "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nadmin\r\n--x--\r\n", 400},
		{"a form of a megabyte", login, multipart, many("--x\r\n", 200_000), 400},
		{"a gzip bomb", login, "", bomb(64 << 20), 400},

		{"deep arrays", journal, "", entry(`,"action_arguments":` + many("[", 20_000) + many("]", 20_000)), 400},
		{"deep arrays in a text", journal, "", entry(`,"action_arguments":"` + many("[", 20_000) + many("]", 20_000) + `"`), 400},
		{"deep arrays beside what is known", journal, "", entry(`,"x":` + many("[", 30_000) + many("]", 30_000)), 400},
		{"half a megabyte of arrays", journal, "", many("[", 500_000), 400},
		{"a hundred thousand members", journal, "", entry(many(`,"a":0`, 150_000)), 201},
		{"a hundred thousand names", journal, "", `{"journal":{` + many(`"\u0000":{},`, 60_000) + `"a":0}}`, 400},
		{"a megabyte of escapes", journal, "", entry(`,"message":"` + many(`\u0000`, 150_000) + `"`), 400},
		{"a number of a megabyte", journal, "", entry(`,"response_code":` + many("9", 900_000)), 400},
		{"a member given twice", journal, "", entry(`,"status":"error"`), 201},
		{"invalid UTF-8", journal, "", entry(`,"message":"` + "\xff" + `"`), 400},
		{"half a surrogate", journal, "", entry(`,"message":"\ud800"`), 201},
		{"a text that tells lines apart", journal, "", entry(`,"message":"a\nb\r\u2028c"`), 201},
		{"a gzip bomb", journal, "", bomb(64 << 20), 400},
		{"a form", journal, form, "journal=x", 415},

		{"deep arrays", export, "", `{"callback_url":` + many("[", 7_000) + many("]", 7_000) + "}", 400},
		{"an address with line breaks", export, "", `{"callback_email":"a@b.example\r\nBcc: c@d.example"}`, 400},
		{"an address of 10 KiB", export, "", `{"callback_email":"` + many("a", 10<<10) + `@b.example"}`, 400},
		{"a URL with line breaks", export, "", `{"callback_url":"http://b.example/\r\nX: y"}`, 400},
		{"a URL of 10 KiB", export, "", `{"callback_url":"http://b.example/` + many("a", 10<<10) + `"}`, 400},
		{"a URL of a file", export, "", `{"callback_url":"file:///etc/passwd"}`, 400},
		{"a URL of this machine", export, "", `{"callback_url":"http://127.0.0.1/"}`, 400},
		{"a day that is none", export, "", `{"starttime":"99/99/9999"}`, 400},
		{"thousands of members", export, "", "{" + many(`"a":0,`, 2_500) + `"starttime":5}`, 400},
		{"more than 16 KiB", export, "", `{"x":"` + many("a", 16<<10) + `"}`, 413},
	} {
		what := row.name + " to " + row.path
		b.server.limiter = newLimiter(b.server.opts.Now, time.Millisecond) // this is about bodies, not about guessing
		header := []string{"Authorization", "Bearer tok-admin", "X-Auth-Token", "tok-admin"}
		if row.contentType != "" {
			header = append(header, "Content-Type", row.contentType)
		}
		if strings.HasPrefix(row.name, "a gzip bomb") {
			header = append(header, "Content-Encoding", "gzip")
		}
		got := b.do("POST", row.path, row.body, header...)
		if got.status != row.status || got.took > 10*time.Second {
			t.Errorf("%s = %d %s in %v, want %d", what, got.status, cutText(got.body, 300), got.took, row.status)
		}
	}
	var now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&now)
	if now.HeapAlloc > 100<<20 {
		t.Errorf("%d bytes are in use afterwards, want less than 100 MiB", now.HeapAlloc)
	}
	if got := b.do("GET", "/healthz", ""); got.status != 200 {
		t.Errorf("healthz afterwards = %d", got.status)
	}
	lines := strings.Count(string(b.logBytes()), "\n")
	if last, _ := b.writer.Last(); uint64(lines) != last {
		t.Errorf("%d lines hold %d records, want one line each", lines, last)
	}
}
