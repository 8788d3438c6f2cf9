package agent

import (
	"encoding/json"
	"fmt"
	"time"

	"shiplog/format"
)

// Why events could not be seen.
const (
	gapOverrun    = "overrun"        // the engine's memory of past events was too short
	gapRestart    = "restart"        // the engine was restarted and forgot
	gapDisconnect = "disconnect"     // the stream was away and the engine replays nothing
	gapQueue      = "queue-overflow" // the disk was slower than the engine for too long
	gapClock      = "clock-step"     // the engine's clock went backwards
	gapStart      = "start"          // shiplog was not running
)

// gap says that events of an engine between From and To could not be seen, or may not have been.
type gap struct {
	Engine  format.Engine     `json:"engine"`
	From    time.Time         `json:"from,omitzero"` // the last moment of sight; zero: none
	To      time.Time         `json:"to"`            // the first moment of sight again
	Reason  string            `json:"reason"`
	AtLeast uint64            `json:"lost_at_least,omitempty"`
	MayHave bool              `json:"may_have_lost"`
	By      map[string]uint64 `json:"lost_by,omitempty"` // lost events by container or other object
}

// record makes the log record of a gap.
func (g gap) record() Mapped {
	msg := fmt.Sprintf("Events of container engine %s may be missing until %s (%s)", g.Engine, stamp(g.To), g.Reason)
	if !g.From.IsZero() {
		msg = fmt.Sprintf("Events of container engine %s may be missing from %s to %s (%s)", g.Engine, stamp(g.From), stamp(g.To), g.Reason)
	}
	if g.AtLeast > 0 {
		msg = fmt.Sprintf("%d events of container engine %s were lost from %s to %s (%s)", g.AtLeast, g.Engine, stamp(g.From), stamp(g.To), g.Reason)
	}
	g.From, g.To = g.From.UTC(), g.To.UTC()
	return Mapped{Record: systemRecord(g.Engine, format.LevelWarn, "engine.gap", msg, g.To, g)}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// connected makes the record that a source sees its engine again.
func connected(e format.Engine, at time.Time, replayed, synthesized int) Mapped {
	msg := fmt.Sprintf("Container engine %s connected (replayed %d, synthesized %d)", e, replayed, synthesized)
	return Mapped{Record: systemRecord(e, format.LevelInfo, "engine.connected", msg, at, map[string]any{
		"engine": e, "replayed": replayed, "synthesized": synthesized,
	})}
}

// disconnected makes the record that a source lost its engine.
func disconnected(e format.Engine, at time.Time, cause error) Mapped {
	return Mapped{Record: systemRecord(e, format.LevelWarn, "engine.disconnected",
		fmt.Sprintf("Container engine %s disconnected", e), at, map[string]any{
			"engine": e, "error": cause.Error(),
		})}
}

func systemRecord(e format.Engine, l format.Level, action, msg string, at time.Time, data any) *format.Record {
	d, err := json.Marshal(data)
	if err != nil { // a year beyond 9999 in a broken engine's event
		d = nil
	}
	return &format.Record{
		Time: at, Stream: format.StreamLog, Level: l, Category: "system", Action: action, Msg: msg,
		Actor: format.Actor{Type: format.ActorSystem}, Engine: e, Data: d,
	}
}
