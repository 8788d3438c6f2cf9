package httpd

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"shiplog/format"
	"shiplog/index"
)

// quayLog is one element of "logs".
type quayLog struct {
	Kind      string         `json:"kind"`
	Metadata  map[string]any `json:"metadata"`
	IP        *string        `json:"ip"`       // nil: not known
	Datetime  string         `json:"datetime"` // quayTime
	Performer *quayPerformer `json:"performer,omitempty"`
}

type quayPerformer struct {
	Kind    string     `json:"kind"`
	Name    string     `json:"name"`
	IsRobot bool       `json:"is_robot"`
	Avatar  quayAvatar `json:"avatar"`
}

type quayAvatar struct {
	Name  string `json:"name"`
	Hash  string `json:"hash"`  // SHA-256 of the e-mail address, or of the name
	Color string `json:"color"` // #rrggbb
	Kind  string `json:"kind"`  // user, robot
}

// query selects the records of a scope in a span of time; performer "" is anybody.
func (q quay) query(scope quayScope, span quaySpan, performer string) index.Query {
	return index.Query{From: span.from, To: span.to, User: performer, None: !span.from.Before(span.to),
		Facets: func(f *index.Facets) bool {
			// User also finds records without a name, by the name they are shown under elsewhere.
			return (performer == "" || f.ActorName == performer) && scope.holds(f)
		}}
}

// render shows one record.
func (q quay) render(f *format.Fields) quayLog {
	log := quayLog{Kind: quayKind(f.Action.String(), f.Outcome), Metadata: quayMetadata(f),
		Datetime: time.Unix(0, f.Time).UTC().Format(quayTime)}
	if ip := f.SrcIP.String(); ip != "" {
		log.IP = &ip
	}
	if name := f.ActorName.String(); name != "" {
		log.Performer = performerOf(name, f.ActorEmail.String(), f.ActorType.Is(format.ActorRobot))
	}
	return log
}

// performerOf describes an actor. A robot's name is that of its namespace, a plus, and its own.
func performerOf(name, email string, robot bool) *quayPerformer {
	kind := "user"
	if ns, own, ok := strings.Cut(name, "+"); robot || ok && ns != "" && own != "" {
		kind = "robot"
	}
	if email == "" {
		email = name
	}
	sum := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(email))))
	hash := hex.EncodeToString(sum[:])
	return &quayPerformer{Kind: "user", Name: name, IsRobot: kind == "robot",
		Avatar: quayAvatar{Name: name, Hash: hash, Color: "#" + hash[:6], Kind: kind}}
}
