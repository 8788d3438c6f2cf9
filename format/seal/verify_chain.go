package seal

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"encoding/base64"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// maxFaults bounds how many lines of the chain are named one by one.
const maxFaults = 100

// checkChain tells what is wrong with lines of SEALS.jsonl, and what they themselves tell.
func (v *verifier) checkChain() {
	for i, f := range v.chain.faults {
		if i == maxFaults {
			v.add(Finding{Word: f.word, Severity: Damage, File: SealsName, Text: fmt.Sprintf("%d more lines of it are not right", len(v.chain.faults)-i)})
			break
		}
		text := fmt.Sprintf("line %d: %s", f.line, f.text)
		if f.seg != "" {
			text = fmt.Sprintf("line %d, the seal of %s: %s", f.line, f.seg, f.text)
		}
		v.add(Finding{Word: f.word, Severity: Damage, File: SealsName, FromLine: uint64(f.line), ToLine: uint64(f.line), Text: text,
			Look: fmt.Sprintf("sed -n %dp %s | jq .", f.line, v.path(SealsName))})
	}
	for _, l := range v.chain.lines {
		if l.Was != nil {
			v.changed(l)
		}
		if l.Lost {
			v.add(Finding{Word: WordNoCheckpoint, Severity: Damage, File: CheckpointName,
				Text: fmt.Sprintf("it was missing when shiplog started on %s, and was made anew: whether the end of the log was cut before can only be told with one that was kept elsewhere (--at)",
					l.Time.Format("2006-01-02 15:04:05 UTC"))})
		}
		if f := l.From; f != nil {
			v.checkEarlier(f)
			v.begunAnew(l)
		}
	}
	if v.chain.torn > 0 {
		v.add(Finding{Word: WordSealsCut, Severity: Notice, File: SealsName, Text: "its last line is not complete: it is being written, or a crash cut it off; the next start makes it anew"})
	}
}

// changed tells of a line that was made when a segment was not what had been signed of it.
func (v *verifier) changed(l *Line) {
	when, look := l.Time.Format("2006-01-02 15:04:05 UTC"), "less "+v.path(l.Was.Seg)
	text := fmt.Sprintf("its first %s were not what had been signed of them when shiplog looked again on %s: somebody changed them before the segment was sealed",
		counted(l.Was.Bytes), when)
	if l.left() < l.Was.Bytes {
		text = fmt.Sprintf("of %s that were signed %d were left when shiplog looked again on %s: the end was cut off, or the log was put back from a copy that took the segment before the checkpoint",
			counted(l.Was.Bytes), l.left(), when)
	}
	v.add(Finding{Word: WordChanged, Severity: Damage, File: l.Was.Seg, Text: text, Look: look})
}

// begunAnew tells of a first line that names an earlier chain.
func (v *verifier) begunAnew(l *Line) {
	f, earlier := l.From, "an earlier one of which nothing is left"
	if l.From.Origin != "" {
		earlier = fmt.Sprintf("an earlier one (%s, %d lines)", f.Origin, f.Size)
	}
	text := fmt.Sprintf("this chain was begun on %s after %s that could not be continued: %s; what was sealed before is only as good as it was then",
		l.Time.Format("2006-01-02 15:04:05 UTC"), earlier, f.Reason)
	severity := Notice
	if f.Damaged && v.o.Key == "" { // who gives the key noted it after that, and knows
		severity = Damage
		text += ". Note down the key of this chain, and give it with --key, to take that as known"
	}
	v.add(Finding{Word: WordBegunAnew, Severity: severity, File: SealsName, Text: text})
}

// checkEarlier compares the chain with the one before it, whose files were set aside: what that had sealed should be
// sealed the same again.
func (v *verifier) checkEarlier(f *From) {
	for n := 1; exists(oldName(v.dir, SealsName, n)) || exists(oldName(v.dir, CheckpointName, n)); n++ {
		c, err := readChain(oldName(v.dir, SealsName, n), f.Key, "")
		if err != nil {
			continue
		}
		if root, err := c.root(f.Size); err != nil || root.String() != f.Root {
			continue
		}
		then := c.segments()
		for _, l := range c.lines {
			if l.Seg != "" && then[l.Seg].retired == nil {
				v.compareEarlier(f, l)
			}
		}
		return
	}
}

// compareEarlier compares what an earlier chain sealed with what this one says of it.
func (v *verifier) compareEarlier(f *From, l *Line) {
	when := fmt.Sprintf("in the earlier chain of %s, on %s", f.Origin, l.Time.Format("2006-01-02 15:04:05 UTC"))
	now := v.state[l.Seg]
	switch {
	case now != nil && now.seal != nil && now.seal.SHA256 != l.SHA256:
		v.add(Finding{Word: WordChanged, Severity: Damage, File: l.Seg, Text: "it was sealed otherwise " + when + ": somebody changed it before this chain was begun",
			Look: "grep -h " + l.Seg + " " + v.path(SealsName) + "* | jq ."})
	case now == nil && !exists(filepath.Join(v.dir, l.Seg)):
		v.add(Finding{Word: WordMissing, Severity: Damage, File: l.Seg,
			Text: fmt.Sprintf("it was sealed %s, and is gone without having been retired: records %d to %d", when, l.First, l.Last)})
	}
}

