package index

// A run is a maximal stretch of ASCII digits and small letters in a folded text. A long one, with four or
// more characters and a digit among them, is an id, a number or a version: there are so many different ones
// that their trigrams would be most of an index while selecting little. So a long run is indexed as one
// term, cut to runTerm characters, and only trigrams that do not lie inside a long run are indexed.
type textRun struct {
	from, to int
	long     bool
}

const (
	minLongRun = 4
	runTerm    = 12
)

func isRunByte(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' }

// appendRuns appends the runs of a folded text to dst.
func appendRuns(dst []textRun, text []byte) []textRun {
	for i := 0; i < len(text); i++ {
		if !isRunByte(text[i]) {
			continue
		}
		r := textRun{from: i}
		digit := false
		for ; i < len(text) && isRunByte(text[i]); i++ {
			digit = digit || text[i] <= '9'
		}
		r.to = i
		r.long = digit && r.to-r.from >= minLongRun
		dst = append(dst, r)
	}
	return dst
}

// eachTrigram calls fn for every trigram of text that is indexed: those not inside a long run.
func eachTrigram(text []byte, runs []textRun, fn func(gram uint32)) {
	k := 0
	for i := 0; i+3 <= len(text); i++ {
		for k < len(runs) && runs[k].to < i+3 {
			k++
		}
		if k < len(runs) && runs[k].long && runs[k].from <= i {
			i = runs[k].to - 3 // the last one inside
			continue
		}
		fn(trigram(text[i:]))
	}
}

func trigram(b []byte) uint32 { return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]) }

func cutRun(run []byte) []byte { return run[:min(len(run), runTerm)] }
