package httpd

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

// quayMetadata is what else is known of a record: the origin's own members as they are, without those reserved
// for other dialects. A record that does not come from a registry also tells what its envelope knows, where
// the origin has no member of that name.
func quayMetadata(f *format.Fields) map[string]any {
	meta := map[string]any{}
	var members map[string]json.RawMessage
	if json.Unmarshal(bytes.ToValidUTF8(f.Data, []byte("\uFFFD")), &members) == nil {
		for name, value := range members {
			if name != "hss" && name != "qnap" {
				meta[name] = value
			}
		}
	}
	if strings.HasPrefix(f.Action.String(), quayPrefix) {
		return meta
	}
	put := func(name, value string) {
		if _, there := meta[name]; !there && value != "" {
			meta[name] = value
		}
	}
	if repo := f.Repo.String(); repo != "" {
		put("repo", repo)
		put("namespace", f.NS.String())
		put("tag", tagOf(f))
	}
	if f.ObjType.Is("container") {
		put("container_id", f.ObjID.String())
	}
	put("engine", string(f.Engine))
	put("request_id", f.Req.String())
	put("message", f.Msg.String())
	return meta
}

// tagOf is the tag of the image that a record is about: the one it names, or the one in the reference it names.
func tagOf(f *format.Fields) string {
	if !f.ObjTag.Empty() {
		return f.ObjTag.String()
	}
	ref := f.ObjImage.String()
	if f.ObjType.Is("image") {
		ref = f.ObjName.String()
	}
	if strings.HasPrefix(ref, "sha256:") {
		return ""
	}
	ref, _, _ = strings.Cut(ref, "@") // a digest is no tag
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		return ref[i+1:] // else the colon is a registry's port
	}
	return ""
}
