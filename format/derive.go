package format

import "strings"

// EffectiveLevel is Level, or when that is absent what follows from the outcome: ERROR for a failure, else INFO.
func (r *Record) EffectiveLevel() Level {
	l, _ := effective(r.Level, r.Outcome, r.Status)
	return l
}

// EffectiveOutcome is Outcome, or when that is absent what follows from the level (ERROR is a failure), then
// from the status word; else unknown.
func (r *Record) EffectiveOutcome() Outcome {
	_, o := effective(r.Level, r.Outcome, r.Status)
	return o
}

func effective(l Level, o Outcome, status string) (Level, Outcome) {
	switch {
	case o != "":
	case l == LevelError:
		o = OutcomeFailure
	default:
		o = statusOutcome(status)
	}
	switch {
	case l != "":
	case o == OutcomeFailure:
		l = LevelError
	default:
		l = LevelInfo
	}
	return l, o
}

// User is who did it as people see it: the actor's name, "Anonymous" for an unauthenticated actor without
// a name, else "system".
func (r *Record) User() string {
	switch {
	case r.Actor.Name != "":
		return r.Actor.Name
	case r.Actor.Type == ActorAnonymous:
		return string(userAnonymous)
	}
	return string(userSystem)
}

// statusOutcome reads an origin's status word or HTTP status.
func statusOutcome(status string) Outcome {
	switch {
	case status == "":
		return OutcomeUnknown
	case isHTTPStatus(status, '2'), oneOfFold(status, "success", "completed", "ok"):
		return OutcomeSuccess
	case isHTTPStatus(status, '4'), isHTTPStatus(status, '5'), oneOfFold(status, "error", "failed", "aborted"):
		return OutcomeFailure
	case oneOfFold(status, "running", "waiting"):
		return OutcomePending
	}
	return OutcomeUnknown
}

func isHTTPStatus(s string, class byte) bool {
	return len(s) == 3 && s[0] == class && isDigit(s[1]) && isDigit(s[2])
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func oneOfFold(s string, words ...string) bool {
	for _, w := range words {
		if strings.EqualFold(s, w) {
			return true
		}
	}
	return false
}
