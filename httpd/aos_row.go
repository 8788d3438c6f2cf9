package httpd

import (
	"strings"
	"time"

	"shiplog/format"
)

// journalTime is how the journal shows a moment, in UTC: "event_time": "2018-03-22T07:25:31" (seed 004).
const journalTime = "2006-01-02T15:04:05"

// journalRow is one entry. All members are always there; those that are nil are null.
type journalRow struct {
	ID         uint64  `json:"id"`
	Action     string  `json:"action"`
	Args       *string `json:"action_arguments"`
	EventTime  string  `json:"event_time"`
	Message    *string `json:"message"`
	ObjectID   *string `json:"object_id"`
	ObjectType *string `json:"object_type"`
	PReq       *string `json:"parent_request_id"`
	Req        *string `json:"request_id"`
	Code       *string `json:"response_code"`
	Status     string  `json:"status"`
	UserID     *string `json:"user_id"`
	UserName   string  `json:"user_name"`
	DomainID   *string `json:"domain_id"`
}

func journalRowOf(f *format.Fields) journalRow {
	return journalRow{
		ID:         f.Seq,
		Action:     f.Action.String(),
		Args:       orNull(f.Args),
		EventTime:  shownTime(f),
		Message:    orNull(f.Msg),
		ObjectID:   orNull(shownObject(f)),
		ObjectType: orNull(f.ObjType),
		PReq:       orNull(f.PReq),
		Req:        orNull(f.Req),
		Code:       orNull(f.Code),
		Status:     shownStatus(f),
		UserID:     orNull(f.ActorID),
		UserName:   f.ActorName.String(),
		DomainID:   orNull(f.ActorDomain),
	}
}

func orNull(v format.Value) *string {
	if v.Empty() {
		return nil
	}
	s := v.String()
	return &s
}

// shownObject is the object's id. Incus and LXD know their instances by name alone: there it is the id.
func shownObject(f *format.Fields) format.Value {
	if f.ObjID.Empty() {
		return f.ObjName
	}
	return f.ObjID
}

// shownStatus is the origin's word in small letters, or how it ended when it has none.
func shownStatus(f *format.Fields) string {
	if f.Status.Empty() {
		return string(f.Outcome)
	}
	return strings.ToLower(f.Status.String())
}

func shownTime(f *format.Fields) string {
	return time.Unix(0, f.Time).UTC().Format(journalTime) // what is below a second is cut off, never rounded
}
