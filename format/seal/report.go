package seal

import (
	"errors"
	"strings"
	"time"
)

// Word names what was found, one word for each kind of change.
type Word string

// What can have happened to a segment.
const (
	WordEdited     Word = "edited"     // lines are not what they were
	WordDeleted    Word = "deleted"    // lines are gone
	WordInserted   Word = "inserted"   // lines came in between
	WordReordered  Word = "reordered"  // lines are the same in another order
	WordTruncated  Word = "truncated"  // the end is gone
	WordAppended   Word = "appended"   // lines came after the end
	WordLineEnds   Word = "line-ends"  // a tool changed the line ends, and nothing else
	WordSwapped    Word = "swapped"    // holds what another segment held
	WordRenamed    Word = "renamed"    // has another name now
	WordRetired    Word = "retired"    // was removed by rule and is here all the same
	WordMissing    Word = "missing"    // is gone and was not retired
	WordExtra      Word = "extra"      // was never sealed and stands among sealed ones
	WordUnreadable Word = "unreadable" // the disk does not give it
	WordChanged    Word = "changed"    // was changed before it was sealed
	WordUnsealed   Word = "unsealed"   // has no seal yet, or none any more: cannot be judged
	WordBlocks     Word = "blocks"     // its .blk file is not what it was; that matters to finding lines only
)

// What can have happened to the chain and its checkpoint.
const (
	WordSealEdited       Word = "seal-edited"       // a line of SEALS.jsonl was changed without the key
	WordSealsCut         Word = "seals-cut"         // lines of SEALS.jsonl are gone
	WordForeignKey       Word = "foreign-key"       // signed by a key that is not this log's
	WordOldKey           Word = "old-key"           // signed by a key of this log that had ended
	WordNoCheckpoint     Word = "no-checkpoint"     // it is gone
	WordCheckpointEdited Word = "checkpoint-edited" // it was changed without the key
	WordRolledBack       Word = "rolled-back"       // the log ends before a checkpoint that was noted
	WordRewritten        Word = "rewritten"         // the chain is not the one that a checkpoint was signed over
	WordBegunAnew        Word = "begun-anew"        // an earlier chain could not be continued
)

// Severity tells what a finding means for the verdict.
type Severity string

// The severities, the worst last.
const (
	Notice  Severity = "notice"  // good to know
	Unknown Severity = "unknown" // it cannot be judged
	Damage  Severity = "damage"  // it is not what was written
)

// Finding is one thing that was found.
type Finding struct {
	Word     Word     `json:"word"`
	Severity Severity `json:"severity"`
	File     string   `json:"file,omitempty"`      // name in the folder of segments
	FromLine uint64   `json:"from_line,omitempty"` // from 1; 0: the whole file
	ToLine   uint64   `json:"to_line,omitempty"`
	Text     string   `json:"text"`
	Look     string   `json:"look,omitempty"` // a line for the shell that shows it
}

// Report is what a verification found.
type Report struct {
	Result   string    `json:"result"` // ok, damaged or unknown
	Dir      string    `json:"dir"`    // the folder of segments
	Origin   string    `json:"origin"`
	Key      string    `json:"key"` // the verifier line that was used
	KeyGiven bool      `json:"key_given"`
	Since    time.Time `json:"since,omitzero"` // of the first line: what is older is as good as it was then
	Size     int64     `json:"size"`           // lines of the chain
	Root     string    `json:"root"`
	Signed   time.Time `json:"signed,omitzero"` // of the checkpoint
	At       int64     `json:"at,omitempty"`    // size of the checkpoint that was given

	Segments int    `json:"segments"` // sealed ones that are there
	Hashed   int    `json:"hashed"`   // of these read and compared
	Records  uint64 `json:"records"`  // lines in them
	Bytes    int64  `json:"bytes"`
	Retired  int    `json:"retired"` // sealed ones that were removed by rule
	Late     int    `json:"late"`    // sealed long after they were full

	Active       string `json:"active,omitempty"`
	ActiveBytes  int64  `json:"active_bytes"`
	ActiveSigned int64  `json:"active_signed"` // of these the first so many are signed

	Findings []Finding     `json:"findings"`
	Took     time.Duration `json:"took_ns"`
}

// The results of a verification.
const (
	ResultOK      = "ok"
	ResultDamaged = "damaged"
	ResultUnknown = "unknown"
)

// ErrNotSealed says that a log has neither seals nor a checkpoint.
var ErrNotSealed = errors.New("the log is not sealed")

// judge fills in the result.
func (r *Report) judge() {
	r.Result = ResultOK
	for _, f := range r.Findings {
		switch {
		case f.Severity == Damage:
			r.Result = ResultDamaged
		case f.Severity == Unknown && r.Result == ResultOK:
			r.Result = ResultUnknown
		}
	}
}

// shellQuote makes one word of s for a shell.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
