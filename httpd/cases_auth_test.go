package httpd

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// signHuawei signs a request as the vendor's SDK does and returns the headers to send.
func signHuawei(r caseRequest, ak, sk string, now time.Time) []string {
	date := now.UTC().Format("20060102T150405Z")
	const signed = "x-sdk-date"
	canonical := r.Method + "\n" + canonicalPath(r.Path) + "\n" + canonicalQuery(r.Query) + "\n" +
		signed + ":" + date + "\n\n" + signed + "\n" + hexSum(r.Body)
	mac := hmac.New(sha256.New, []byte(sk))
	io.WriteString(mac, "SDK-HMAC-SHA256\n"+date+"\n"+hexSum(canonical))
	return []string{"X-Sdk-Date", date, "Authorization",
		fmt.Sprintf("SDK-HMAC-SHA256 Access=%s, SignedHeaders=%s, Signature=%s", ak, signed, hex.EncodeToString(mac.Sum(nil)))}
}

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func percent(s string) string {
	return strings.NewReplacer("+", "%20", "%7E", "~", "*", "%2A").Replace(url.QueryEscape(s))
}

func canonicalPath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = percent(unescape(parts[i]))
	}
	return strings.TrimSuffix(strings.Join(parts, "/"), "/") + "/"
}

func canonicalQuery(query string) string {
	if query == "" {
		return ""
	}
	var pairs []string
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, percent(unescape(name))+"="+percent(unescape(value)))
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// caseCallback is what a receiver must be sent.
type caseCallback struct {
	JSON     json.RawMessage
	Replies  []int
	Download *struct{ JSON json.RawMessage }
}

// callbackReceiver takes what a server sends to a callback URL.
type callbackReceiver struct {
	url string

	mu      sync.Mutex
	replies []int
	bodies  []string
}

func newCallbackReceiver(t *testing.T) *callbackReceiver {
	c := &callbackReceiver{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.bodies = append(c.bodies, string(body))
		if len(c.replies) > 0 {
			w.WriteHeader(c.replies[0])
			c.replies = c.replies[1:]
		}
	}))
	t.Cleanup(s.Close)
	c.url = s.URL
	return c
}

// check waits for the message with status success, then looks at it and at what it offers to download.
func (c *callbackReceiver) check(run *caseRun, want *caseCallback) []string {
	c.mu.Lock()
	c.replies = want.Replies
	c.mu.Unlock()
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		c.mu.Lock()
		bodies := slices.Clone(c.bodies)
		c.mu.Unlock()
		for _, body := range slices.Backward(bodies) {
			var m struct {
				Status string
				URL    string `json:"exported_data_url"`
			}
			if json.Unmarshal([]byte(body), &m) != nil || m.Status != "success" {
				continue
			}
			diffs := append(matchJSON(run.resolve(want.JSON), body, false), againstSchema(run.t, "QuayCallback", body)...)
			if u, err := url.Parse(m.URL); want.Download != nil && err == nil {
				got := run.do("GET", u.RequestURI(), "")
				diffs = append(diffs, matchJSON(run.resolve(want.Download.JSON), got.body, false)...)
			}
			return diffs
		}
	}
	return []string{"callback: no message with status success"}
}

// resolve puts members of earlier answers into wanted JSON.
func (run *caseRun) resolve(want json.RawMessage) json.RawMessage {
	return json.RawMessage(run.substitute(string(want)))
}