// checkCheckpoint compares the checkpoint with the chain.
func (v *verifier) checkCheckpoint() {
	c, cp := v.chain, v.cp
	look := "cat " + v.path(CheckpointName)
	bad := func(word Word, text string) {
		v.add(Finding{Word: word, Severity: Damage, File: CheckpointName, Text: text, Look: look})
	}
	switch {
	case errors.Is(v.cpErr, ErrNoCheckpoint):
		look = ""
		bad(WordNoCheckpoint, "it is gone: whether the end of the log was cut cannot be told")
	case errors.Is(v.cpErr, errCannotRead):
		v.unreadable(CheckpointName, v.cpErr)
	case v.cpErr != nil:
		bad(WordCheckpointEdited, v.cpErr.Error())
	case cp.Size > c.size:
		look = "wc -l " + v.path(SealsName)
		bad(WordSealsCut, fmt.Sprintf("it was signed over %d lines of %s%s, and there are %d: the last ones were cut off%s",
			cp.Size, SealsName, onDate(cp), c.size, orCopied))
	case !v.checkSigner(cp, bad):
	default:
		if root, err := c.root(cp.Size); (err != nil || root != cp.Root) && len(c.faults) == 0 {
			bad(WordRewritten, fmt.Sprintf("the first %d lines of %s are not those it was signed over", cp.Size, SealsName))
		}
	}
}

// orCopied follows what is said of an end that is missing.
const orCopied = ". A copy that was made while records came lacks the same when it took this file before the checkpoint;" +
	" then verify what it was copied from, or copy again, the checkpoint first"

// onDate tells when a checkpoint was signed, for a text.
func onDate(c *Checkpoint) string {
	if c.Time.IsZero() {
		return ""
	}
	return " on " + c.Time.UTC().Format("2006-01-02 15:04:05 UTC")
}

// checkSigner tells who signed the checkpoint, when it was not the key that should.
func (v *verifier) checkSigner(cp *Checkpoint, bad func(Word, string)) bool {
	k := v.chain.key(cp.Size)
	err := cp.signedBy(k.verifier)
	if err == nil {
		return true
	}
	if _, invalid := errors.AsType[*note.InvalidSignatureError](err); invalid {
		bad(WordCheckpointEdited, "it was changed after it was signed")
		return false
	}
	for epoch, older := range v.chain.keys {
		if cp.signedBy(older.verifier) == nil {
			bad(WordOldKey, fmt.Sprintf("it is signed with the key of epoch %d, which is not the one of its time", epoch))
			return false
		}
	}
	if _, unknown := errors.AsType[*note.UnverifiedNoteError](err); unknown {
		bad(WordForeignKey, "it is signed with a key that is not the one of this log, "+fmt.Sprintf("%08x", k.verifier.KeyHash()))
	} else {
		bad(WordCheckpointEdited, err.Error())
	}
	return false
}

// checkAt compares the chain with a checkpoint that was noted earlier.
func (v *verifier) checkAt() {
	c, at := v.chain, v.o.At
	if at == nil {
		return
	}
	bad := func(word Word, text string) {
		v.add(Finding{Word: word, Severity: Damage, File: SealsName, Text: text})
	}
	switch {
	case at.Origin != "" && at.Origin != c.origin:
		bad(WordForeignKey, fmt.Sprintf("the checkpoint given is of %s and this log is %s", at.Origin, c.origin))
		return
	case at.Size > c.size:
		bad(WordRolledBack, fmt.Sprintf("the checkpoint given was signed over %d lines and there are %d: the log was cut or put back to an earlier state", at.Size, c.size))
		return
	case at.text != nil && at.signedBy(c.key(at.Size).verifier) != nil:
		bad(WordRewritten, "the checkpoint given is not signed by the key that this log had then")
		return
	}
	if root, err := c.root(at.Size); err != nil || root != at.Root {
		bad(WordRewritten, fmt.Sprintf("its first %d lines are not those that the checkpoint given was signed over", at.Size))
	}
}

// ParseAt reads what was noted of a checkpoint: the whole note, or size and root as SIZE:ROOT, which stand in the
// log lines of the program.
func ParseAt(text string) (*Checkpoint, error) {
	size, root, ok := strings.Cut(strings.TrimSpace(text), ":")
	if !ok || strings.ContainsAny(text[:len(size)], "\n/") {
		return ParseCheckpoint([]byte(text))
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("size %.30q is no number", size)
	}
	raw, err := base64.StdEncoding.DecodeString(root)
	if err != nil || len(raw) != tlog.HashSize {
		return nil, errors.New("the root is no hash")
	}
	return &Checkpoint{Size: n, Root: tlog.Hash(raw)}, nil
}
