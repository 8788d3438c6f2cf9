package main

import (
	"encoding/hex"
	"fmt"
	"math/rand"
	"strings"

	"shiplog/format"
)

// The kinds of records. All but normal are there to be hard on an index.
const (
	kindNormal  = "normal"
	kindIDs     = "ids"     // each message holds a UUID and 64 hex digits that no other holds
	kindProse   = "prose"   // long messages out of 50,000 words
	kindUnicode = "unicode" // CJK, Cyrillic, accents, emoji
	kindLarge   = "large"   // messages of 64 KiB
	kindSingle  = "single"  // all records are of one container
	kindCrowd   = "crowd"   // 100,000 containers, all equally busy
)

var kinds = []string{kindNormal, kindIDs, kindProse, kindUnicode, kindLarge, kindSingle, kindCrowd}

// crowd is how many containers a host of kindCrowd has.
const crowd = 100_000

// largeMessage is how long the messages of kindLarge are, in bytes.
const largeMessage = 64 << 10

// tongue makes the messages of a kind. It draws from a source of its own, so that what a record is but for
// its message is the same in all kinds.
type tongue struct {
	kind string
	rnd  *rand.Rand
	vocabulary
}

func newTongue(kind string, seed int64) *tongue {
	t := &tongue{kind: kind, rnd: rand.New(rand.NewSource(seed ^ 0x5eed))}
	switch kind {
	case kindProse, kindLarge:
		t.vocabulary = latin(t.rnd, 50_000)
	case kindUnicode:
		t.vocabulary = manyScripts(t.rnd, 20_000)
	}
	return t
}

// say is the message of a record that would say plain in the normal kind.
func (t *tongue) say(plain string) string {
	switch t.kind {
	case kindIDs:
		var b [48]byte
		t.rnd.Read(b[:])
		h := hex.EncodeToString(b[:16])
		return fmt.Sprintf("%s request %s-%s-%s-%s-%s sha256:%s", plain, h[:8], h[8:12], h[12:16], h[16:20], h[20:], hex.EncodeToString(b[16:]))
	case kindProse:
		return t.text(t.rnd, 300+t.rnd.Intn(700))
	case kindUnicode:
		return t.text(t.rnd, 60+t.rnd.Intn(240))
	case kindLarge:
		return t.text(t.rnd, largeMessage)
	}
	return plain
}

// place is the container that a record of the crowd is about, else c.
func (t *tongue) place(containers []container, c *container) *container {
	if t.kind == kindCrowd {
		return &containers[t.rnd.Intn(len(containers))]
	}
	return c
}

// dress makes a record of the normal kind one of this kind.
func (t *tongue) dress(rec *format.Record) {
	rec.Msg = strings.ToValidUTF8(t.say(rec.Msg), "")
}
