package httpd

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"
)

// TestLargeBodiesAreFewAtATime lets more clients send large bodies than may, none of which comes to its end:
// small ones are taken meanwhile, and who has no credential is refused before a body is read.
func TestLargeBodiesAreFewAtATime(t *testing.T) {
	b := newBox(t, "", func(o *Options) { o.limits = limits{turn: 300 * time.Millisecond} })
	head := "POST /v1/journal/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n"
	for range largeBodies {
		b.knock(head + "X-Auth-Token: tok-admin\r\n\r\n{")
	}
	until(t, "the large bodies are let in", patience, func() bool { return b.server.large.taken() == largeBodies })
	if got := statusLine(t, b.knock(head+"X-Auth-Token: tok-admin\r\n\r\n{")); got != "HTTP/1.1 503 Service Unavailable" {
		t.Errorf("one large body more = %q, want 503", got)
	}
	if got := statusLine(t, b.knock(head+"X-Auth-Token: guess\r\n\r\n{")); got != "HTTP/1.1 401 Unauthorized" {
		t.Errorf("a large body with a wrong token = %q, want 401", got)
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			body := fmt.Sprintf(`{"journal":{"object_id":"o%d","action":"a","status":"success"}}`, i)
			if got := b.do(http.MethodPost, "/v1/journal/", body, "X-Auth-Token", "tok-admin"); got.status != 201 {
				t.Errorf("a small body = %d %s, want 201", got.status, got.body)
			}
		})
	}
	all.Wait()
}
