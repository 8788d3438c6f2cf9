package index

import (
	"bytes"
	"encoding/json"

	"shiplog/format"
)

// Facets are the members of a record that take few values: what it is, whose it is, who did it. A query asks
// once for each combination of them that a segment holds, so what a dialect shows, and to whom, is decided
// without a look at the lines.
type Facets struct {
	Action                          string
	ObjType                         string
	NS, Repo, Project               string         // ownership scopes
	ActorName, ActorType, ActorHome string         // the actor's name, type and domain
	Outcome                         format.Outcome // effective
	HSS                             bool           // data has a member hss: the record came from, or was meant for, that dialect
}

// facetsOf returns the facets of a line.
func facetsOf(f *format.Fields) Facets {
	return Facets{Action: f.Action.String(), ObjType: f.ObjType.String(), NS: f.NS.String(), Repo: f.Repo.String(),
		Project: f.Project.String(), ActorName: f.ActorName.String(), ActorType: f.ActorType.String(),
		ActorHome: f.ActorDomain.String(), Outcome: f.Outcome, HSS: hasHSS(f.Data)}
}

// hasHSS tells whether the object data has a member hss. Looking for the bytes first spares nearly every
// record the decoding; an escape may spell the name in another way.
func hasHSS(data []byte) bool {
	if !bytes.Contains(data, []byte(`"hss"`)) && !bytes.Contains(data, []byte(`\u`)) {
		return false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return false
	}
	_, ok := members["hss"]
	return ok
}
