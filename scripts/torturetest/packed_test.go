package torturetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// hurry makes compression do within a round what it takes an hour for: a segment is compressed a tenth of a second
// after its last record, and its plain file goes as soon after that.
var hurry = []plant{
	{"it looks often", "format/compress/compressor.go", "lookEvery = time.Minute", "lookEvery = 50 * time.Millisecond", nil},
	{"both files are there for a moment", "format/compress/compressor.go", "grace     = 20 * time.Second", "grace     = 100 * time.Millisecond", nil},
	{"an hour is a tenth of a second", "format/compress/compressor.go", "age < after {", "age < after/36000 {", nil},
}

const packedSuffix = ".zst"

// segments names the segments, by their plain files, which need not be there.
func (b *box) segments(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(b.dir, "log", "[0-9]*.jsonl"))
	packed, perr := filepath.Glob(filepath.Join(b.dir, "log", "[0-9]*.jsonl"+packedSuffix))
	if err = errors.Join(err, perr); err != nil {
		t.Fatal(err)
	}
	for _, name := range packed {
		names = append(names, strings.TrimSuffix(name, packedSuffix))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// plain reads a segment as cat or zstdcat would; nil when it was removed by rule meanwhile. A compressed file is whole
// from the moment on at which it has its name, also beside the plain one.
func (b *box) plain(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	packed, perr := zstdcat(name + packedSuffix)
	switch {
	case errors.Is(perr, fs.ErrNotExist):
		return text
	case perr != nil:
		t.Fatalf("%s cannot be read: %v", filepath.Base(name)+packedSuffix, perr)
	case err == nil && !bytes.Equal(text, packed):
		t.Fatalf("%s holds %d bytes, which is not what the plain file holds: %d bytes", filepath.Base(name)+packedSuffix, len(packed), len(text))
	}
	b.packed++
	return packed
}

// zstdcat is the program of that name.
func zstdcat(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err == nil && fi.Size() == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, err
	}
	r, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// settles waits until all but the newest segment is compressed, and nothing else of it is left.
func (b *box) settles(t *testing.T) {
	t.Helper()
	if os.Getenv("SHIPLOG_BINARY") != "" && os.Getenv(plantEnv) == "" {
		return // it takes an hour
	}
	var left string
	defer func() {
		if t.Failed() {
			t.Logf("there are %s", left)
		}
	}()
	b.await(t, "all but the newest segment is not compressed", func() bool {
		ents, err := os.ReadDir(filepath.Join(b.dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		left = ""
		plain, unfinished := 0, 0
		for _, e := range ents {
			left += fmt.Sprintf(" %s", e.Name())
			switch {
			case strings.HasSuffix(e.Name(), ".tmp"):
				unfinished++
			case strings.HasSuffix(e.Name(), ".jsonl") && e.Name()[0] <= '9':
				plain++
			}
		}
		return plain == 1 && unfinished == 0
	})
	if b.packed == 0 {
		t.Error("no compressed segment was ever read: the test tests less than it says")
	}
}
