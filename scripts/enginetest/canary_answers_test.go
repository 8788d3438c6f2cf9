package enginetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// exported asks for an export of the registry's dialect and waits for its file.
func (r *run) exported(t *testing.T) {
	req, err := http.NewRequest(http.MethodPost, r.b.base+"/api/v1/organization/library/exportlogs", strings.NewReader(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+registryToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	eventually(t, 20*time.Second, "the export is not written: "+resp.Status, func() bool {
		files, _ := filepath.Glob(filepath.Join(r.b.data, "exports", "*"))
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte(mark(0))) && bytes.HasSuffix(bytes.TrimSpace(text), []byte("}")) {
				return true
			}
		}
		return false
	})
}

// answers are those of all dialects, whole, and of the commands that read the files.
func (r *run) answers(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, prefix := range []string{v1, v2, v2old} {
		for _, path := range []string{"/log?limit=100000", "/log/export", "/log/export?safe=1", "/event", "/container"} {
			all[prefix+path] = r.b.get(t, prefix+path)
		}
		logs, err := json.Marshal(r.b.logs(t, prefix))
		if err != nil {
			t.Fatal(err)
		}
		all[prefix+"/log, all pages"] = logs
		for _, m := range r.b.events(t, prefix) {
			all[prefix+"/event, all"] = append(all[prefix+"/event, all"], m.Text+"\n"...)
		}
	}
	for _, path := range []string{"/metrics", "/openapi.yaml", "/readyz", "/healthz", "/checkpoint"} {
		all[path] = r.b.get(t, path)
	}
	for _, scope := range []string{"user", "organization/library", "organization/default"} {
		path := "/api/v1/" + scope
		all[path+"/logs"] = r.quayPages(t, path+"/logs")
		all[path+"/aggregatelogs"] = r.b.raw(t, path+"/aggregatelogs", "Authorization", "Bearer "+registryToken)
	}
	for offset, more := 0, true; more; offset += 200 {
		path := fmt.Sprintf("/v5/default/container/image/events?limit=200&offset=%d", offset)
		page := r.b.raw(t, path, "X-Auth-Token", journalToken)
		all["/v5 events"] = append(all["/v5 events"], page...)
		more = bytes.Contains(page, []byte(`"event_id"`))
	}
	all["/v1/journal"] = r.b.raw(t, "/v1/journal/?limit=10000", "X-Auth-Token", journalToken)
	for _, args := range [][]string{{"export", "-o", "csv"}, {"export", "-o", "csv", "--spreadsheet"}, {"export", "-o", "jsonl"}, {"query"}, {"query", "-o", "json"}, {"status"}} {
		out, err := exec.Command(r.b.binary, append(args, "--data", r.b.data)...).CombinedOutput()
		if err != nil && args[0] != "status" {
			t.Errorf("shiplog %v: %v\n%s", args, err, out)
		}
		all["shiplog "+strings.Join(args, " ")] = out
	}
	for _, name := range []string{v1 + "/log, all pages", v2 + "/log, all pages", v2 + "/log/export", v1 + "/log/export", "/api/v1/organization/library/logs",
		"/v5 events", "/v1/journal", "/metrics", "shiplog export -o csv", "shiplog export -o jsonl", "shiplog query"} {
		if !bytes.Contains(all[name], []byte(control)) {
			t.Errorf("%s does not name the container %s: a secret in it would not have been found", name, control)
		}
	}
	return all
}

// quayPages are all pages of a list.
func (r *run) quayPages(t *testing.T, path string) []byte {
	t.Helper()
	var all []byte
	for next := ""; ; {
		page := r.b.raw(t, path+"?next_page="+url.QueryEscape(next), "Authorization", "Bearer "+registryToken)
		var token struct {
			Next string `json:"next_page"`
		}
		if err := json.Unmarshal(page, &token); err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if next = token.Next; next == "" {
			return all
		}
	}
}

// raw is fetch for the bytes of the answer.
func (b *box) raw(t testing.TB, path, header, value string) []byte {
	t.Helper()
	var text json.RawMessage
	b.fetch(t, path, header, value, &text)
	return text
}
