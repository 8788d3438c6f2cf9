package index

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"shiplog/format"
)

// The files of the index of one segment, in a folder named after its first record.
const (
	manifestFile = "manifest.json"
	columnsFile  = "columns"
	gateFile     = "gate"
	bleveFolder  = "bleve"
)

// indexVersion is raised when the meaning of any index file changes; others are built anew.
//
//	1  first
//	2  columns: facets; the tag of an object
//	3  gate: blocks whose text is not in Bleve
//	4  gate: long runs as filters of blocks; Bleve: nothing of long runs, no folder of its own inside
//	5  columns: a head with a checksum of its own
//	6  columns: hex digits of an object are packed, offsets by groups; gate: 5-grams outside of long runs
const indexVersion = 6

// maxManifest bounds a manifest, in bytes; one of a dozen files is 2 KiB.
const maxManifest = 1 << 20

// manifest binds the index of a segment to the segment and to its own files. It is written last.
type manifest struct {
	Version int                 `json:"version"`
	Segment fileSum             `json:"segment"`
	MTime   time.Time           `json:"mtime"`  // of the segment; another time with the same sum is fine
	Blocks  int                 `json:"blocks"` // Bleve documents; 0: no gate and no Bleve
	Head    *fileSum            `json:"head"`   // of the file of columns
	Files   map[string]*fileSum `json:"files"`
}

// fileSum is what a file must be.
type fileSum struct {
	Size int64  `json:"size"`
	CRC  uint32 `json:"crc32c"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openFile opens what is a file. A pipe is not waited for.
func openFile(path string) (*os.File, os.FileInfo, error) {
	f, err := format.OpenRegular(path)
	if errors.Is(err, format.ErrNotFile) {
		err = fmt.Errorf("%w: %w", errBadFile, err)
	}
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, fi, nil
}

func sumFile(path string) (*fileSum, error) {
	f, _, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return sumOf(f)
}

func sumOf(r io.Reader) (*fileSum, error) {
	h := crc32.New(castagnoli)
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return &fileSum{n, h.Sum32()}, err
}

// sumSegment sums the plain bytes of a segment.
func (x *Index) sumSegment(name string) (*fileSum, error) {
	f, err := x.log.OpenSegment(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return sumOf(io.NewSectionReader(f, 0, math.MaxInt64))
}

// readManifest reads and judges the manifest in dir for a segment file, which is id and has the sum that sum returns.
func readManifest(dir string, id fileID, sum func() (*fileSum, error)) (*manifest, error) {
	f, _, err := openFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err == nil && len(b) > maxManifest {
		err = fmt.Errorf("%w: manifest of more than %d bytes", errBadFile, maxManifest)
	}
	if err != nil {
		return nil, err
	}
	m := new(manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", errBadFile, err)
	}
	if m.Version != indexVersion || m.Files[columnsFile] == nil || m.Head == nil || m.Blocks < 0 || m.Blocks > 0 && m.Files[gateFile] == nil {
		return nil, fmt.Errorf("%w: manifest of version %d", errBadFile, m.Version)
	}
	if m.Segment.Size != id.size {
		return nil, fmt.Errorf("%w: made of a segment of %d bytes, it has %d", errBadFile, m.Segment.Size, id.size)
	}
	if m.MTime.Equal(id.mtime) {
		return m, nil
	}
	now, err := sum() // a copied directory has new times
	if err != nil {
		return nil, err
	}
	if *now != m.Segment {
		return nil, fmt.Errorf("%w: the segment was changed", errBadFile)
	}
	return m, nil
}

// writeManifest sums all files in dir, syncs them and writes the manifest.
func writeManifest(dir string, m *manifest) error {
	m.Version, m.Files = indexVersion, make(map[string]*fileSum)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return nil
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if m.Files[filepath.ToSlash(name)], err = sumFile(path); err != nil {
			return err
		}
		return syncFile(path)
	})
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, manifestFile)
	if err := os.WriteFile(path, append(b, '\n'), 0o640); err != nil {
		return err
	}
	if err := syncFile(path); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			err = syncFile(path)
		}
		return err
	})
}

// syncFile syncs a file or a folder.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// mapFile maps the file at path for reading when it has the size that want says. Nobody has held it against the checksum.
// Its first bytes, as many as head, are on the way into memory: faults would bring in several times as much, piece by piece.
func mapFile(path string, want *fileSum, head int64) ([]byte, error) {
	f, fi, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi.Size() != want.Size || fi.Size() == 0 || fi.Size() != int64(int(fi.Size())) {
		return nil, fmt.Errorf("%w: %s has %d bytes, want %d", errBadFile, filepath.Base(path), fi.Size(), want.Size)
	}
	if head > 0 {
		fetchAhead(int(f.Fd()), head)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(fi.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", filepath.Base(path), err)
	}
	return b, nil
}

// checkSum holds a mapped file against its sum.
func checkSum(name string, b []byte, want *fileSum) error {
	if crc32.Checksum(b, castagnoli) != want.CRC {
		return fmt.Errorf("%w: checksum of %s does not match", errBadFile, name)
	}
	return nil
}
