package httpd

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
)

// Roles of a token in the OpenStack dialects.
const (
	roleAdmin   = "admin"   // everything, in all projects
	roleService = "service" // may write in another's name
	roleWriter  = "writer"
	roleReader  = "reader"
)

// errNoCredential says that a request names nobody.
var errNoCredential = errors.New("no credential")

// tokenOf tells whom a token of r stands for. The error is errNoCredential for no token, errCredentials for
// one that is unknown or expired, and tooManyFailures for an address that tries one token after the other.
func (s *Server) tokenOf(r *http.Request, secret string) (Token, error) {
	if secret == "" {
		return Token{}, errNoCredential
	}
	sum := sha256.Sum256([]byte(secret))
	source := sourceKey(r.RemoteAddr)
	if wait := s.guesses.blocked(source, sum); wait > 0 {
		return Token{}, tooManyFailures{wait}
	}
	t, ok := s.opts.Accounts.tokenBySum(sum, s.opts.Now())
	if !ok {
		s.guesses.failed(source, sum)
		return Token{}, errCredentials
	}
	return t, nil
}

// may tells whether a token has one of roles; an administrator's has all.
func (t Token) may(roles ...string) bool {
	return slices.Contains(t.Roles, roleAdmin) || slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(t.Roles, r) })
}

// projectOf is the project of a record: the one it names, or the box's own.
func (s *settings) projectOf(named string) string {
	if named == "" {
		return s.Project
	}
	return named
}
