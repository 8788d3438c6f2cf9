package enginetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The tokens of the box's accounts, see newBox.
const (
	registryToken = "token of the registry's administrator"
	journalToken  = "token of a reader of the box's project"
	writerToken   = "token of a writer of the box's project"
)

// fetch asks with one header and gives the answer, which must be 200.
func (b *box) fetch(t testing.TB, path, header, value string, into any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, b.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(header, value)
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(body, into) != nil {
		t.Fatalf("GET %s = %s %v\n%s", path, resp.Status, err, body)
	}
}

// dialects does three things and reads each back through all five APIs.
func (r *run) dialects(t *testing.T) {
	r.e.do(t,
		"docker tag busybox localhost:5000/lgsd/diamond:4.2", "docker push localhost:5000/lgsd/diamond:4.2", "docker rmi localhost:5000/lgsd/diamond:4.2",
		"docker create --name fivefold busybox",
		"incus -q launch busybox ifivefold")
	id := r.e.do(t, "docker inspect -f '{{.Id}}' fivefold")
	after, began := r.b.newest(t), time.Now().UTC()
	r.e.do(t, "docker pull localhost:5000/lgsd/diamond:4.2", "docker rm fivefold", "incus stop -f ifivefold")
	r.b.awaitLine(t, after, "Stop container (lxc, ifivefold)")
	r.b.awaitLine(t, after, fmt.Sprintf("Destroy container (docker, %.12s, fivefold)", id))
	r.b.awaitLine(t, after, "Finished background task (image_download, localhost:5000/lgsd/diamond:4.2)")

	t.Run("QNAP", func(t *testing.T) { r.inQNAP(t, began, id) })
	t.Run("Quay", func(t *testing.T) { r.inQuay(t, began, id) })
	t.Run("HSS", func(t *testing.T) { r.inHSS(t, began) })
	t.Run("AOS", func(t *testing.T) { r.inAOS(t, after, id) })
	r.e.do(t, "incus delete -f ifivefold", "docker rmi localhost:5000/lgsd/diamond:4.2")
}

// inQNAP reads both versions of the Container Station API.
func (r *run) inQNAP(t *testing.T, began time.Time, id string) {
	for _, prefix := range []string{v1, v2} {
		lines := map[string]bool{}
		for _, l := range r.b.logs(t, prefix) {
			lines[l.Category+" "+l.User+" "+l.Message] = l.TS >= began.Unix()-1
		}
		for _, want := range []string{
			"image system Finished background task (image_download, localhost:5000/lgsd/diamond:4.2)",
			fmt.Sprintf("container system Destroy container (docker, %.12s, fivefold)", id),
			"container root Stop container (lxc, ifivefold)",
		} {
			if !lines[want] {
				t.Errorf("%s/log has no line %q", prefix, want)
			}
		}
		states := map[string]bool{}
		for _, m := range r.b.events(t, prefix) {
			name := m.member("container") + m.member("name")
			if m.member("id") == id {
				name = "fivefold" // the second version does not name what is destroyed
			}
			states[name+" "+m.member("state")+m.member("action")] = true
		}
		for _, want := range []string{"localhost:5000/lgsd/diamond successdownload", "fivefold destroy", "ifivefold stop"} {
			if !states[want] {
				t.Errorf("%s/event has no message of %q", prefix, want)
			}
		}
	}
}

// quayLog is one element of a Quay answer.
type quayLog struct {
	Kind     string
	Metadata map[string]any
	Datetime string
}

func (r *run) inQuay(t *testing.T, began time.Time, id string) {
	find := func(path, kind string, ok func(quayLog) bool) {
		t.Helper()
		for next := ""; ; {
			var page struct {
				Logs     []quayLog
				NextPage string `json:"next_page"`
			}
			r.b.fetch(t, path+"?next_page="+url.QueryEscape(next), "Authorization", "Bearer "+registryToken, &page)
			for _, l := range page.Logs {
				at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 -0000", l.Datetime)
				if err != nil {
					t.Fatal(err)
				}
				if l.Kind == kind && !at.Before(began.Truncate(time.Second)) && ok(l) {
					return
				}
			}
			if next = page.NextPage; next == "" {
				t.Errorf("%s has no %s since %v that fits", path, kind, began)
				return
			}
		}
	}
	find("/api/v1/repository/lgsd/diamond/logs", "pull_repo", func(l quayLog) bool {
		return l.Metadata["repo"] == "diamond" && l.Metadata["namespace"] == "lgsd" && l.Metadata["tag"] == "4.2"
	})
	find("/api/v1/organization/lgsd/logs", "pull_repo", func(l quayLog) bool { return l.Metadata["repo"] == "diamond" })
	find("/api/v1/organization/library/logs", "container_destroy", func(l quayLog) bool { return l.Metadata["container_id"] == id })
	find("/api/v1/organization/default/logs", "container_stop", func(l quayLog) bool {
		return strings.Contains(fmt.Sprint(l.Metadata), "ifivefold")
	})
	var sums struct {
		Aggregated []struct {
			Kind  string
			Count int
		}
	}
	r.b.fetch(t, "/api/v1/repository/lgsd/diamond/aggregatelogs", "Authorization", "Bearer "+registryToken, &sums)
	pulls := 0
	for _, s := range sums.Aggregated {
		if s.Kind == "pull_repo" {
			pulls += s.Count
		}
	}
	if pulls != 1 {
		t.Errorf("aggregatelogs of lgsd/diamond = %v, want one pull_repo", sums.Aggregated)
	}
}

func (r *run) inHSS(t *testing.T, began time.Time) {
	for _, want := range []struct{ typ, name string }{
		{"image", "localhost:5000/lgsd/diamond"}, {"container", "fivefold"}, {"container", "ifivefold"},
	} {
		var page struct {
			Total int `json:"total_num"`
			Data  []struct {
				Name    string `json:"resource_name"`
				Type    string `json:"resource_type"`
				Event   string `json:"event_name"`
				Kind    string `json:"event_type"`
				Content string
				Time    int64
			} `json:"data_list"`
		}
		query := url.Values{"resource_type": {want.typ}, "resource_name": {want.name}, "limit": {"200"}, "start_time": {fmt.Sprint(began.UnixMilli())}}
		r.b.fetch(t, "/v5/default/container/image/events?"+query.Encode(), "X-Auth-Token", journalToken, &page)
		if page.Total == 0 || page.Total != len(page.Data) {
			t.Errorf("%s %s: total_num %d with %d events, want some", want.typ, want.name, page.Total, len(page.Data))
		}
		for _, e := range page.Data {
			if e.Name != want.name || e.Type != want.typ || e.Event == "" || e.Kind == "" || e.Content == "" || e.Time < began.UnixMilli() {
				t.Errorf("%s %s: %+v, want all members to say something", want.typ, want.name, e)
			}
		}
	}
}

func (r *run) inAOS(t *testing.T, after uint64, id string) {
	for _, want := range []struct{ filter, action string }{
		{"object_type=image&object_id=localhost:5000/lgsd/diamond:4.2", "image.pull"},
		{"object_type=container&object_id=" + id, "container.destroy"},
		{"object_type=container&user_name=root&message__contains=ifivefold", "container.stop"},
	} {
		var page struct {
			Journal []struct {
				ID     uint64
				Action string
				Status string
			}
		}
		r.b.fetch(t, fmt.Sprintf("/v1/journal/?id__gt=%d&action=%s&%s", after, want.action, want.filter), "X-Auth-Token", journalToken, &page)
		if len(page.Journal) == 0 {
			t.Errorf("the journal has no %s with %s after %d", want.action, want.filter, after)
		}
	}
}
