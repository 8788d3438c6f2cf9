package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"shiplog/format"
)

// How many records should have the needle that is rare, and the one that many have: the first fits on a page at any
// size of the log, so that its question is the same one; the second is what a busy container's id is like.
const (
	rareHits    = 10
	hundredHits = 100
)

// findNeedles looks for starts of objects' ids that about so many messages have. Records without ids in their messages,
// and those that all have the same one, have the end of a message for a rare needle.
func (t *truth) findNeedles(records string, size int64) error {
	hits := map[string]int{}
	ends := ends{every: size / endsOf}
	err := lines(records, func(line []byte, f *format.Fields) error {
		msg := kept(f)
		if id := f.ObjID.String(); len(id) >= 12 && strings.Contains(msg, id[:12]) {
			hits[id[:12]]++
		}
		ends.add(int64(len(line)+1), msg)
		return nil
	})
	if err != nil {
		return err
	}
	t.rare, t.hundred = nearest(hits, rareHits), nearest(hits, hundredHits)
	if n := hits[t.hundred]; n < hundredHits/2 || n > 2*hundredHits {
		t.hundred = ""
	}
	hex := t.rare
	if n := hits[t.rare]; n < rareHits/2 || n > rareHits*3/2 {
		counted, err := ends.count(records)
		if err != nil {
			return err
		}
		if end := nearest(counted, rareHits); end != "" && closer(counted[end], n, rareHits) {
			t.rare = end
		}
	}
	if t.rare == "" {
		t.rare = "68a6eb33c3d5" // nothing is rare
	}
	r := []rune(t.rare)
	t.inside = string(r[min(3, len(r)-7):][:7])
	t.noHex = noHit(hex, hits)
	return nil
}

// nearest returns the key whose number is nearest to want, the first of them by name; "": there is none.
func nearest(hits map[string]int, want int) (best string) {
	for text, n := range hits {
		if best == "" || closer(n, hits[best], want) || text < best && !closer(hits[best], n, want) {
			best = text
		}
	}
	return best
}

// closer tells whether a is closer to want than b is; of none at all there is nothing to find.
func closer(a, b, want int) bool {
	return b == 0 && a > 0 || a > 0 && distance(a, want) < distance(b, want)
}

func distance(a, b int) int { return max(a-b, b-a) }

// noHit is 12 hex digits that differ from those of an id in the last one, and are no id's.
func noHit(hex string, ids map[string]int) (text string) {
	if len(hex) != 12 {
		hex = "68a6eb33c3d5"
	}
	for _, c := range "0123456789abcdef" {
		if text = hex[:11] + string(c); ids[text] == 0 {
			break
		}
	}
	return text
}

// ends collects the last characters of some messages, spread over the records by bytes.
type ends struct {
	every, read int64 // bytes of records
	msgs        int64 // bytes of all messages
	texts       []string
}

// Of how many messages the ends are looked for, and how many bytes may be compared for that.
const (
	endsOf     = 24
	endsBudget = 2 << 30
)

// endLengths are in characters; the longer an end is, the fewer messages have it.
var endLengths = []int{8, 12, 20}

func (e *ends) add(length int64, msg string) {
	e.msgs += int64(len(msg))
	if e.read += length; e.read < e.every {
		return
	}
	e.read = 0
	r := []rune(string(foldInto(nil, msg)))
	for _, n := range endLengths {
		if n < len(r) && strings.IndexFunc(string(r[len(r)-n:]), quoted) < 0 {
			e.texts = append(e.texts, string(r[len(r)-n:]))
		}
	}
}

// quoted tells whether c means something to JSON or to one of the peers' languages.
func quoted(c rune) bool {
	return !strings.ContainsRune(" -./", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) && c < utf8.RuneSelf
}

// count tells how many messages have each of the texts, or of some of them when messages are long. Those that far more
// have than wanted are forgotten at once.
func (e *ends) count(records string) (map[string]int, error) {
	hits := map[string]int{}
	step := 1 + len(e.texts)*int(e.msgs>>10)/(endsBudget>>10)
	for i := 0; i < len(e.texts); i += step {
		hits[e.texts[i]] = 0
	}
	var folded []byte
	err := lines(records, func(_ []byte, f *format.Fields) error {
		folded = foldInto(folded[:0], kept(f))
		for text, n := range hits {
			if !bytes.Contains(folded, []byte(text)) {
				continue
			}
			if hits[text] = n + 1; n > 10*rareHits {
				delete(hits, text)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count the ends of messages: %w", err)
	}
	return hits, nil
}

// maxKept is how much of a message a record keeps, in bytes: see package format.
const maxKept = 32 << 10

// kept is the message as it is found again.
func kept(f *format.Fields) string {
	msg := f.Msg.String()
	if len(msg) > maxKept {
		msg = strings.ToValidUTF8(msg[:maxKept], "")
	}
	return msg
}

// foldInto appends text with one character for all that differ in case only, as searches compare them.
func foldInto(dst []byte, text string) []byte {
	for _, c := range text {
		if c >= utf8.RuneSelf {
			c = foldRune(c)
		} else if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = utf8.AppendRune(dst, c)
	}
	return dst
}

// foldRune is the smallest of those that differ from c in case only, and a small letter when that is an ASCII one.
func foldRune(c rune) rune {
	least := c
	for next := unicode.SimpleFold(c); next != c; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if least < utf8.RuneSelf {
		return unicode.ToLower(least)
	}
	return least
}
