package index

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// disk is the index of one sealed segment, open. Its files are mapped; it is unmapped when the last of those
// who look at it lets go.
type disk struct {
	dir  string
	man  *manifest
	file os.FileInfo // of the manifest, to tell this index from one that another process put in its place
	head *head       // lies in maps: who looks is guarded

	mu        sync.Mutex
	refs      int                  // guarded by mu, as all below; the segment holds one
	maps      [][]byte             // mapped files; the first is that of the columns
	cols      *columns             // nil: not checked yet; constant once it is not
	colsFault error                // what was wrong with them
	g         *gate                // nil: not opened yet
	fault     error                // what was wrong with the gate
	summed    map[string]fileState // files of Bleve that had the right sum, by name

	names   facetNames // of cols.facets; without a table: not made yet, or noNames
	roll    *rollup    // nil: not made yet, or noRoll
	rolls   *rollups   // what names and roll are accounted in
	noNames bool       // there are too many, or there was no room
	noRoll  bool       // it is not worth it, or there was no room
}

// openDisk opens the index in dir of a segment file, which is id and has the sum that sum returns. Of the columns only
// the head is read and checked; all else waits until somebody needs it.
func openDisk(dir string, id fileID, sum func() (*fileSum, error)) (*disk, error) {
	fi, err := os.Stat(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, err
	}
	man, err := readManifest(dir, id, sum)
	if err != nil {
		return nil, err
	}
	b, err := mapFile(filepath.Join(dir, columnsFile), man.Files[columnsFile], man.Head.Size)
	if err != nil {
		return nil, err
	}
	d := &disk{dir: dir, man: man, file: fi, refs: 1, maps: [][]byte{b}}
	err = guard(func() error { d.head, err = readHead(b, man.Head); return err })
	if err == nil && (d.head.end > id.size || man.Blocks > 0 && man.Blocks != d.head.blocks()) {
		err = fmt.Errorf("%w: columns of another segment", errBadFile)
	}
	if err != nil {
		d.release()
		return nil, err
	}
	return d, nil
}

// columns are the columns, which are checked when they are first asked for. The caller holds d.
func (d *disk) columns() (*columns, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cols != nil || d.colsFault != nil {
		return d.cols, d.colsFault
	}
	b, c := d.maps[0], (*columns)(nil)
	err := guard(func() (err error) {
		if err = checkSum(columnsFile, b, d.man.Files[columnsFile]); err == nil {
			c, err = decodeColumns(b)
		}
		return err
	})
	if err != nil {
		d.colsFault = fmt.Errorf("%w: %w", errStale, err)
		return nil, d.colsFault
	}
	_ = unix.Madvise(b, unix.MADV_DONTNEED) // looked at once from end to end; what queries need comes back
	c.cube, c.merged = d.head.cube, d.head.merged
	d.cols = c
	return c, nil
}

// checked are the columns if they were asked for before; nil: not yet.
func (d *disk) checked() *columns {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cols
}

// replaced tells whether another index lies where d was opened.
func (d *disk) replaced() bool {
	fi, err := os.Stat(filepath.Join(d.dir, manifestFile))
	return err == nil && !(os.SameFile(fi, d.file) && fi.ModTime().Equal(d.file.ModTime()))
}

// acquire makes the caller one who looks at d; false when d is closed already.
func (d *disk) acquire() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refs == 0 {
		return false
	}
	d.refs++
	return true
}

func (d *disk) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refs--; d.refs > 0 {
		return
	}
	for _, b := range d.maps {
		_ = unix.Munmap(b)
	}
	d.maps = nil
	d.dropRollup()
}

// dropRollup lets go of the rollup; it is made again when it is asked for. d.mu is held.
func (d *disk) dropRollup() {
	if d.roll != nil {
		d.rolls.give(d.roll.size())
	}
	if d.names.table != nil {
		d.rolls.letGo(d.names)
	}
	d.names, d.roll, d.noNames, d.noRoll = facetNames{}, nil, false, false
}

// rest gives back the memory of pages that were looked at, and of the rollup. They come back from the file when they
// are needed.
func (d *disk) rest() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.maps {
		_ = unix.Madvise(b, unix.MADV_DONTNEED)
	}
	d.dropRollup()
}

// gate opens the gate when it is first asked for; nil when the segment has none.
func (d *disk) gate() (*gate, error) {
	if d.man.Blocks == 0 {
		return nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.g != nil || d.fault != nil {
		return d.g, d.fault
	}
	b, err := mapFile(filepath.Join(d.dir, gateFile), d.man.Files[gateFile], 0)
	if err == nil {
		d.maps = append(d.maps, b)
		err = guard(func() (err error) {
			if err = checkSum(gateFile, b, d.man.Files[gateFile]); err == nil {
				d.g, err = decodeGate(b, d.man.Blocks)
			}
			return err
		})
	}
	_ = unix.Madvise(b, unix.MADV_DONTNEED)
	if isShortage(err) {
		return nil, err
	}
	if err != nil {
		d.g, d.fault = nil, fmt.Errorf("%w: %w", errStale, err)
	}
	return d.g, d.fault
}

// isShortage tells whether err says nothing of a file: this process has no descriptor or no memory left to open it.
func isShortage(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM)
}

// What is known of a segment's index on disk.
const (
	diskUnknown = iota // look
	diskNone           // there was none; look again when the folder changes
	diskOpen
	diskBad // it was set aside
)

// diskOf returns the index of s, acquired, or nil when there is none that can be believed. s is sealed.
func (x *Index) diskOf(s *segment, id fileID) *disk {
	if x.opts.Dir == "" || !littleEndian() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.diskState == diskOpen && s.disk.acquire() {
		return s.disk
	}
	if s.diskState != diskUnknown {
		return nil
	}
	d, err := openDisk(x.indexDir(s), id, func() (*fileSum, error) { return x.sumSegment(s.Name) })
	switch {
	case err == nil:
		d.refs++
		s.disk, s.diskState, s.thin, s.span = d, diskOpen, nil, d.head.span()
		x.cache.forgetLocked(s)
		return d
	case isShortage(err): // it may open the next time
	case errors.Is(err, errBadFile) || errors.Is(err, errStale):
		s.diskState = diskBad
		x.setAside(s, err)
	default: // not there, or not to be read just now
		s.diskState = diskNone
	}
	return nil
}

// closeDisk lets go of s's index on disk. s.mu is held.
func (x *Index) closeDisk(s *segment, state int) {
	if s.disk != nil {
		x.shards.drop(s.disk)
		s.disk.release()
		s.disk = nil
	}
	s.diskState = state
}

// setAside moves an index that cannot be believed out of the way, so that nobody opens it again, and asks
// for a new one. Where nothing may be written it is only remembered. s.mu is held.
func (x *Index) setAside(s *segment, why error) {
	x.count.setAside.Add(1)
	x.opts.Logger.Warn("index set aside", "segment", s.Name, "err", why)
	if x.opts.ReadOnly {
		return
	}
	dir := x.indexDir(s)
	_ = os.RemoveAll(dir + badMark) // of an earlier time
	if err := os.Rename(dir, dir+badMark); err != nil && !errors.Is(err, os.ErrNotExist) {
		x.opts.Logger.Warn("index cannot be moved", "dir", dir, "err", err)
	}
	select {
	case x.kick <- struct{}{}:
	default:
	}
}

// indexDir is where the index of s is.
func (x *Index) indexDir(s *segment) string {
	return filepath.Join(x.opts.Dir, indexName(s.Name))
}
