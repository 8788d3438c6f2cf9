package torturetest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"
)

// answerWithin bounds one request, so that a process that hangs fails the test and does not hang it.
const answerWithin = 20 * time.Second

// clients write to one process until stop is closed.
type clients struct {
	l    *ledger
	url  string
	sock string

	stop chan struct{}
	wg   sync.WaitGroup

	mu  sync.Mutex
	odd string // guarded by mu; an answer that no client may get
}

// startClients lets two write to the journal, two to the socket, and one clear the log.
func startClients(b *box, l *ledger) *clients {
	c := &clients{l: l, url: b.url, sock: b.dir + "/agent.sock", stop: make(chan struct{})}
	for range 2 {
		c.wg.Go(func() { c.again(c.post) })
		c.wg.Go(func() { c.again(c.send) })
	}
	c.wg.Go(func() { c.again(c.clear) })
	return c
}

// end waits for all clients and returns an answer that was not expected.
func (c *clients) end() string {
	close(c.stop)
	c.wg.Wait()
	return c.odd
}

// again connects as often as it has to.
func (c *clients) again(one func(more func() bool) error) {
	more := func() bool {
		select {
		case <-c.stop:
			return false
		default:
			return true
		}
	}
	for more() {
		if one(more) != nil {
			select {
			case <-c.stop:
			case <-time.After(20 * time.Millisecond): // the process is gone, or refuses
			}
		}
	}
}

// unexpected notes an answer that is neither an acknowledgement nor a refusal. Of a disk that is gone anything may be said.
func (c *clients) unexpected(what string, status int, body []byte) {
	if !c.l.counts() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.odd = fmt.Sprintf("%s = %d %s", what, status, body)
}

// padded makes a text long enough that some hundred fill a segment.
func padded(text string) string {
	return text + strings.Repeat("x", 200+rand.IntN(800))
}

func (c *clients) post(more func() bool) error {
	client := &http.Client{Timeout: answerWithin, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for more() {
		text := c.l.text()
		body := fmt.Sprintf(`{"journal": {"object_type": "torture", "object_id": "torture", "action": "torture.write", "status": "success", "message": %q}}`, padded(text))
		req, err := http.NewRequest(http.MethodPost, c.url+"/v1/journal/", strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("X-Auth-Token", token)
		req.Header.Set("Content-Type", "application/json")
		status, answer, err := do(client, req)
		if err != nil {
			return err
		}
		var made struct{ Journal struct{ ID uint64 } }
		switch {
		case status == http.StatusServiceUnavailable || status == http.StatusInsufficientStorage:
			return fmt.Errorf("refused with %d", status)
		case status/100 != 2 || json.Unmarshal(answer, &made) != nil || made.Journal.ID == 0:
			c.unexpected("POST /v1/journal/", status, answer)
			return fmt.Errorf("answered with %d", status)
		}
		c.l.ack(made.Journal.ID, text)
	}
	return nil
}

// send writes to the socket as a program would that knows nothing of shiplog but README.
func (c *clients) send(more func() bool) error {
	conn, err := net.DialTimeout("unix", c.sock, answerWithin)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for more() {
		text := c.l.text()
		if err := conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(conn, `{"category":"test","msg":%q}`+"\n", padded(text)); err != nil {
			return err
		}
		line, err := answers.ReadBytes('\n')
		if err != nil {
			return err
		}
		var answer struct {
			Seq   uint64
			Error string
		}
		if err := json.Unmarshal(line, &answer); err != nil {
			c.unexpected("agent.sock", 0, line)
			return err
		}
		if answer.Seq == 0 {
			return fmt.Errorf("refused: %s", answer.Error)
		}
		c.l.ack(answer.Seq, text)
	}
	return nil
}

// clear logs in and clears the log now and then.
func (c *clients) clear(more func() bool) error {
	client, err := login(c.url)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	for more() {
		after := c.l.newest()
		req, err := http.NewRequest(http.MethodDelete, c.url+v2+"/log", nil)
		if err != nil {
			return err
		}
		status, answer, err := do(client, req)
		switch {
		case err != nil:
			return err
		case status == http.StatusOK:
			c.l.cleared(after)
		case status == http.StatusServiceUnavailable || status == http.StatusInsufficientStorage:
			return fmt.Errorf("refused with %d", status)
		default:
			c.unexpected("DELETE "+v2+"/log", status, answer)
			return fmt.Errorf("answered with %d", status)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return nil
}

// login returns a client with a session.
func login(base string) (*http.Client, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: answerWithin, Jar: jar, Transport: &http.Transport{}}
	resp, err := client.PostForm(base+v2+"/login", url.Values{"username": {"admin"}, "password": {password}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("login = %s", resp.Status)
	}
	return client, nil
}

// do returns the whole answer.
func do(client *http.Client, req *http.Request) (int, []byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return resp.StatusCode, body, err
}
