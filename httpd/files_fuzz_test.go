package httpd

import (
	"encoding/json"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"shiplog/format"
)

// FuzzAccountsFile reads accounts.json as anybody may have left it. What is taken can be written and read again.
func FuzzAccountsFile(f *testing.F) {
	hash := "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" + strings.Repeat("a", 43)
	sum := strings.Repeat("0", 64)
	f.Add(`{"version":1,"users":[{"name":"a","password":"` + hash + `","admin":true}],"tokens":[{"sha256":"` + sum + `","user":"a","namespaces":["n/r"]}],"access_keys":[{"ak":"A","sk":"S","user":"a"}]}`)
	f.Add(`{"version":1,"users":null,"tokens":[{"sha256":"` + sum + `","user":"","expires":"2025-01-01T00:00:00Z"}]}`)
	f.Add(`{"version":1}{}`)
	f.Add("\xef\xbb\xbf{}")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "accounts.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		st, _, err := readAccounts(path)
		if err != nil {
			return
		}
		if err := writeAccounts(path, &st.file); err != nil {
			t.Fatalf("accounts that were read cannot be written: %v", err)
		}
		again, _, err := readAccounts(path)
		if err != nil || len(again.users) != len(st.users) || len(again.tokens) != len(st.tokens) || len(again.keys) != len(st.keys) {
			t.Errorf("%q is read, but what is written of it is not: %v", text, err)
		}
	})
}

// FuzzApply reads what shiplog account apply is given. A refused file changes nothing.
func FuzzApply(f *testing.F) {
	f.Add(`{"tokens":[{"token":"t","user":"a","roles":["admin"],"namespaces":["n/"]}],"access_keys":[{"ak":"A","sk":"S"}]}`)
	f.Add(`{"keystone_uri":null}`)
	f.Add(`{"qnap_users":[{"name":"\u0000","password":""}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "assword") {
			return // each would be hashed, which takes its time
		}
		path := filepath.Join(t.TempDir(), "accounts.json")
		a, err := LoadAccounts(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Apply(strings.NewReader(text)); err != nil {
			if _, err := os.Stat(path); err == nil {
				t.Errorf("Apply(%q) was refused and wrote a file", text)
			}
			return
		}
		if _, _, err := readAccounts(path); err != nil {
			t.Errorf("Apply(%q) wrote what cannot be read: %v", text, err)
		}
	})
}

// FuzzExportJob reads the file of a job. What is taken has an id that names no other file.
func FuzzExportJob(f *testing.F) {
	const id = "0b6f1c1e-7b1e-4d9c-9c55-6f1f0a3c2d11"
	f.Add(`{"version":1,"id":"` + id + `","secret":"` + id + `","user":"a","base":"http://x","state":"queued"}`)
	f.Add(`{"version":1,"id":"../x","secret":"` + id + `","ns":"a","base":"b","state":"done","ended":"2025-01-01T00:00:00Z"}`)
	f.Fuzz(func(t *testing.T, text string) {
		j := new(exportJob)
		if decodeStrict([]byte(text), j) != nil || j.check() != nil {
			return
		}
		if filepath.Base(j.ID) != j.ID || len(j.ID) != len(id) || len(j.Secret) != len(id) {
			t.Errorf("%q is taken with the id %q and the secret %q", text, j.ID, j.Secret)
		}
		if _, err := json.Marshal(j); err != nil {
			t.Errorf("%q is taken and cannot be written: %v", text, err)
		}
	})
}

// FuzzHost looks at Host headers: only addresses and names that were given are let in.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"localhost", "NAS.local.:80", "[::1%25eth0]:7446", "127.0.0.1", "0x7f.1", "", ":", "[", "evil.example", "localhost.evil.example"} {
		f.Add(host)
	}
	g := newGuard("nas.lan", []string{"log.example"})
	f.Fuzz(func(t *testing.T, host string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		if !g.knows(host) {
			if g.check(r) == nil {
				t.Errorf("Host %q is let in", host)
			}
			return
		}
		name := host
		if h, _, err := net.SplitHostPort(host); err == nil {
			name = h
		}
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if !strings.ContainsAny(name, ":") && strings.Trim(name, "0123456789.") != "" && name != "localhost" && name != "nas" && name != "nas.lan" && name != "nas.local" && name != "log.example" {
			t.Errorf("Host %q is let in", host)
		}
	})
}

// FuzzAddress reads e-mail addresses. What is taken is one, and nothing that a mail server could read as more.
func FuzzAddress(f *testing.F) {
	for _, text := range []string{"a@b.example", "A B <a@b.example>", "a@b.example, c@d.example", "-x@b.example", "\"a b\"@c.example", "a@[127.0.0.1]", "a@b\r\nBcc: c@d", "x:a@b.example;", "ä@b.example"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := checkAddress(text)
		if err != nil {
			return
		}
		if strings.Count(got, "@") != 1 || strings.ContainsAny(got, " \r\n\t<>,;:\"\\()[]\x00") || strings.HasPrefix(got, "-") {
			t.Errorf("checkAddress(%q) = %q", text, got)
		}
		if again, err := checkAddress(got); err != nil || again != got {
			t.Errorf("checkAddress(%q) = %q, which is read as %q, %v", text, got, again, err)
		}
	})
}

// FuzzRecordData shows the data of a record as each dialect does: programs of the box write what they like there.
func FuzzRecordData(f *testing.F) {
	f.Add(`{"hss":{"resource_type":"x","event_type":5}}`)
	f.Add(`{"hss":[]}`)
	f.Add(`{"ns":"a","performer":{"name":"\ud800"},"x":1e400}`)
	f.Fuzz(func(t *testing.T, data string) {
		line := `{"stream":"event","category":"image","action":"image.pull","time":"2021-08-11T08:52:38Z","data":` + data + `}`
		var fields format.Fields
		if !json.Valid([]byte(line)) || format.ScanLine([]byte(line), &fields) != nil {
			return
		}
		for _, v := range []any{newHSSRow(&fields), journalRowOf(&fields), newEvent(&fields).render(true), newEvent(&fields).render(false), shownMessage(&fields)} {
			if _, err := json.Marshal(v); err != nil {
				t.Errorf("data %q is shown as %#v, which is no JSON: %v", data, v, err)
			}
		}
	})
}
