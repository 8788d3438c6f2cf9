package httpd

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"time"
)

// credentials are what a login sent: name and password, or a token.
type credentials struct {
	name, password string
	token          string
}

// identity is who a request acts for.
type identity struct {
	name  string
	admin bool
}

var (
	errCredentials  = errors.New("wrong user name or password")
	errSecondFactor = errors.New("this account requires a second factor, which this server cannot ask for")
)

// tooManyFailures refuses a source that guesses.
type tooManyFailures struct{ wait time.Duration }

// Error implements error.
func (e tooManyFailures) Error() string { return "too many failed logins from this address" }

// login checks c, keeps guessing slow and writes the auth record. The session it returns is not opened yet.
func (s *Server) login(r *http.Request, c credentials) (session, error) {
	n, delay, err := s.tryLogin(r.Context(), sourceKey(r.RemoteAddr), c)
	switch {
	case err == nil:
		s.metrics.logins.WithLabelValues("success").Inc()
		s.auth.login(r, n.user, nil)
	case errors.Is(err, errSecondFactor):
		s.metrics.logins.WithLabelValues("failure").Inc()
		s.auth.login(r, c.name, err)
	case errors.Is(err, errCredentials):
		s.metrics.logins.WithLabelValues("failure").Inc()
		s.auth.login(r, c.name, err)
		s.limiter.hold(delay, r.Context().Done(), s.closing.Done())
	}
	return n, err
}

// tryLogin has one of the two hashing slots while it looks at the limiter, at the credentials, and counts a
// failure: of many guesses sent at once no more than ten and the one in the other slot are ever tried.
func (s *Server) tryLogin(ctx context.Context, source string, c credentials) (n session, delay time.Duration, err error) {
	if wait := s.limiter.blocked(source); wait > 0 {
		return n, 0, tooManyFailures{wait}
	}
	hasher := s.opts.Accounts.hasher
	if err := hasher.acquire(ctx); err != nil {
		return n, 0, err
	}
	defer hasher.release()
	if wait := s.limiter.blocked(source); wait > 0 {
		return n, 0, tooManyFailures{wait}
	}
	if c.token != "" {
		n, err = s.loginToken(c.token)
	} else {
		n, err = s.loginPassword(c)
	}
	if errors.Is(err, errCredentials) {
		delay = s.limiter.failed(source, c.name) // "" stands for all tokens
	}
	return n, delay, err
}

// loginPassword checks a password. The caller has a hashing slot.
func (s *Server) loginPassword(c credentials) (session, error) {
	a := s.opts.Accounts
	st := a.current()
	i, known := st.users[c.name]
	hash := a.nobody
	if known {
		hash = st.hashes[i]
	}
	if right := hash.verify(c.password); !right || !known {
		return session{}, errCredentials
	}
	if st.file.Users[i].SecondFactor {
		return session{}, errSecondFactor
	}
	return session{user: c.name, hash: st.file.Users[i].Password}, nil
}

// loginToken opens a session for the user of a pre-issued token.
func (s *Server) loginToken(secret string) (session, error) {
	sum := sha256.Sum256([]byte(secret))
	t, ok := s.opts.Accounts.tokenBySum(sum, s.opts.Now())
	if !ok {
		return session{}, errCredentials
	}
	return session{user: t.User, token: &sum}, nil
}

// identify tells who a session acts for now: an account that was removed, a password that was changed and a
// token that expired end it. A token never gives more than its roles.
func (s *Server) identify(o *session) (identity, bool) {
	a := s.opts.Accounts
	if o.token != nil {
		t, ok := a.tokenBySum(*o.token, s.opts.Now())
		if !ok {
			return identity{}, false
		}
		u, known := a.User(t.User)
		return identity{name: t.User, admin: slices.Contains(t.Roles, "admin") && (u.Admin || !known)}, true
	}
	st := a.current()
	i, ok := st.users[o.user]
	if !ok || st.file.Users[i].Password != o.hash {
		return identity{}, false
	}
	return identity{name: o.user, admin: st.file.Users[i].Admin}, true
}
