package agent

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"shiplog/format"
)

func TestSecretName(t *testing.T) {
	for name, want := range map[string]bool{
		"DB_PASSWORD": true, "dbPassword": true, "mysqlpassword": true, "X-Auth-Token": true, "aws.secret.access.key": true,
		"API_KEY": true, "apiKey": true, "AUTH": true, "registry-creds": true, "pwd": true, "SSHPass": true, "passwd": true,
		"traefik.http.middlewares.a.basicauth.users": true, "com.docker.compose.project": false, "monkey": false,
		"authors": false, "org.opencontainers.image.authors": false, "keyboard": false, "compass": false, "name": false,
		"image": false, "execID": false, "maintainer": false, "": false,
	} {
		if got := secretName(name); got != want {
			t.Errorf("secretName(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestRedactCommand(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"a flag and its value", "login --user bob --password hunter2 now", "login --user bob --password [redacted] now"},
		{"a flag with an equals sign", "app --token=hunter2 -v", "app --token=[redacted] -v"},
		{"a single dash", "app -password hunter2", "app -password [redacted]"},
		{"a variable", "env DB_PASSWORD=hunter2 PATH=/bin sh", "env DB_PASSWORD=[redacted] PATH=/bin sh"},
		{"quotes hold spaces together", `app --secret "hunter2 x" y`, `app --secret [redacted] y`},
		{"a quoted command", `sh -c "mysql --password=hunter2 -e 'select 1'"`, `sh -c "mysql --password=[redacted] -e 'select 1'"`},
		{"the short flag of mysql", "mysqldump -uroot -phunter2 db", "mysqldump -uroot -p[redacted] db"},
		{"-p of others is a port", "ssh -p22 host", "ssh -p22 host"},
		{"a header", `curl -H "Authorization: Bearer hunter2" http://x/`, `curl -H "Authorization: [redacted]" http://x/`},
		{"userinfo of a url", "git clone https://bob:hunter2@host/x.git", "git clone https://[redacted]@host/x.git"},
		{"a token of its own form", "run AKIAIOSFODNN7EXAMPLE", "run [redacted]"},
		{"nothing secret", "sh -c exit 7", "sh -c exit 7"},
		{"a flag at the end", "app --password", "app --password"},
		{"a flag after the flag", "app --password --verbose", "app --password --verbose"},
		{"an apostrophe quotes nothing", "echo it's --token hunter2", "echo it's --token [redacted]"},
	} {
		if got := redactCommand(tc.in); got != tc.want {
			t.Errorf("%s: redactCommand(%q)\n = %q\nwant %q", tc.name, tc.in, got, tc.want)
		}
	}
}

func TestRedactSettings(t *testing.T) {
	in := `{"Env":["A=hunter2"],"config":{"environment.DB":"hunter2","user.note":"x"},"Variables":{"B":"hunter2"},"environment":"hunter2"}`
	want := `{"Env":["[redacted]"],"config":{"environment.DB":"[redacted]","user.note":"x"},"Variables":{"B":"[redacted]"},"environment":"[redacted]"}`
	if out := string(redactJSON([]byte(in))); out != want {
		t.Errorf("redactJSON\n = %s\nwant %s", out, want)
	}
}

const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.abcdefghijk"

func TestRedactJSON(t *testing.T) {
	in := `{"b":1,"a":1.50,"environment":{"PATH":"/hunter2","N":"hunter2"},"metadata":{"fds":{"0":"hunter2","control":"hunter2"},` +
		`"command":["mysql","--password","hunter2","-phunter2","sh -c \"x --token hunter2\"","A_KEY=hunter2 hunter2","app --token hunter2 \"x y\""],"env":["A=hunter2"],` +
		`"api_key":{"deep":["hunter2",7]},"token":12345,"ok":true,"nil":null,"url":"https://u:hunter2@h/p","jwt":"` + jwt + `"},"u":"<é>"}`
	out := string(redactJSON([]byte(in)))
	want := `{"b":1,"a":1.50,"environment":{"PATH":"[redacted]","N":"[redacted]"},"metadata":{"fds":{"0":"[redacted]","control":"[redacted]"},` +
		`"command":["mysql","--password","[redacted]","-p[redacted]","sh -c \"x --token [redacted]\"","A_KEY=[redacted]","app --token [redacted] \"x y\""],"env":["[redacted]"],` +
		`"api_key":{"deep":["[redacted]","[redacted]"]},"token":"[redacted]","ok":true,"nil":null,"url":"https://[redacted]@h/p","jwt":"[redacted]"},"u":"<é>"}`
	if out != want {
		t.Errorf("redactJSON\n = %s\nwant %s", out, want)
	}
}

// TestNoSecretInRecords plants a canary in every place of a Docker event where users put secrets.
func TestNoSecretInRecords(t *testing.T) {
	const canary = "hunter2canary"
	id := strings.Repeat("c", 64)
	attrs := map[string]string{
		"name": "web", "image": "busybox", "DB_PASSWORD": canary, "app.token": canary, "x": "https://bob:" + canary + "@h/",
		"pem": "-----BEGIN RSA PRIVATE KEY-----\n" + canary + "\n-----END RSA PRIVATE KEY-----", "cmd": "run --api-key " + canary,
		"jwt": "eyJ" + canary + ".eyJzdWIi" + canary + "." + canary, "execID": "e1",
	}
	m := NewDockerMapper(MapperOptions{LogExec: true, Container: func(string) (DockerInfo, bool) {
		return DockerInfo{Name: "web", Error: "mount failed: password=" + canary}, true
	}})
	var out tape
	base := 1795227374244052209
	for i, action := range []string{"create", "exec_create: sh -c login --password " + canary, "exec_start: env TOKEN=" + canary, "exec_die", "future: --secret=" + canary} {
		ev := map[string]any{"Type": "container", "Action": action, "Actor": map[string]any{"ID": id, "Attributes": attrs},
			"timeNano": base + i, "later": map[string]any{"password": canary, "environment": map[string]string{"A": canary}}}
		raw, _ := json.Marshal(ev)
		ms, err := m.Event(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := Store(ms, out.write); err != nil {
			t.Fatal(err)
		}
	}
	raw, _ := json.Marshal(map[string]any{"Type": "network", "Action": "disconnect", "timeNano": base + 9,
		"Actor": map[string]any{"ID": "n", "Attributes": map[string]string{"name": "bridge", "container": id}}})
	ms, err := m.Event(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := Store(append(ms, m.Flush()...), out.write); err != nil {
		t.Fatal(err)
	}
	if err := Store([]Mapped{undecodable("docker", []byte(`{"Type":"x","env":{"A":"`+canary+`"}`), out.recs[0].Time, errNoDocker)}, out.write); err != nil {
		t.Fatal(err)
	}
	for _, r := range out.recs {
		if line := string(format.AppendLine(nil, r)); strings.Contains(line, canary) {
			t.Errorf("secret stored: %s", line)
		}
	}
	if len(out.recs) < 9 || !strings.Contains(out.lines.String(), `"DB_PASSWORD":"[redacted]"`) {
		t.Errorf("names of secrets are not kept: %s", out.lines.String())
	}
}

func FuzzRedact(f *testing.F) {
	for _, s := range []string{`{"a":{"password":"x"}}`, `{"fds":{"0":"x"}}`, "app --token=x 'a b", "-----BEGIN X-----", "=", ":", `"`, "--password", `{"a":[`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		redactCommand(s)
		secretName(s)
		out := redactJSON([]byte(s))
		if json.Valid([]byte(s)) && !json.Valid(out) {
			t.Errorf("redactJSON(%q) = %q, no JSON", s, out)
		}
		const canary = "hunter2canary"
		if utf8.ValidString(s) && !strings.Contains(s, canary) {
			b, _ := json.Marshal(map[string]any{s: 1, "environment": map[string]string{s: canary}, "x": []string{s, "--password", canary}})
			if got := redactJSON(b); strings.Contains(string(got), canary) {
				t.Errorf("redactJSON(%s) = %s", b, got)
			}
		}
	})
}

func FuzzDockerEvent(f *testing.F) {
	f.Add([]byte(`{"Type":"container","Action":"start","Actor":{"ID":"x","Attributes":{"name":"a"}},"timeNano":1}`))
	f.Add([]byte(`{"Type":"image","Action":"untag","Actor":{"ID":"sha256:1"},"time":1}`))
	f.Add([]byte(`{"Type":"network","Action":"disconnect","Actor":{"ID":"n","Attributes":{"container":"x"}},"timeNano":9223372036854775807}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := NewDockerMapper(MapperOptions{})
		var out tape
		ms, err := m.Event(raw)
		if err != nil {
			return
		}
		more, _ := m.Event(raw)
		if err := Store(append(append(ms, more...), m.Flush()...), out.write); err != nil {
			t.Fatal(err)
		}
		for _, r := range out.recs {
			if e, ok := dockerEventOf(r); ok && e.key().ID != r.Obj.ID {
				t.Errorf("event of record %s differs", r.Data)
			}
		}
	})
}
