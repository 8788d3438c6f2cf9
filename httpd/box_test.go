package httpd

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
	"shiplog/format"
	"shiplog/index"
)

// box is a data directory with a writer, an index, accounts, a made-up engine and a server on a real port.
type box struct {
	t      *testing.T
	dir    string
	engine *fakeEngine
	tweak  func(*Options)
	split  bool // what the agent does goes over a socket, as between two processes

	writer *format.Writer
	index  *index.Index
	server *Server
	url    string
	stop   func() // ends the server and what it works with
	client *http.Client
}

// newBox starts a box whose log holds the fixture (a file name in testdata/contract; "": an empty log).
func newBox(t *testing.T, fixture string, tweak func(*Options)) *box {
	t.Helper()
	return newBoxIn(t, os.Getenv("SHIPLOG_TEST_SPLIT") != "", fixture, tweak)
}

// newBoxIn is newBox in one of the two set-ups: in one process, or split into two. SHIPLOG_TEST_SPLIT=1 splits
// the boxes of all tests.
func newBoxIn(t *testing.T, split bool, fixture string, tweak func(*Options)) *box {
	t.Helper()
	b := &box{t: t, dir: t.TempDir(), engine: &fakeEngine{}, tweak: tweak, split: split,
		client: &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if err := os.WriteFile(filepath.Join(b.dir, "accounts.json"), contractAccounts(t), 0o600); err != nil {
		t.Fatal(err)
	}
	b.openWriter()
	if fixture != "" {
		b.restore(filepath.Join("testdata", "contract", fixture))
	}
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

// contractAccounts returns the accounts file of the contract cases, which is made once: hashing passwords takes
// its time.
var contractAccounts = func() func(*testing.T) []byte {
	var once sync.Once
	var data []byte
	return func(t *testing.T) []byte {
		once.Do(func() {
			path := filepath.Join(t.TempDir(), "accounts.json")
			a, err := LoadAccounts(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(filepath.Join("testdata", "contract", "accounts.json"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := a.Apply(f); err != nil {
				t.Fatal(err)
			}
			if err := a.change(cheapHashes); err != nil {
				t.Fatal(err)
			}
			if data, err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		})
		return data
	}
}()

// passwords are those of the contract cases' accounts.
var passwords = map[string]string{"admin": "admin-pw", "alice": "p@ss+1"}

// cheapHashes makes logins quick: hundreds of them would take most of the tests' time.
func cheapHashes(f *accountFile) error {
	for i := range f.Users {
		u, salt := &f.Users[i], []byte("0123456789abcdef")
		key := argon2.IDKey([]byte(passwords[u.Name]), salt, 1, 8, 1, 32)
		u.Password = "$argon2id$v=19$m=8,t=1,p=1$" + base64.RawStdEncoding.EncodeToString(salt) + "$" + base64.RawStdEncoding.EncodeToString(key)
	}
	return nil
}

func (b *box) openWriter() {
	b.t.Helper()
	w, err := format.Open(b.dir, format.Options{KeepFree: -1})
	if err != nil {
		b.t.Fatal(err)
	}
	b.writer = w
}

// restore puts the records of a file into the log as they are.
func (b *box) restore(path string) {
	b.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r format.Record
		if err := format.ParseLine(lines.Bytes(), &r); err != nil {
			b.t.Fatal(err)
		}
		if err := b.writer.Restore(&r); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		b.t.Fatal(err)
	}
}

// start serves the directory on a fresh port.
func (b *box) start() {
	b.t.Helper()
	if b.writer == nil {
		b.openWriter()
	}
	x, err := index.Open(b.dir, index.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	accounts, err := LoadAccounts(filepath.Join(b.dir, "accounts.json"))
	if err != nil {
		b.t.Fatal(err)
	}
	o := Options{Index: x, Accounts: accounts, Append: b.writer.Append, Inspect: b.engine.inspect, List: b.engine.list,
		Keys: filepath.Join(b.dir, "keys"), Exports: filepath.Join(b.dir, "exports"),
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if b.tweak != nil {
		b.tweak(&o)
	}
	stopSocket := func() {}
	if b.split {
		stopSocket = b.overSocket(&o)
	}
	s, err := New(o)
	if err != nil {
		b.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() {
		if err := b.writer.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			b.t.Errorf("writer: %v", err)
		}
	})
	run.Go(func() {
		if err := s.Run(ctx, ln); err != nil {
			b.t.Errorf("server: %v", err)
		}
	})
	b.index, b.server, b.url = x, s, "http://"+ln.Addr().String()
	b.stop = sync.OnceFunc(func() {
		cancel()
		run.Wait()
		stopSocket()
		b.client.CloseIdleConnections()
		if err := errors.Join(x.Close(), b.writer.Close()); err != nil {
			b.t.Errorf("close: %v", err)
		}
		b.writer = nil
	})
}

// restart ends the server in order and starts it again on the same directory.
func (b *box) restart() {
	b.stop()
	b.start()
}

// append writes one record and returns its seq.
func (b *box) append(r *format.Record) uint64 {
	b.t.Helper()
	if err := b.writer.Append(context.Background(), r); err != nil {
		b.t.Fatal(err)
	}
	return r.Seq
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

// do sends one request and holds the answer to openapi.yaml; headers are alternating names and values.
func (b *box) do(method, path, body string, headers ...string) reply {
	b.t.Helper()
	req, err := http.NewRequest(method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	began := time.Now()
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatalf("%s %s: read answer: %v", method, path, err)
	}
	got := reply{res.StatusCode, res.Header, string(data), time.Since(began)}
	b.hold(method, path, got)
	b.discreet(method+" "+cutText(path, 200), got.body)
	return got
}

// cookie logs a user of the contract cases in and returns the Cookie header's value.
func (b *box) cookie(user string) string {
	b.t.Helper()
	r := b.do("POST", "/container-station/api/v1/login", `{"username":"`+user+`","password":"`+passwords[user]+`"}`)
	if r.status != 200 {
		b.t.Fatalf("login %s = %d %s, want 200", user, r.status, r.body)
	}
	value, _, _ := strings.Cut(r.header.Get("Set-Cookie"), ";")
	return value
}

// fakeEngine answers for containers that do not exist.
type fakeEngine struct {
	mu         sync.Mutex
	containers []format.Container // guarded by mu
	err        error              // guarded by mu; what every inquiry fails with
	inquiries  int                // guarded by mu
}

func (e *fakeEngine) inspect(_ context.Context, typ, id string) (format.Container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inquiries++; e.err != nil {
		return format.Container{}, e.err
	}
	var found []format.Container
	for _, c := range e.containers {
		if c.Type == typ && (c.ID == id || c.Name == id) {
			return c, nil
		}
		if c.Type == typ && typ == "docker" && strings.HasPrefix(c.ID, id) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return format.Container{}, format.ErrNoContainer
	case 1:
		return found[0], nil
	}
	return format.Container{}, format.ErrAmbiguous
}

func (e *fakeEngine) list(context.Context) ([]format.Container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]format.Container(nil), e.containers...), e.err
}

// change puts, replaces or (with state "") removes a container.
func (e *fakeEngine) change(c format.Container) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, o := range e.containers {
		if o.Type == c.Type && o.ID == c.ID {
			if c.State == "" {
				e.containers = append(e.containers[:i], e.containers[i+1:]...)
			} else {
				e.containers[i] = c
			}
			return
		}
	}
	if c.State != "" {
		e.containers = append(e.containers, c)
	}
}

// asked is how many inquiries there were.
func (e *fakeEngine) asked() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.inquiries
}

func (e *fakeEngine) fail(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.err = err
}

// report appends the event an agent writes when a container changes.
func (b *box) report(c format.Container, verb string) {
	b.t.Helper()
	if err := b.writer.Write(containerEvent(c, verb)); err != nil {
		b.t.Error(err)
	}
}

func containerEvent(c format.Container, verb string) *format.Record {
	return &format.Record{Stream: format.StreamEvent, Eseq: format.NextEseq, Category: "container", Action: "container." + verb,
		Time: time.Now(), Actor: format.Actor{Type: format.ActorEngine}, Engine: format.Engine(c.Type),
		Obj: format.Object{Type: "container", ID: c.ID, Name: c.Name}}
}
