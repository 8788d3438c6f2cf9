package httpd

import (
	"net/http"

	"shiplog/format"
)

// sessionCookie carries the session id; a published client looks for this very name.
const sessionCookie = "CS_SESS_ID"

// qnap is QNAP Container Station's "Log and Event" API. Its two versions differ in the names of the time
// parameters, the form of event messages and image events, and one member of the container info.
type qnap struct {
	s          *Server
	prefix     string
	start, end []string // names of the time parameters, the prefix's own first
	root       bool     // of the root prefix, whose form of event messages is a setting
	v1Info     bool     // no tcpPort
}

// qnapDialects are the three prefixes under which the API was found in the wild.
func qnapDialects(s *Server) []*dialect {
	v1 := qnap{s: s, start: []string{"time_start", "start"}, end: []string{"time_end", "end"},
		root: true, v1Info: true}
	v2 := qnap{s: s, start: []string{"start", "time_start"}, end: []string{"end", "time_end"}}
	return []*dialect{
		v1.dialect("qnap-v1", "/api/v1"),
		v2.dialect("qnap-v2", "/container-station/api/v1"),
		v2.dialect("qnap-v2", "/containerstation/api/v1"), // how it was spelt before 2020
	}
}

func (q qnap) dialect(name, prefix string) *dialect {
	q.prefix = prefix
	d := &dialect{name: name, prefix: prefix, fail: failJSON, routes: []route{
		{method: http.MethodPost, path: "/login", handler: q.login, body: maxLogin},
		{method: http.MethodGet, path: "/login_refresh", handler: q.session(q.refresh)},
		{method: http.MethodPut, path: "/logout", handler: q.session(q.logout)},
		{method: http.MethodGet, path: "/log", handler: q.session(q.list)},
		{method: http.MethodGet, path: "/log/export", handler: q.session(q.export), slow: true},
		{method: http.MethodGet, path: "/event", handler: q.session(q.events)},
		{method: http.MethodGet, path: "/event/wait/{type}/{id}/{state}", handler: q.session(q.wait), slow: true},
		{method: http.MethodGet, path: "/container", handler: q.session(q.containers)},
		{method: http.MethodGet, path: "/container/{type}/{id}", handler: q.session(q.container)},
	}}
	if q.s.opts.Append != nil {
		d.routes = append(d.routes, route{method: http.MethodDelete, path: "/log", handler: q.session(q.clear)})
	}
	for i := range d.routes {
		d.routes[i].path = prefix + d.routes[i].path
	}
	return d
}

// caller is who asks, by the session cookie.
type caller struct {
	identity
	session *session
}

// session wraps a handler that needs a login.
func (q qnap) session(handle func(http.ResponseWriter, *request, caller) error) handlerFunc {
	return func(w http.ResponseWriter, r *request) error {
		for _, c := range r.CookiesNamed(sessionCookie) {
			o, ok := q.s.sessions.find(c.Value)
			if !ok {
				continue
			}
			if who, ok := q.s.identify(o); ok {
				return handle(w, r, caller{who, o})
			}
			q.s.sessions.end(o)
		}
		return failf(http.StatusUnauthorized, "Unauthorized")
	}
}

// v1Events tells which form event messages have: Category:User:JSON and `from`, or else
// Category:User:Timestamp:JSON and `repository`.
func (q qnap) v1Events(r *request) bool {
	return q.root && r.settings.QNAPRootEventFormat == "v1"
}

// family is the engine a container type stands for: LXD and Incus run LXC containers and are reported so.
func family(typ string) (string, error) {
	switch typ {
	case "docker":
		return "docker", nil
	case "lxc", "lxd", "incus":
		return "lxc", nil
	}
	return "", failf(http.StatusBadRequest, "Invalid container type: docker and lxc are known")
}

// shownLevel maps every level to one of the three that the API knows.
func shownLevel(l format.Level) string {
	switch l {
	case format.LevelWarn, format.LevelError:
		return string(l)
	case "FATAL", "CRITICAL":
		return string(format.LevelError)
	}
	return string(format.LevelInfo)
}
