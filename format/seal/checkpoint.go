package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"shiplog/format"
)

// CheckpointName is the file of the checkpoint in the folder of segments.
const CheckpointName = "checkpoint"

const maxCheckpoint = 16 << 10 // bytes

// Checkpoint is what a checkpoint says.
type Checkpoint struct {
	Origin string
	Size   int64 // lines of SEALS.jsonl
	Root   tlog.Hash
	Key    string // verifier line of epoch 0, as the checkpoint itself claims
	Time   time.Time
	Tail   *Tail // nil: none

	text []byte // the whole note
}

// errCannotRead says that the system did not give a file, which says nothing of what is in it.
var errCannotRead = errors.New("cannot be read now")

// cannotRead is errCannotRead with its cause.
type cannotRead struct{ cause error }

func (e *cannotRead) Error() string   { return e.cause.Error() }
func (e *cannotRead) Unwrap() []error { return []error{errCannotRead, e.cause} }

// ErrNoCheckpoint says that a log has no checkpoint, so it is not sealed.
var ErrNoCheckpoint = errors.New("no checkpoint")

// body is the text that is signed.
func (c *Checkpoint) body() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
	fmt.Fprintf(&b, "key %s\ntime %s\n", c.Key, c.Time.UTC().Format(time.RFC3339Nano))
	if t := c.Tail; t != nil {
		fmt.Fprintf(&b, "tail %s %d %d %s\n", t.Seg, t.Bytes, t.Lines, t.SHA256)
	}
	return b.String()
}

// sign fills in text.
func (c *Checkpoint) sign(s note.Signer) error {
	text, err := note.Sign(&note.Note{Text: c.body()}, s)
	c.text = text
	return err
}

// signedBy returns an error when the checkpoint does not bear a valid signature of v.
func (c *Checkpoint) signedBy(v note.Verifier) error {
	_, err := note.Open(c.text, note.VerifierList(v))
	return err
}

// ParseCheckpoint reads a checkpoint without checking its signature.
func ParseCheckpoint(text []byte) (*Checkpoint, error) {
	if len(text) > maxCheckpoint {
		return nil, errors.New("checkpoint: too long")
	}
	end := bytes.LastIndex(text, []byte("\n\n"))
	if end < 0 {
		return nil, errors.New("checkpoint: not a signed note")
	}
	lines := strings.Split(string(text[:end]), "\n")
	if len(lines) < 3 || lines[0] == "" {
		return nil, errors.New("checkpoint: origin, size and root are missing")
	}
	c := &Checkpoint{Origin: lines[0], text: text}
	var err error
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 || strconv.FormatInt(c.Size, 10) != lines[1] {
		return nil, fmt.Errorf("checkpoint: size %q is no number", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return nil, errors.New("checkpoint: the root is no hash")
	}
	copy(c.Root[:], root)
	for _, line := range lines[3:] {
		if err := c.extension(line); err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
	}
	return c, nil
}

// extension reads a line after the third. Unknown ones are passed over.
func (c *Checkpoint) extension(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	var err error
	switch word {
	case "key":
		c.Key = rest
	case "time":
		c.Time, err = time.Parse(time.RFC3339Nano, rest)
	case "tail":
		f := strings.Split(rest, " ")
		if len(f) != 4 {
			return errors.New("the tail is none")
		}
		t := &Tail{Seg: f[0], SHA256: f[3]}
		var e1, e2 error
		t.Bytes, e1 = strconv.ParseInt(f[1], 10, 64)
		t.Lines, e2 = strconv.ParseUint(f[2], 10, 64)
		if e1 != nil || e2 != nil || !t.valid() {
			return errors.New("the tail is none")
		}
		c.Tail = t
	}
	return err
}

// ReadCheckpoint reads the checkpoint of the log in dir, which is a data directory or a folder of segments. It does
// not check the signature. ErrNoCheckpoint when there is none.
func ReadCheckpoint(dir string) (*Checkpoint, error) {
	text, err := readSmall(filepath.Join(logDir(dir), CheckpointName), maxCheckpoint)
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoCheckpoint
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok && errno != syscall.ELOOP {
		return nil, &cannotRead{err}
	}
	if err != nil {
		return nil, err
	}
	return ParseCheckpoint(text)
}

// Text is the signed note, as it stands in the file.
func (c *Checkpoint) Text() []byte { return c.text }

// At is the size and the root, as [ParseAt] takes them.
func (c *Checkpoint) At() string { return fmt.Sprintf("%d:%s", c.Size, c.Root) }

// RootPrefix is the first 48 bits of the root as a number, which a float64 holds exactly.
func (c *Checkpoint) RootPrefix() uint64 {
	n := uint64(0)
	for _, b := range c.Root[:6] {
		n = n<<8 | uint64(b)
	}
	return n
}

// logDir is the folder of segments of a data directory, or dir when it is that folder.
func logDir(dir string) string {
	if sub := filepath.Join(dir, "log"); isDir(sub) {
		return sub
	}
	return dir
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

// readSmall reads a file of at most limit bytes.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := format.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", filepath.Base(path), limit)
	}
	return b, err
}
