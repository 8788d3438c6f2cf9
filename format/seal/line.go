package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"shiplog/format"
)

const (
	lineVersion  = 1
	maxSealLine  = 256 << 10 // bytes of a line of SEALS.jsonl
	maxSealLines = 1 << 20   // of SEALS.jsonl: 32 TiB of log
	maxRetired   = 1000      // segments in one line
	signedPrefix = "shiplog seal v1\n"
)

// Line is one line of SEALS.jsonl, see the package's document. It seals a segment, retires some, or holds a tail.
type Line struct {
	V       int       `json:"v"`
	N       int64     `json:"n"`
	Seg     string    `json:"seg,omitempty"`
	First   uint64    `json:"first,omitempty"`
	Last    uint64    `json:"last,omitempty"`
	Lines   uint64    `json:"lines,omitempty"`
	Bytes   int64     `json:"bytes,omitempty"`
	SHA256  string    `json:"sha256,omitempty"`
	Blocks  string    `json:"blocks,omitempty"`
	Retired []string  `json:"retired,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Tail    *Tail     `json:"tail,omitempty"`
	Time    time.Time `json:"time"`
	Prev    string    `json:"prev"`
	Epoch   int       `json:"epoch"`
	Key     string    `json:"key,omitempty"`
	NextKey string    `json:"next_key,omitempty"`
	Host    string    `json:"host,omitempty"`
	Late    bool      `json:"late,omitempty"`
	Lost    bool      `json:"lost,omitempty"`
	Was     *Tail     `json:"was,omitempty"`
	From    *From     `json:"from,omitempty"`
}

// Tail is the begin of a segment that was or is the active one.
type Tail struct {
	Seg    string `json:"seg"`
	Bytes  int64  `json:"bytes"`
	Lines  uint64 `json:"lines"`
	SHA256 string `json:"sha256"`
}

// From is an earlier chain of the same files that could not be continued.
type From struct {
	Origin string `json:"origin,omitempty"`
	Key    string `json:"key,omitempty"`
	Size   int64  `json:"size,omitempty"`
	Root   string `json:"root,omitempty"` // base64, as in a checkpoint
	Reason string `json:"reason"`

	Damaged bool `json:"damaged,omitempty"` // it was not what had been signed
}

// zeroHash stands for the line before the first.
var zeroHash = hex.EncodeToString(make([]byte, sha256.Size))

// hashHex is the SHA-256 of b in hexadecimal.
func hashHex(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// sign returns the line as it stands in the file, without the newline.
func (l *Line) sign(s note.Signer) ([]byte, error) {
	body, err := json.Marshal(l)
	if err != nil {
		return nil, err
	}
	sig, err := s.Sign(append([]byte(signedPrefix), body...))
	if err != nil {
		return nil, err
	}
	raw := append(binary.BigEndian.AppendUint32(nil, s.KeyHash()), sig...)
	out := append(body[:len(body)-1], `,"sig":"`...)
	out = base64.StdEncoding.AppendEncode(out, raw)
	return append(out, `"}`...), nil
}

// signature is what a line says of who signed it.
type signature struct {
	signed []byte // the text that was signed
	hash   uint32 // of the key
	sig    []byte
}

// by tells whether the signature is that of v.
func (s *signature) by(v note.Verifier) bool {
	return s.hash == v.KeyHash() && v.Verify(s.signed, s.sig)
}

// parseLine reads one line, given without its newline. The signature is not checked.
func parseLine(b []byte) (*Line, *signature, error) {
	l := new(Line)
	if err := json.Unmarshal(b, l); err != nil {
		return nil, nil, err
	}
	if err := l.check(); err != nil {
		return nil, nil, err
	}
	i := bytes.LastIndex(b, []byte(`,"sig":"`))
	if i < 0 || !bytes.HasSuffix(b, []byte(`"}`)) {
		return nil, nil, errors.New("no signature at the end")
	}
	text := b[i+len(`,"sig":"`) : max(i+len(`,"sig":"`), len(b)-2)]
	raw, err := base64.StdEncoding.Strict().DecodeString(string(text))
	if err != nil || len(raw) <= 4 {
		return nil, nil, errors.New("the signature is none")
	}
	signed := append(append([]byte(signedPrefix), b[:i]...), '}')
	return l, &signature{signed: signed, hash: binary.BigEndian.Uint32(raw), sig: raw[4:]}, nil
}

// check holds that a line is one of the three kinds and whole.
func (l *Line) check() error {
	kinds := 0
	for _, is := range []bool{l.Seg != "", len(l.Retired) > 0, l.Tail != nil} {
		if is {
			kinds++
		}
	}
	_, seg := format.SegmentFirst(l.Seg)
	switch {
	case l.V != lineVersion:
		return fmt.Errorf("version %d of the seals is not known: %w", l.V, format.ErrVersion)
	case kinds != 1:
		return errors.New("not exactly one of seg, retired and tail")
	case l.Seg != "" && (!seg || !isHash(l.SHA256) || !isHash(l.Blocks) || l.Bytes < 0):
		return errors.New("not a whole seal")
	case len(l.Retired) > maxRetired:
		return errors.New("too many retired segments")
	case !isHash(l.Prev) || l.Epoch < 0 || l.N < 1:
		return errors.New("no place in the chain")
	}
	for _, name := range l.Retired {
		if _, ok := format.SegmentFirst(name); !ok {
			return errors.New("a retired segment has no name of one")
		}
	}
	for _, t := range []*Tail{l.Tail, l.Was} {
		if t != nil && !t.valid() {
			return errors.New("not a whole tail")
		}
	}
	return nil
}

func (t *Tail) valid() bool {
	_, ok := format.SegmentFirst(t.Seg)
	return ok && t.Bytes >= 0 && isHash(t.SHA256)
}

func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}
