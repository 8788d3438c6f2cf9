package httpd

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"sync"
	"time"
)

const (
	sessionLife     = 60 * time.Minute // since the last request
	sessionsPerUser = 64               // the oldest gives way
	sessionsTotal   = 4096
	sessionBytes    = 32 // of randomness in a session id
)

// session is one login. It is never changed after it was made, but for seen.
type session struct {
	sum   [sha256.Size]byte // of the id; the id itself is not kept
	user  string
	hash  string             // the password hash the login relied on: when it changes the session is over
	token *[sha256.Size]byte // or the token it relied on, hashed; nil: a password
	login time.Time
	seen  time.Time // guarded by sessions.mu
}

// sessions are the logins of this process. They end with it.
type sessions struct {
	now func() time.Time

	mu  sync.Mutex
	all map[[sha256.Size]byte]*session // guarded by mu
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, all: map[[sha256.Size]byte]*session{}}
}

// open begins a session and returns its id. Other sessions of the user go on, up to sessionsPerUser.
func (s *sessions) open(n session) (id string, opened *session) {
	b := make([]byte, sessionBytes)
	rand.Read(b) // never fails
	id = base64.RawURLEncoding.EncodeToString(b)
	n.sum, n.login = sha256.Sum256([]byte(id)), s.now()
	n.seen = n.login
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(n.user)
	s.all[n.sum] = &n
	return id, &n
}

// makeRoom drops what has expired, and the oldest session when the user or the process has too many.
func (s *sessions) makeRoom(user string) {
	var mine, any *session
	count, now := 0, s.now()
	for sum, o := range s.all {
		if now.Sub(o.seen) > sessionLife {
			delete(s.all, sum)
			continue
		}
		if any == nil || o.login.Before(any.login) {
			any = o
		}
		if o.user == user {
			if count++; mine == nil || o.login.Before(mine.login) {
				mine = o
			}
		}
	}
	switch {
	case count >= sessionsPerUser:
		delete(s.all, mine.sum)
	case len(s.all) >= sessionsTotal:
		delete(s.all, any.sum)
	}
}

// find returns the live session with this id and slides its expiry.
func (s *sessions) find(id string) (*session, bool) {
	sum := sha256.Sum256([]byte(id))
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.all[sum]
	if !ok || subtle.ConstantTimeCompare(o.sum[:], sum[:]) != 1 {
		return nil, false
	}
	if now.Sub(o.seen) > sessionLife {
		delete(s.all, sum)
		return nil, false
	}
	o.seen = now
	return o, true
}

// end destroys the session.
func (s *sessions) end(o *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, o.sum)
}

// count is the number of sessions that have not expired.
func (s *sessions) count() int {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, o := range s.all {
		if now.Sub(o.seen) <= sessionLife {
			n++
		}
	}
	return n
}
