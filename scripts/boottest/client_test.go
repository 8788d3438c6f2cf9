package boottest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	base = "http://127.0.0.1:7446" // within the guest
	v2   = "/container-station/api/v1"
)

// client is one that speaks to shiplog within the guest: with the session of a login and with a token.
type client struct {
	g     *guest
	http  *http.Client
	token string

	password string
}

// newClient logs in to the single unit and takes a token.
func newClient(t *testing.T, g *guest, password string) *client {
	t.Helper()
	c := &client{g: g, http: g.client(t), password: password}
	if err := c.login(); err != nil {
		t.Fatal(err)
	}
	out := g.do(t, "shiplog token add --data "+data+" --user admin --project p1 --role admin 2>/dev/null")
	if c.token = out; len(out) < 20 || strings.ContainsAny(out, " \n") {
		t.Fatalf("shiplog token add printed %q, want a token alone", out)
	}
	return c
}

// client is a http client in the guest's network.
func (g *guest) client(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: g.dial, MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Jar: jar, Timeout: long, Transport: transport}
}

func (c *client) login() error {
	resp, err := c.http.PostForm(base+v2+"/login", url.Values{"username": {"admin"}, "password": {c.password}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		return fmt.Errorf("login = %s: %s", resp.Status, text)
	}
	return nil
}

// call sends a request and gives status and body; 0 and the error's text when there is no answer. A session ends
// with the server's process, so it logs in again.
func (c *client) call(method, path, body string) (int, string) {
	status, text := c.send(method, path, body)
	if status == http.StatusUnauthorized && strings.HasPrefix(path, v2) && c.login() == nil {
		return c.send(method, path, body)
	}
	return status, text
}

func (c *client) send(method, path, body string) (int, string) {
	req, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error()
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if strings.HasPrefix(path, "/v1/") {
		req.Header.Set("X-Auth-Token", c.token)
	}
	return c.answer(req)
}

func (c *client) answer(req *http.Request) (int, string) {
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(text)
}

// get wants 200 and gives the body.
func (c *client) get(t testing.TB, path string) string {
	t.Helper()
	status, body := c.call(http.MethodGet, path, "")
	if status != http.StatusOK {
		t.Fatalf("GET %s = %d: %s", path, status, body)
	}
	return body
}

// awaitReady waits until the server says that it is ready.
func (c *client) awaitReady(t testing.TB) {
	t.Helper()
	eventually(t, "/readyz does not answer 200", func() bool {
		status, _ := c.call(http.MethodGet, "/readyz", "")
		return status == http.StatusOK
	})
}

// post writes one record through the journal API and tells whether it was acknowledged.
func (c *client) post(text string) bool {
	body := fmt.Sprintf(`{"journal": {"object_type": "boottest", "object_id": "boottest", "action": "boottest.write", "status": "success", "message": %q}}`, text)
	status, _ := c.call(http.MethodPost, "/v1/journal/", body)
	return status == http.StatusOK || status == http.StatusCreated
}

// count is how many records the journal API has of those that post wrote.
func (c *client) count(t testing.TB) int {
	t.Helper()
	var answer struct{ Count int }
	if body := c.get(t, "/v1/journal/count?object_id=boottest"); json.Unmarshal([]byte(body), &answer) != nil {
		t.Fatalf("count = %s", body)
	}
	return answer.Count
}

// wait asks event/wait for a container and gives the state that it answers with.
func (c *client) wait(engine, name, state string, d time.Duration) (string, error) {
	return c.state(fmt.Sprintf("/event/wait/%s/%s/%s?duration=%d", engine, name, state, int(d.Seconds())))
}

// state gives the state of a container that the answer to a request tells.
func (c *client) state(path string) (string, error) {
	path = v2 + path
	status, body := c.call(http.MethodGet, path, "")
	var info struct{ State string }
	if status != http.StatusOK || json.Unmarshal([]byte(body), &info) != nil {
		return "", fmt.Errorf("GET %s = %d: %s", path, status, body)
	}
	return info.State, nil
}

// sendRecords writes records to the agent's socket over one connection, and calls acked with the text of each
// that was answered with its number, until it may not go on or the connection ends.
func (g *guest) sendRecords(socket string, next func() (string, bool), acked func(string)) error {
	conn, err := g.dial(context.Background(), "unix", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(long))
	answers := bufio.NewReader(conn)
	for {
		text, more := next()
		if !more {
			return nil
		}
		if _, err := fmt.Fprintf(conn, `{"category":"boottest","msg":%q}`+"\n", text); err != nil {
			return err
		}
		line, err := answers.ReadString('\n')
		if err != nil {
			return err
		}
		if !strings.HasPrefix(line, `{"seq":`) {
			return fmt.Errorf("the agent's socket answered %s", line)
		}
		acked(text)
	}
}

// record is one line of the files, read without any of shiplog's code.
type record struct {
	Seq                      uint64
	Stream, Category, Action string
	Engine, Msg              string
	Obj                      struct{ Name string }
}

// records reads all of a data directory of the guest, as cat and jq would. A line that is being written is left out.
func (g *guest) records(t testing.TB, data string) []record {
	t.Helper()
	lines := json.NewDecoder(strings.NewReader(g.do(t, "cat "+data+"/log/[0-9]*.jsonl")))
	var all []record
	for {
		var r record
		switch err := lines.Decode(&r); {
		case err == nil:
			all = append(all, r)
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return all
		default:
			t.Fatalf("record %d of %s: %v", len(all)+1, data, err)
		}
	}
}
