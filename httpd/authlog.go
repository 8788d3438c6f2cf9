package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"shiplog/format"
)

const (
	authPerMinute  = 60 // auth records; the next one says how many were left out
	authBurst      = 60
	appendPatience = 3 * time.Second // a login does not wait longer for a sick disk
)

// authLog writes a record of each login, refused login and logout. It never writes a password, and no more
// than authPerMinute records of a kind, so that guessing cannot fill the log.
type authLog struct {
	append func(context.Context, ...*format.Record) error // nil: nothing is written
	logger *slog.Logger
	known  *authQuota // of those who proved who they are; no flood of guesses hides that one was right
	others *authQuota
}

// authQuota is how many records of one kind are written.
type authQuota struct {
	rate *rate.Limiter

	mu      sync.Mutex
	skipped int // guarded by mu; records left out since the last written one
}

// take tells whether a record may be written, and how many were left out before it.
func (q *authQuota) take() (skipped int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.rate.Allow() {
		q.skipped++
		return 0, false
	}
	skipped, q.skipped = q.skipped, 0
	return skipped, true
}

func newAuthLog(o *Options) *authLog {
	quota := func() *authQuota {
		return &authQuota{rate: rate.NewLimiter(rate.Every(time.Minute/authPerMinute), authBurst)}
	}
	return &authLog{append: o.Append, logger: o.Logger, known: quota(), others: quota()}
}

// login notes a login of user with its outcome; err is why it was refused.
func (a *authLog) login(r *http.Request, user string, err error) {
	user = cutName(user)
	rec := &format.Record{Action: "auth.login", Level: format.LevelInfo, Outcome: format.OutcomeSuccess, Msg: "Login: " + user,
		Actor: format.Actor{Name: user, Type: format.ActorUser}}
	quota := a.known
	if err != nil {
		rec.Level, rec.Outcome, rec.Msg = format.LevelWarn, format.OutcomeFailure, "Login failed: "+user
	}
	switch {
	case errors.Is(err, errSecondFactor):
		rec.Msg += " (the password is right, a second factor is required)"
	case err != nil:
		quota = a.others
		if rec.Actor.Type = format.ActorAnonymous; user == "" {
			rec.Msg = "Login failed: unknown token"
		}
	}
	a.write(r, quota, rec)
}

// logout notes the end of a session by its user.
func (a *authLog) logout(r *http.Request, user string) {
	a.write(r, a.known, &format.Record{Action: "auth.logout", Level: format.LevelInfo, Outcome: format.OutcomeSuccess,
		Msg: "Logout: " + user, Actor: format.Actor{Name: user, Type: format.ActorUser}})
}

func (a *authLog) write(r *http.Request, quota *authQuota, rec *format.Record) {
	if a.append == nil {
		return
	}
	skipped, ok := quota.take()
	if !ok {
		return
	}
	if skipped > 0 {
		rec.Data = json.RawMessage(`{"skipped":` + strconv.Itoa(skipped) + `}`)
		rec.Msg += " (" + strconv.Itoa(skipped) + " earlier ones were not recorded)"
	}
	rec.Stream, rec.Category, rec.Time = format.StreamLog, "auth", time.Now()
	rec.Src = format.Src{IP: sourceIP(r.RemoteAddr), Agent: r.UserAgent()}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), appendPatience)
	defer cancel()
	if err := a.append(ctx, rec); err != nil {
		a.logger.Warn("auth record not written", "err", err)
	}
}

// cutName keeps a name that somebody tried within what a record takes.
func cutName(name string) string {
	if len(name) > 256 {
		name = name[:256]
	}
	return strings.ToValidUTF8(name, "�")
}
