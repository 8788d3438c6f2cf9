package format

// Value is one string member of a line as it stands in the file. It points into the line and is decoded on
// demand, so that looking at a line costs no allocation. The zero Value is an absent member.
type Value struct {
	raw []byte // between the quotes
	esc bool   // raw differs from what it means: it holds an escape or invalid UTF-8
}

// Raw returns the bytes between the quotes, escapes and all. They must not be changed.
func (v Value) Raw() []byte { return v.raw }

// Escaped tells whether Raw differs from the decoded value. When it does not, it holds no quote, no backslash and no
// control character.
func (v Value) Escaped() bool { return v.esc }

// Empty tells whether the member is absent or "".
func (v Value) Empty() bool { return len(v.raw) == 0 }

// Bytes returns the decoded value: Raw itself when nothing is escaped, else buf[:0] with the value appended.
func (v Value) Bytes(buf []byte) []byte {
	if !v.esc {
		return v.raw
	}
	return v.Append(buf[:0])
}

// Append appends the decoded value to dst.
func (v Value) Append(dst []byte) []byte {
	if !v.esc {
		return append(dst, v.raw...)
	}
	return appendUnescaped(dst, v.raw)
}

// String returns the decoded value.
func (v Value) String() string {
	if !v.esc {
		return string(v.raw)
	}
	return string(v.Append(nil))
}

// Is tells whether the decoded value is s. It does not allocate unless the value is escaped.
func (v Value) Is(s string) bool {
	if !v.esc {
		return string(v.raw) == s
	}
	return v.String() == s
}

// Fields is one line as [ScanLine] sees it: what a search looks at, without the cost of a [Record].
// All values point into Line.
type Fields struct {
	Line []byte // without newline

	Seq, Eseq uint64
	Time      int64   // Unix nanoseconds; 0 when absent, clamped to what an int64 can hold
	Stream    Stream  // never allocates for the known values, as the next three
	Level     Level   // effective: derived when absent, see [Record.EffectiveLevel]
	Outcome   Outcome // effective, see [Record.EffectiveOutcome]
	Engine    Engine

	ID, Category, Action, Status, Code, Msg                Value
	ActorName, ActorID, ActorDomain, ActorType, ActorEmail Value
	SrcIP, SrcAgent                                        Value
	ObjType, ObjID, ObjName, ObjImage, ObjTag              Value
	Host, NS, Repo, Project, Req, PReq, Args               Value

	Data []byte // the JSON object as it stands in the line; nil when absent

	v                                         uint64
	time, obs, stream, level, outcome, engine Value // as they stand in the line
	at, obsAt                                 instant
}

// User is who did it as people see it: the actor's name, "Anonymous" for an unauthenticated actor without
// a name, else "system". It equals [Record.User].
func (f *Fields) User() Value {
	switch {
	case !f.ActorName.Empty():
		return f.ActorName
	case f.ActorType.Is(ActorAnonymous):
		return Value{raw: userAnonymous}
	}
	return Value{raw: userSystem}
}

var (
	userAnonymous = []byte("Anonymous")
	userSystem    = []byte("system")
)
