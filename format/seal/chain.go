package seal

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"shiplog/format"
)

// SealsName is the file of the chain in the folder of segments.
const SealsName = "SEALS.jsonl"

// chain is what SEALS.jsonl says, checked line by line.
type chain struct {
	lines   []*Line    // those that could be read
	hashes  treeHashes // of all lines
	size    int64      // lines
	prev    string     // hash of the last line
	good    int64      // bytes of whole lines
	torn    int64      // bytes after the last newline
	keys    []keyFrom  // of the epochs
	origin  string     // of the first key
	faults  []chainFault
	foreign bool // a signature was not of the key of its epoch: what follows is not checked for that any more

	fallback string // key to begin with when the first line does not name one
}

// keyFrom is the key that signs the checkpoint from a size of the chain on, and the line after it.
type keyFrom struct {
	size     int64
	verifier note.Verifier
	public   string
}

// chainFault is a line of SEALS.jsonl that is not as it was written.
type chainFault struct {
	word Word
	line int64 // from 1, in the file
	seg  string
	text string

	blank bool // what a line said is not known any more
}

// treeHashes are the stored hashes of a Merkle tree.
type treeHashes []tlog.Hash

// ReadHashes implements tlog.HashReader.
func (t treeHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		if at < 0 || at >= int64(len(t)) {
			return nil, fmt.Errorf("hash %d of the tree is not there", at)
		}
		out[i] = t[at]
	}
	return out, nil
}

// newChain is the empty chain that begins with a key.
func newChain(public string) (*chain, error) {
	c := &chain{prev: zeroHash}
	return c, c.begin(public)
}

func (c *chain) begin(public string) error {
	v, err := note.NewVerifier(public)
	if err != nil {
		return fmt.Errorf("%w: key %.200q: %w", errNotChain, public, err)
	}
	c.keys, c.origin = []keyFrom{{0, v, public}}, v.Name()
	return nil
}

// key is the one in force at a size of the chain.
func (c *chain) key(size int64) keyFrom {
	k := c.keys[0]
	for _, next := range c.keys[1:] {
		if next.size <= size {
			k = next
		}
	}
	return k
}

// root is the root of the first size lines.
func (c *chain) root(size int64) (tlog.Hash, error) {
	if size > c.size {
		return tlog.Hash{}, fmt.Errorf("the chain has %d lines, not %d", c.size, size)
	}
	return tlog.TreeHash(size, c.hashes)
}

// readChain reads a chain that begins with the key public; empty: with the one that its first line names, or else
// with fallback. What is wrong with lines is in faults. errNotChain when there is no key to begin with, or no lines.
func readChain(path, public, fallback string) (*chain, error) {
	c := &chain{prev: zeroHash, fallback: fallback}
	if public != "" {
		if err := c.begin(public); err != nil {
			return nil, err
		}
	}
	f, err := format.OpenRegular(path)
	switch {
	case err == nil:
		defer f.Close()
		err = c.readFrom(f)
	case errors.Is(err, os.ErrNotExist):
		err = nil
	}
	if err == nil && len(c.keys) == 0 {
		err = c.begin(fallback)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

var errNotChain = errors.New("this is no chain of seals")

func (c *chain) readFrom(f io.Reader) error {
	r := bufio.NewReaderSize(f, maxSealLine)
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("%s line %d is longer than %d KiB: %w", SealsName, c.size+1, maxSealLine>>10, errNotChain)
		}
		if err == io.EOF {
			c.torn = int64(len(line))
			return nil
		}
		if err != nil {
			return err
		}
		if c.size == maxSealLines {
			return fmt.Errorf("%s has more than %d lines: %w", SealsName, maxSealLines, errNotChain)
		}
		c.good += int64(len(line))
		if err := c.take(bytes.TrimSuffix(line, newline)); err != nil {
			return err
		}
	}
}

// take appends a line that stands in the file, and notes what is wrong with it.
func (c *chain) take(b []byte) error {
	l, sig, err := parseLine(b)
	if errors.Is(err, format.ErrVersion) {
		return fmt.Errorf("%s line %d: %w", SealsName, c.size+1, err)
	}
	if len(c.keys) == 0 {
		public := c.fallback
		if err == nil && l.Key != "" {
			public = l.Key
		}
		if err := c.begin(public); err != nil {
			return fmt.Errorf("%s line 1: %w", SealsName, err)
		}
	}
	if err != nil {
		c.fault(WordSealEdited, &Line{}, fmt.Sprintf("it is no line of seals: %v", err))
		return c.push(&Line{N: c.expected(), Prev: c.prev}, b)
	}
	c.checkPlace(l)
	c.checkSignature(l, sig)
	return c.push(l, b)
}

// expected is the number that the next line should have.
func (c *chain) expected() int64 {
	if n := len(c.lines); n > 0 {
		return c.lines[n-1].N + 1
	}
	return 1
}

func (c *chain) checkPlace(l *Line) {
	want := c.expected()
	switch {
	case l.N > want:
		c.fault(WordSealsCut, l, fmt.Sprintf("the lines with the numbers %d to %d are gone", want, l.N-1))
	case l.N < want:
		c.fault(WordSealEdited, l, fmt.Sprintf("it has the number %d and stands after number %d", l.N, want-1))
	case l.Prev != c.prev && !c.faulty(c.size):
		c.fault(WordSealEdited, l, "it does not fit to the line before, which was changed")
	}
}

// faulty tells whether there is a fault at a line of the file.
func (c *chain) faulty(line int64) bool {
	return slices.ContainsFunc(c.faults, func(f chainFault) bool { return f.line == line })
}

func (c *chain) checkSignature(l *Line, sig *signature) {
	if c.foreign {
		return
	}
	k := c.key(c.size)
	if sig.by(k.verifier) {
		return
	}
	older := slices.IndexFunc(c.keys, func(k keyFrom) bool { return sig.hash == k.verifier.KeyHash() })
	switch {
	case sig.hash == k.verifier.KeyHash():
		c.fault(WordSealEdited, l, "it was changed after it was signed")
	case older >= 0:
		c.foreign = true
		c.fault(WordOldKey, l, fmt.Sprintf("it is signed with the key of epoch %d, which had ended: who has that old key made it", older))
	default:
		c.foreign = true
		c.fault(WordForeignKey, l, fmt.Sprintf("it is signed with a key %08x that is not the one of this log, %08x; so may be all that follows", sig.hash, k.verifier.KeyHash()))
	}
}

func (c *chain) fault(word Word, l *Line, text string) {
	c.faults = append(c.faults, chainFault{word: word, line: c.size + 1, seg: l.Seg, text: text, blank: word == WordSealsCut || l.V == 0})
}

// push appends a line to the tree.
func (c *chain) push(l *Line, b []byte) error {
	hashes, err := tlog.StoredHashes(c.size, b, c.hashes)
	if err != nil {
		return err
	}
	if l.NextKey != "" {
		v, err := note.NewVerifier(l.NextKey)
		switch {
		case err == nil && v.Name() == c.origin:
			c.keys = append(c.keys, keyFrom{c.size + 1, v, l.NextKey})
		case !c.foreign:
			c.fault(WordSealEdited, l, "the next key in it is none")
		}
	}
	c.hashes = append(c.hashes, hashes...)
	c.lines = append(c.lines, l)
	c.size++
	h := sha256.Sum256(b)
	c.prev = hex.EncodeToString(h[:])
	return nil
}
