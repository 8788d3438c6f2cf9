package format

import (
	"encoding/json"
	"slices"
)

// Actions of the two records that stand around a removal of segments. Data of both is a [Removal].
const (
	ActionRetentionStart = "retention.start" // written and synced before the first segment is removed
	ActionRetentionDone  = "retention.done"
)

// Removal is what the records about a removal of segments hold as data.
type Removal struct {
	Rules    []string `json:"rules,omitempty"`    // that demanded it: age, bytes, free
	Start    uint64   `json:"start,omitempty"`    // done only: seq of the record before
	Segments []string `json:"segments,omitempty"` // start: names of all that are to be removed, done: of those that were, oldest first
	Left     []string `json:"left,omitempty"`     // done only: names of those that were not
	First    uint64   `json:"first,omitempty"`    // first number that Segments may hold
	Last     uint64   `json:"last,omitempty"`     // and the last one
	Bytes    int64    `json:"bytes"`              // of Segments
	Error    string   `json:"error,omitempty"`    // why some are left

	// LastEseq is the newest eseq at that moment: no segment that is left need have one, and none is given again.
	LastEseq uint64 `json:"last_eseq,omitempty"`
}

// removalOf reads the record of a line about a removal that begins.
func removalOf(f *Fields) (Removal, bool) {
	var m Removal
	if f == nil || !f.Action.Is(ActionRetentionStart) || !f.Category.Is("system") {
		return m, false
	}
	var r Record
	if ParseLine(f.Line, &r) != nil || json.Unmarshal(r.Data, &m) != nil {
		return m, false
	}
	return m, true
}

// removedEseq returns the newest eseq that the newest removal knew of; 0 when there is none. It is asked when no segment
// has one: whoever was at position 500 of the events must not get others under the numbers up to 500.
func removedEseq(l *Log, segs []Segment) uint64 {
	if len(segs) == 0 || segs[0].First <= 1 {
		return 0 // nothing was removed
	}
	for _, seg := range slices.Backward(segs) {
		if found, err := l.mentions(seg, ActionRetentionStart); err != nil || !found {
			continue // damage: a reader will say so
		}
		for ln, err := range l.ordered(seg, 0, descending) {
			if err != nil {
				continue
			}
			if m, ok := removalOf(ln.Fields); ok && m.LastEseq <= maxSeq {
				return m.LastEseq
			}
		}
	}
	return 0
}
