package enginetest

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recordPlants are arguments of `shiplog record --category backup`.
var recordPlants = []plant{
	{"record: a flag in the message", "--message 'MARK login --password CANARY'", false},
	{"record: mysql in the message", "--message 'MARK mysqldump -uroot -pCANARY db'", false},
	{"record: a URL in the message", "--message 'MARK clone https://bob:CANARY@h/x.git'", false},
	{"record: a header in the message", "--message 'MARK sent Authorization: Bearer CANARY'", false},
	{"record: a JWT in the message", "--message 'MARK got eyJCANARY.CANARY.CANARY'", false},
	{"record: JSON in the message", `--message 'MARK {"a":1,"password":"CANARY"}'`, false},
	{"record: JSON", `--message MARK --json '{"password":"CANARY"}'`, false},
	{"record: JSON with variables", `--message MARK --json '{"deep":[{"env":{"A":"CANARY"}}]}'`, false},
	{"record: JSON with a command", `--message MARK --json '{"cmd":["mysql","-pCANARY"]}'`, false},
}

// journalPlants are members of an entry that is posted to the journal.
var journalPlants = []plant{
	{"journal: a flag in the message", `"message": "MARK login --password CANARY"`, false},
	{"journal: a PEM in the message", `"message": "MARK -----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----"`, false},
	{"journal: arguments", `"message": "MARK", "action_arguments": {"password": "CANARY"}`, false},
	{"journal: deep arguments", `"message": "MARK", "action_arguments": {"server": [{"environment": {"A": "CANARY"}, "adminPass": "CANARY"}]}`, false},
	{"journal: arguments as a text", `"message": "MARK", "action_arguments": "{\"api_key\": \"CANARY\"}"`, false},
	{"journal: arguments as a command", `"message": "MARK", "action_arguments": "\"run --token CANARY\""`, false},
	{"journal: arguments as a list", `"message": "MARK", "action_arguments": ["curl", "-u", "bob:CANARY"]`, false},
}

// socketPlants are records that are written to agent.sock.
var socketPlants = []plant{
	{"socket: the message", `{"category":"backup","msg":"MARK --secret=CANARY"}`, false},
	{"socket: a member that is not known", `{"category":"backup","msg":"MARK","api_key":"CANARY"}`, false},
	{"socket: an object that is not known", `{"category":"backup","msg":"MARK","later":{"credentials":{"a":["CANARY"]}}}`, false},
	{"socket: data", `{"category":"backup","msg":"MARK","data":{"url":"https://bob:CANARY@h/"}}`, false},
	{"socket: arguments", `{"category":"backup","msg":"MARK","args":"{\"password\":\"CANARY\"}"}`, false},
	{"socket: append", `{"append":{"stream":"log","category":"backup","msg":"MARK","data":{"password":"CANARY"},"args":"--token CANARY"}}`, false},
}

// requestPlants are secrets in requests to shiplog, which must not get into its own log or records.
var requestPlants = []plant{
	{"request: a wrong password", `curl -sq -d '{"username": "nobody", "password": "CANARY"}' "$BASE/api/v1/login"`, false},
	{"request: a wrong session", `curl -sq -b CS_SESS_ID=CANARY "$BASE/container-station/api/v1/log"`, false},
	{"request: a wrong token of the registry", `curl -sq -H 'Authorization: Bearer CANARY' "$BASE/api/v1/user/logs"`, false},
	{"request: a wrong token of the journal", `curl -sq -H 'X-Auth-Token: CANARY' "$BASE/v1/journal/"`, false},
	{"request: a token in the query", `curl -sq "$BASE/v1/journal/?token=CANARY"`, false},
	{"request: a callback's user and query", `curl -sq -H "Authorization: Bearer ` + registryToken + `" --json '{"callback_url": "https://bob:CANARY@127.0.0.1:1/?token=CANARY"}' ` +
		`"$BASE/api/v1/organization/library/exportlogs"`, false},
}

// secrets plants all canaries.
func (r *run) secrets(t *testing.T) {
	r.e.env = append(r.e.env, "BIN="+r.b.binary, "DATA="+r.b.data, "BASE="+r.b.base)
	r.e.do(t, "docker run -d --name canary busybox sleep 1000", "incus -q launch busybox icanary",
		"docker run -d --name "+control+" busybox sleep 1000", "docker rm -f "+control)
	for _, p := range dockerLabels {
		i := number(p)
		r.e.do(t, "docker create --name "+mark(i)+" --label "+quoted(p.fill(i))+" busybox")
	}
	for _, p := range dockerExecs {
		r.e.do(t, "docker exec canary "+p.fill(number(p))+" || true")
	}
	for _, list := range [][]plant{dockerOthers, incusPlants, requestPlants, keptPlants} {
		for _, p := range list {
			r.e.do(t, "set -e; "+p.fill(number(p)))
		}
	}
	for _, p := range recordPlants {
		r.e.do(t, `"$BIN" record --data "$DATA" --category backup `+p.fill(number(p)))
	}
	for _, p := range journalPlants {
		r.post(t, p.fill(number(p)))
	}
	for _, p := range socketPlants {
		r.send(t, p.fill(number(p)))
	}
	r.e.do(t, "docker rm -f $(docker ps -aq --filter name=mark --filter name=canary)", "incus delete -f icanary")
}

// quoted is text as one word of the shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// post writes an entry of the journal.
func (r *run) post(t *testing.T, members string) {
	t.Helper()
	body := `{"journal": {"object_type": "container", "object_id": "x", "action": "container.note", "status": "success", ` + members + `}}`
	req, err := http.NewRequest(http.MethodPost, r.b.base+"/v1/journal/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", writerToken)
	resp, err := r.b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusCreated {
		t.Errorf("POST %s = %s %v %s", body, resp.Status, err, text)
	}
}

// send writes one line to agent.sock and waits for the answer.
func (r *run) send(t *testing.T, line string) {
	t.Helper()
	conn, err := net.Dial("unix", filepath.Join(r.b.data, "agent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, 4096)
	_, err = conn.Write([]byte(line + "\n"))
	n := 0
	if err == nil {
		n, err = conn.Read(reply)
	}
	if err != nil || !bytes.Contains(reply[:n], []byte(`"seq"`)) {
		t.Errorf("%s to agent.sock = %s %v, want a record", line, reply[:n], err)
	}
}
