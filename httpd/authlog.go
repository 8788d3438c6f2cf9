package httpd

import (
	"context"
	"encoding/json"
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
// than authPerMinute records, so that guessing cannot fill the log.
type authLog struct {
	append func(context.Context, ...*format.Record) error // nil: nothing is written
	logger *slog.Logger
	rate   *rate.Limiter

	mu      sync.Mutex
	skipped int // guarded by mu; records left out since the last written one
}

func newAuthLog(o *Options) *authLog {
	return &authLog{append: o.Append, logger: o.Logger, rate: rate.NewLimiter(rate.Every(time.Minute/authPerMinute), authBurst)}
}

// record notes a login of user with its outcome.
func (a *authLog) record(r *http.Request, user string, ok bool) {
	user = cutName(user)
	rec := &format.Record{Action: "auth.login", Level: format.LevelInfo, Outcome: format.OutcomeSuccess, Msg: "Login: " + user,
		Actor: format.Actor{Name: user, Type: format.ActorUser}}
	if !ok {
		rec.Level, rec.Outcome, rec.Msg = format.LevelWarn, format.OutcomeFailure, "Login failed: "+user
		if rec.Actor.Type = format.ActorAnonymous; user == "" {
			rec.Msg = "Login failed: unknown token"
		}
	}
	a.write(r, rec)
}

// logout notes the end of a session by its user.
func (a *authLog) logout(r *http.Request, user string) {
	a.write(r, &format.Record{Action: "auth.logout", Level: format.LevelInfo, Outcome: format.OutcomeSuccess,
		Msg: "Logout: " + user, Actor: format.Actor{Name: user, Type: format.ActorUser}})
}

func (a *authLog) write(r *http.Request, rec *format.Record) {
	if a.append == nil {
		return
	}
	a.mu.Lock()
	if !a.rate.Allow() {
		a.skipped++
		a.mu.Unlock()
		return
	}
	if a.skipped > 0 {
		rec.Data = json.RawMessage(`{"skipped":` + strconv.Itoa(a.skipped) + `}`)
		rec.Msg += " (" + strconv.Itoa(a.skipped) + " earlier ones were not recorded)"
		a.skipped = 0
	}
	a.mu.Unlock()
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
