package httpd

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestApplyTakesAllOrNothing(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.Hosts = []string{"a.lan"} })
	knows := func(host string, want int) {
		t.Helper()
		if got := b.do("GET", "/healthz", "", "Host", host); got.status != want {
			t.Errorf("GET /healthz of %s = %d, want %d", host, got.status, want)
		}
	}
	for name, set := range map[string]Settings{
		"an event form":          {QNAPRootEventFormat: "v3"},
		"a delay before now":     {ExportRetryDelay: -time.Second},
		"a delay of days":        {ExportRetryDelay: 48 * time.Hour},
		"a status":               {QuayExportStatus: 202},
		"a public URL":           {PublicURL: "logs.lan"},
		"an allowed host":        {ExportAllowedHosts: []string{"a b"}},
		"a host":                 {Hosts: []string{"a.lan:80"}},
		"a mail server":          {SMTP: &SMTP{Addr: "mail.lan", From: "a@b.c"}},
		"a sender":               {SMTP: &SMTP{Addr: "mail.lan:25", From: "nobody"}},
		"a user and no password": {SMTP: &SMTP{Addr: "mail.lan:25", From: "a@b.c", Username: "box"}},
	} {
		if set.Hosts == nil {
			set.Hosts = []string{"b.lan"}
		}
		if err := b.server.Apply(set); err == nil || set.Check() == nil {
			t.Errorf("Apply with %s that cannot be = %v, want an error, of Check too", name, err)
		}
		knows("a.lan", 200)
		knows("b.lan", 421)
	}
	hosts := []string{" B.lan. "}
	if err := b.server.Apply(Settings{Hosts: hosts}); err != nil {
		t.Fatal(err)
	}
	knows("a.lan", 421)
	knows("b.lan", 200)
	if hosts[0] != " B.lan. " {
		t.Errorf("Apply made %q of the caller's list", hosts[0])
	}
}

// TestARequestSeesOneSet applies two sets in turn while requests run that show two settings each.
func TestARequestSeesOneSet(t *testing.T) {
	b := quayBox(t, "fixture-quay.jsonl", nil)
	sets := []Settings{{QuayExportStatus: 200, PublicURL: "https://one.lan"}, {QuayExportStatus: 201, PublicURL: "https://two.lan"}}
	if err := b.server.Apply(sets[0]); err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			default:
			}
			if err := b.server.Apply(sets[i%2]); err != nil {
				t.Error(err)
			}
		}
	})
	want := map[string]string{}
	for range 12 { // fewer than one user may have at a time
		got := b.do("POST", "/api/v1/user/exportlogs", `{}`, "Authorization", "Bearer tok-admin", "Content-Type", "application/json")
		base, ok := map[int]string{200: "https://one.lan", 201: "https://two.lan"}[got.status]
		if !ok {
			t.Fatalf("POST exportlogs = %d %s, want 200 or 201", got.status, got.body)
		}
		want[strings.Split(got.body, `"`)[3]] = base
	}
	close(end)
	work.Wait()
	x := b.server.exports
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, base := range want {
		if j := x.jobs[id]; j == nil || j.Base != base {
			t.Errorf("job %s = %+v, want the base %s that goes with its status", id, j, base)
		}
	}
}

func TestANewDelayMakesWaitingMessagesDue(t *testing.T) {
	const own = "/api/v1/user/exportlogs"
	b := quayBox(t, "fixture-quay.jsonl", func(o *Options) {
		allowLoopback(o)
		o.ExportRetryDelay = 24 * time.Hour
	})
	var tries atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if tries.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(receiver.Close)
	id := b.order(own, fmt.Sprintf(`{"callback_url":%q}`, receiver.URL+"/"))
	b.until(id, "waiting to try again", func(j *exportJob) bool { return !j.Callback.Next.IsZero() })
	var set Options
	allowLoopback(&set)
	if err := b.server.Apply(set.Settings); err != nil {
		t.Fatal(err)
	}
	b.until(id, "done", func(j *exportJob) bool { return j.State == exportDone })
}
