package httpd

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shiplog/format"
)

func TestRoomOfAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, o := t.Context(), newRoom(1<<20, time.Second)
		var small, large, second, giant share
		for _, s := range []*share{&small, &large, &second, &giant} {
			s.of = o
		}
		refused := func(s *share, n int) bool {
			began := time.Now()
			err := s.take(ctx, n)
			e := asStatus(err)
			if err != nil && (e.status != http.StatusServiceUnavailable || e.header.Get("Retry-After") != "1" || time.Since(began) != time.Second) {
				t.Errorf("refused by %d %v after %v, want 503 with Retry-After 1 after a second", e.status, e.header, time.Since(began))
			}
			return err != nil
		}
		if refused(&large, smallAnswer+1<<20) {
			t.Error("an answer that fills the room is refused it while it is empty")
		}
		if refused(&small, smallAnswer) || o.used != 1<<20 {
			t.Errorf("a small answer waits, or took room: %d used", o.used)
		}
		if !refused(&small, 1) || !refused(&second, smallAnswer+1) {
			t.Error("the room was given twice")
		}
		if refused(&large, 64<<20) {
			t.Error("an answer that is alone is refused more than there is")
		}
		time.AfterFunc(time.Second/2, large.end)
		if err := giant.take(ctx, smallAnswer+2<<20); err != nil {
			t.Errorf("take() when all was given back meanwhile = %v", err)
		}
		var waiting sync.WaitGroup
		for range answerQueue {
			waiting.Go(func() { (&share{of: o}).take(ctx, 1<<20) })
		}
		synctest.Wait()
		began := time.Now()
		if err := second.take(ctx, 1<<20); err == nil || time.Since(began) != 0 {
			t.Errorf("take() behind %d that wait = %v after %v, want a refusal at once", answerQueue, err, time.Since(began))
		}
		waiting.Wait()
		giant.end()
		small.end()
		if o.used != 0 || refused(&second, smallAnswer+1<<20) {
			t.Errorf("%d bytes are used when all was given back", o.used)
		}
	})
}

// TestUnreadAnswersAreFew lets clients ask for long answers in all dialects and read none of them: what they hold
// is bounded, small answers are served meanwhile, long ones again afterwards.
func TestUnreadAnswersAreFew(t *testing.T) {
	const room = 4 << 20
	b := newBox(t, "", nil)
	b.server.room = newRoom(room, 100*time.Millisecond)
	for i := range 60 {
		b.append(&format.Record{Stream: format.StreamLog, Category: "image", Action: "image.pull", Msg: strings.Repeat("m", 30<<10), Project: testProject, Obj: format.Object{Type: "image", ID: fmt.Sprint(i)},
			Actor: format.Actor{Name: "admin", Type: format.ActorUser}})
	}
	cookie := b.cookie("admin")
	for _, target := range []string{"/api/v1/log?limit=1000", "/v5/" + testProject + "/container/image/events?limit=200", "/v1/journal/?limit=1000", "/api/v1/log/export"} {
		var held []net.Conn
		for range 24 {
			c := b.knock("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nCookie: " + cookie + "\r\nX-Auth-Token: tok-admin\r\n\r\n")
			_ = c.(*net.TCPConn).SetReadBuffer(4096)
			held = append(held, c)
		}
		refused := 0
		for _, c := range held {
			c.SetReadDeadline(time.Now().Add(patience))
			status, err := bufio.NewReaderSize(c, 16).ReadString('\n')
			if strings.HasPrefix(status, "HTTP/1.1 503 ") {
				refused++
			} else if !strings.HasPrefix(status, "HTTP/1.1 200 ") {
				t.Errorf("%s = %q %v, want 200 or 503", target, status, err)
			}
		}
		if refused == 0 {
			t.Errorf("%s: none of %d answers that nobody reads was refused", target, len(held))
		}
		if got := b.do("GET", "/api/v1/log?limit=1", "", "Cookie", cookie); got.status != 200 {
			t.Errorf("%s: a short list meanwhile = %d %s, want 200", target, got.status, cutText(got.body, 200))
		}
		for _, c := range held {
			c.Close()
		}
		got := reply{}
		for end := time.Now().Add(patience); got.status != 200 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			got = b.do("GET", target, "", "Cookie", cookie, "X-Auth-Token", "tok-admin")
		}
		if got.status != 200 {
			t.Errorf("%s afterwards = %d %s, want 200", target, got.status, cutText(got.body, 200))
		}
	}
}
