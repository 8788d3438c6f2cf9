package httpd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"shiplog/index"
)

// quayScope is whose records a request is about.
type quayScope struct {
	user string // not "": what belongs to this user's namespace or was done by the user
	ns   string // namespace, when user is ""
	repo string // a repository of ns; "": all of ns
}

// holds tells whether a record with these facets belongs to the scope.
func (o quayScope) holds(f *index.Facets) bool {
	switch {
	case o.user != "":
		return (f.NS == o.user || f.ActorName == o.user) && !serviceKeyKinds[quayKind(f.Action, f.Outcome)]
	case o.repo != "":
		return f.NS == o.ns && f.Repo == o.repo
	}
	return f.NS == o.ns
}

// quaySuper is the scope of a token that may do everything.
const quaySuper = "super:user"

// defaultNamespace is where a repository lives that is named without one.
const defaultNamespace = "library"

// scope finds out who asks for what, and whether that is allowed; family is one of the three.
func (q quay) scope(r *request, family string) (quayScope, error) {
	scope, _, err := q.admit(r, family)
	return scope, err
}

// admit is scope, and tells whose token it is. The error is 401 without a valid token, and 403 without the
// right, whether there is such a thing or not; only who would be allowed learns by a 404 that there is none.
func (q quay) admit(r *request, family string) (quayScope, Token, error) {
	t, err := q.s.tokenOf(r.Request, bearer(r.Header.Get("Authorization")))
	if errors.Is(err, errNoCredential) || errors.Is(err, errCredentials) {
		err = failf(http.StatusUnauthorized, "Requires authentication")
	}
	if err != nil {
		return quayScope{}, Token{}, err
	}
	scope := quayScopeOf(family, r.vars, t)
	if !q.allowed(t, family, scope) {
		return quayScope{}, Token{}, failf(http.StatusForbidden, "Unauthorized")
	}
	if scope.user == "" {
		there, err := q.exists(r.Context(), scope)
		if err != nil {
			return quayScope{}, Token{}, err
		}
		if !there {
			return quayScope{}, Token{}, failf(http.StatusNotFound, "Not Found")
		}
	}
	return scope, t, nil
}

// bearer is the token in an Authorization header; "": there is none.
func bearer(header string) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// quayScopeOf reads the scope out of a path. A repository is namespace/name, and all that follows belongs to
// the name.
func quayScopeOf(family string, vars []string, t Token) quayScope {
	switch family {
	case quayUser:
		return quayScope{user: t.User}
	case quayOrganization:
		return quayScope{ns: vars[0]}
	}
	ns, repo, ok := strings.Cut(vars[0], "/")
	if !ok {
		ns, repo = defaultNamespace, vars[0]
	}
	if repo == "" { // an escaped slash at the end: no repository, and not all of them either
		ns = ""
	}
	return quayScope{ns: ns, repo: repo}
}

// allowed tells whether the token has the scope that the family wants, and its user the right.
func (q quay) allowed(t Token, family string, scope quayScope) bool {
	super := slices.Contains(t.Scopes, quaySuper)
	switch family {
	case quayUser:
		return t.User != "" && (super || slices.Contains(t.Scopes, "user:admin"))
	case quayOrganization:
		return super || slices.Contains(t.Scopes, "org:admin") && q.administers(t, scope)
	}
	return super || slices.Contains(t.Scopes, "repo:admin") && q.administers(t, scope)
}

// administers tells whether the token's user administers the namespace or repository: an administrator of the
// box does all, a user the namespace of that name, and a token what it lists.
func (q quay) administers(t Token, scope quayScope) bool {
	if scope.ns != "" && scope.ns == t.User || slices.Contains(t.Namespaces, scope.ns) {
		return true
	}
	if scope.repo != "" && slices.Contains(t.Namespaces, scope.ns+"/"+scope.repo) {
		return true
	}
	u, ok := q.s.opts.Accounts.User(t.User)
	return ok && u.Admin
}

// exists tells whether the accounts name the namespace or repository, or a record carries it.
func (q quay) exists(ctx context.Context, scope quayScope) (bool, error) {
	if scope.ns == "" { // a record without a namespace is nobody's
		return false, nil
	}
	if q.s.opts.Accounts.namesNamespace(scope.ns, scope.repo) {
		return true, nil
	}
	page, err := q.s.opts.Index.Search(ctx, index.Query{Facets: scope.holds, Limit: 1})
	if err != nil {
		return false, fmt.Errorf("look for namespace %s: %w", scope.ns, err)
	}
	return len(page.Hits) > 0, nil
}
