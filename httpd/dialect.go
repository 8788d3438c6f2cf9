package httpd

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// dialect is one vendor's API: where it lives, its routes, and the shape of its errors.
type dialect struct {
	name   string // for metrics
	prefix string // path prefix it owns, whole segments; of two that fit the longer one decides
	routes []route
	fail   func(w http.ResponseWriter, r *http.Request, e *statusError)
	begin  func(h http.Header, r *http.Request) // sets what every answer carries; nil: nothing
}

// handlerFunc answers a request, or returns an error and has written nothing.
type handlerFunc func(w http.ResponseWriter, r *request) error

// route is one path of a dialect. A segment `{name}` matches any one segment, `{name...}` one or more.
type route struct {
	method  string // GET matches HEAD too
	path    string // whole, with the prefix
	handler handlerFunc
	admit   func(*http.Request) error // refuses who may send no body here; nil: anybody may
	body    int64                     // bytes of a body that the handler gets; one more tells it that there were more
	slow    bool                      // may take as long as it has to; others end after limits.answer
}

// request is an http.Request with what routing found.
type request struct {
	*http.Request
	query params
	body  []byte
	vars  []string // decoded values of the route's {} parts, in order; segments of a {...} joined by slashes

	settings *settings // of this request, whatever is applied meanwhile
}

// sortDialects puts the longest prefix first.
func sortDialects(all []*dialect) []*dialect {
	slices.SortStableFunc(all, func(a, b *dialect) int { return len(b.prefix) - len(a.prefix) })
	return all
}

// dialectOf returns the dialect that owns path. The last one owns everything.
func dialectOf(all []*dialect, path string) *dialect {
	for _, d := range all {
		if rest, ok := strings.CutPrefix(path, d.prefix); ok && (rest == "" || rest[0] == '/') {
			return d
		}
	}
	return all[len(all)-1]
}

// find returns the route for a method and an escaped path. The error is a 404, or a 405 with Allow.
func (d *dialect) find(method, path string) (*route, []string, error) {
	var allow []string
	for i := range d.routes {
		rt := &d.routes[i]
		vars, ok := matchPath(rt.path, path)
		if !ok {
			continue
		}
		if rt.method == method || (rt.method == http.MethodGet && method == http.MethodHead) {
			return rt, vars, nil
		}
		if allow = append(allow, rt.method); rt.method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	if allow == nil {
		return nil, nil, failf(http.StatusNotFound, "Not found")
	}
	slices.Sort(allow)
	return nil, nil, failf(http.StatusMethodNotAllowed, "Method not allowed").with("Allow", strings.Join(slices.Compact(allow), ", "))
}

// matchPath compares segment by segment, so that an escaped slash stays inside its segment.
func matchPath(pattern, path string) (vars []string, ok bool) {
	for {
		want, moreWant, wantRest := cutSegment(pattern)
		have, moreHave, haveRest := cutSegment(path)
		if strings.HasSuffix(want, "...}") {
			return matchMany(wantRest, moreWant, path, vars)
		}
		text, err := url.PathUnescape(have)
		switch {
		case err != nil || moreWant != moreHave:
			return nil, false
		case strings.HasPrefix(want, "{"):
			if text == "" {
				return nil, false
			}
			vars = append(vars, text)
		case want != text:
			return nil, false
		}
		if !moreWant {
			return vars, true
		}
		pattern, path = wantRest, haveRest
	}
}

// matchMany matches one or more segments of path and then what the pattern goes on with, which holds no {}.
func matchMany(rest string, more bool, path string, vars []string) ([]string, bool) {
	if more {
		rest = "/" + rest
	}
	many, ok := strings.CutSuffix(path, rest)
	if !ok || many == "" {
		return nil, false
	}
	parts := strings.Split(many, "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil || text == "" {
			return nil, false
		}
		parts[i] = text
	}
	return append(vars, strings.Join(parts, "/")), true
}

func cutSegment(path string) (segment string, more bool, rest string) {
	segment, rest, more = strings.Cut(path, "/")
	return segment, more, rest
}
