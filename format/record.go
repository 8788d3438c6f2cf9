package format

import (
	"encoding/json"
	"math"
	"time"
)

// Version is the record format this package writes. Lines without "v" are version 1.
const Version = 1

// Stream tells an operation somebody did from something an engine reported.
type Stream string

// The two streams.
const (
	StreamLog   Stream = "log"
	StreamEvent Stream = "event"
)

// Level is how serious a record is. An absent level is derived, see [Record.EffectiveLevel].
type Level string

// The levels, least serious first.
const (
	LevelDebug Level = "DEBUG"
	LevelInfo  Level = "INFO"
	LevelWarn  Level = "WARN"
	LevelError Level = "ERROR"
)

// Outcome is how an operation ended. An absent outcome is derived, see [Record.EffectiveOutcome].
type Outcome string

// The outcomes.
const (
	OutcomeSuccess Outcome = "success"
	OutcomeFailure Outcome = "failure"
	OutcomePending Outcome = "pending"
	OutcomeUnknown Outcome = "unknown"
)

// Engine is the container engine a record speaks of; empty for records without a container.
type Engine string

// The engines.
const (
	EngineDocker Engine = "docker"
	EngineLXC    Engine = "lxc"
	EngineLXD    Engine = "lxd"
	EngineIncus  Engine = "incus"
)

// The values of Actor.Type.
const (
	ActorUser      = "user"
	ActorRobot     = "robot"
	ActorSystem    = "system"
	ActorEngine    = "engine"
	ActorAnonymous = "anonymous"
)

// NextEseq, as the Eseq of a record handed to the writer, asks for the next position in the event stream.
// Only records that the Container Station API shows as events carry a position; it is dense, so that an
// answer always holds offset-index messages. Raw engine events that no message is made of have none.
const NextEseq = math.MaxUint64

// Record is one line of the log. The zero value of a member means that it is absent.
type Record struct {
	V       int    // 1; 0 is written as 1
	Seq     uint64 // store-wide number from 1, given by the writer
	Eseq    uint64 // position in the event stream from 1, given by the writer; 0: not a shown event
	ID      string // UUID v7, given by the writer when empty
	Time    time.Time
	Obs     time.Time // when shiplog took it in; given by the writer when zero
	Stream  Stream
	Level   Level
	Outcome Outcome

	Category string // container, image, import, export, backup, system, ... (open set)
	Action   string // dotted object.verb, free text allowed
	Status   string // the origin's own status word, verbatim
	Code     string // the origin's result or exit code
	Msg      string // human text

	Actor  Actor
	Src    Src
	Obj    Object
	Engine Engine
	Host   string // box that observed it

	NS, Repo, Project string // ownership scopes
	Req, PReq         string // request id, parent request id

	Args  string          // arguments as the origin's JSON text, byte for byte
	Data  json.RawMessage // the origin's structured payload, a JSON object; numbers keep their text
	Cut   []string        // names of members truncated at their limit
	Extra []Member        // members this version does not know, in the order they were read
}

// Actor is who did it.
type Actor struct {
	Name, ID, Domain, Type, Email string
	Extra                         []Member
}

// Src is from where it was done.
type Src struct {
	IP, Agent string
	Extra     []Member
}

// Object is what was acted on.
type Object struct {
	Type, ID, Name, Image, Tag string
	Extra                      []Member
}

// Member is one member of a JSON object, its value verbatim.
type Member struct {
	Name  string
	Value json.RawMessage
}
