package httpd

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/google/uuid"
)

const journalPrefix = "/v1/journal"

// requestIDHeader names a request in OpenStack: an answer bears its own, a journal entry may bear the caller's.
const requestIDHeader = "X-Openstack-Request-Id"

// What Keystone's token middleware says; OpenStack clients show it to people.
const (
	unauthorizedText = "The request you have made requires authentication."
	forbiddenText    = "You are not authorized to perform the requested action."
)

// aos is AccentOS's journal API, aos-journal-api; TIONIX has the same one.
type aos struct{ s *Server }

// aosDialects is the journal under its one prefix. A final slash is optional everywhere and never redirected:
// a redirected POST loses its body.
func aosDialects(s *Server) []*dialect {
	a := aos{s}
	d := &dialect{name: "aos", prefix: journalPrefix, fail: failKeystone, begin: beginOpenStack}
	add := func(rt route) {
		d.routes = append(d.routes, rt)
		rt.path += "/"
		d.routes = append(d.routes, rt)
	}
	add(route{method: http.MethodGet, path: journalPrefix, handler: a.reader(a.list)})
	add(route{method: http.MethodGet, path: journalPrefix + "/count", handler: a.reader(a.count)}) // before {id}
	add(route{method: http.MethodGet, path: journalPrefix + "/{id}", handler: a.reader(a.entry)})
	if s.opts.Append != nil {
		add(route{method: http.MethodPost, path: journalPrefix, admit: a.mayPost, handler: a.post, body: s.limits.body})
	}
	return []*dialect{d}
}

// journalOnly is what a listener of the journal alone serves: the dialect, and /healthz. It owns every path.
func journalOnly(s *Server, all []*dialect) []*dialect {
	rest := &dialect{name: "aos", fail: failKeystone, begin: beginOpenStack,
		routes: []route{{method: http.MethodGet, path: "/healthz", handler: s.healthz}}}
	return []*dialect{dialectOf(all, journalPrefix), rest}
}

func beginOpenStack(h http.Header, _ *http.Request) {
	h.Set(requestIDHeader, "req-"+uuid.NewString())
}

// failKeystone writes e as OpenStack's services do: the shape of Keystone's errors.
func failKeystone(w http.ResponseWriter, _ *http.Request, e *statusError) {
	var b struct {
		Error struct {
			Code    int    `json:"code"`
			Title   string `json:"title"`
			Message string `json:"message"`
		} `json:"error"`
	}
	title := http.StatusText(e.status)
	if title == "" {
		title = strconv.Itoa(e.status)
	}
	b.Error.Code, b.Error.Title, b.Error.Message = e.status, title, e.message
	_ = writeCompact(w, e.status, b) // cannot fail: an int and two strings
}

// authorize returns the token of r when it has one of roles.
func (a aos) authorize(r *http.Request, roles ...string) (Token, error) {
	t, err := a.s.tokenOf(r, r.Header.Get("X-Auth-Token"))
	switch {
	case errors.Is(err, errNoCredential), errors.Is(err, errCredentials):
		return t, failf(http.StatusUnauthorized, unauthorizedText).
			with("WWW-Authenticate", `Keystone uri="`+a.s.opts.Accounts.KeystoneURI()+`"`)
	case err != nil:
		return t, err
	case !t.may(roles...):
		return t, failf(http.StatusForbidden, forbiddenText)
	}
	return t, nil
}

// reader wraps a handler for those who may read.
func (a aos) reader(handle func(http.ResponseWriter, *request, Token) error) handlerFunc {
	return func(w http.ResponseWriter, r *request) error {
		t, err := a.authorize(r.Request, roleReader)
		if err != nil {
			return err
		}
		return handle(w, r, t)
	}
}
