package index

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// disk is the index of one sealed segment, open. Its files are mapped; it is unmapped when the last of those
// who look at it lets go.
type disk struct {
	dir  string
	man  *manifest
	cols *columns

	mu    sync.Mutex
	refs  int      // guarded by mu, as all below; the segment holds one
	maps  [][]byte // mapped files
	g     *gate    // nil: not opened yet
	fault error    // what was wrong with the gate
}

// openDisk opens the index in dir of the segment file at path, which is id. Columns are checked and mapped;
// gate and Bleve wait until a text is searched.
func openDisk(dir, path string, id fileID) (*disk, error) {
	man, err := readManifest(dir, path, id)
	if err != nil {
		return nil, err
	}
	b, err := mapFile(filepath.Join(dir, columnsFile), man.Files[columnsFile])
	if err != nil {
		return nil, err
	}
	d := &disk{dir: dir, man: man, refs: 1, maps: [][]byte{b}}
	err = guard(func() error { d.cols, err = decodeColumns(b); return err })
	if err == nil && (d.cols.end > id.size || man.Blocks > 0 && man.Blocks != d.cols.blocks()) {
		err = fmt.Errorf("%w: columns of another segment", errBadFile)
	}
	if err != nil {
		d.release()
		return nil, err
	}
	return d, nil
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
	b, err := mapFile(filepath.Join(d.dir, gateFile), d.man.Files[gateFile])
	if err == nil {
		d.maps = append(d.maps, b)
		err = guard(func() error { d.g, err = decodeGate(b, d.man.Blocks); return err })
	}
	if err != nil {
		d.g, d.fault = nil, fmt.Errorf("%w: %w", errStale, err)
	}
	return d.g, d.fault
}

// checkBleve holds the files of the Bleve index against their sums: Bleve itself does not.
func (d *disk) checkBleve() error {
	for name, want := range d.man.Files {
		if !strings.HasPrefix(name, bleveFolder+"/") {
			continue
		}
		got, err := sumFile(filepath.Join(d.dir, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("%w: %w", errStale, err)
		}
		if *got != *want {
			return fmt.Errorf("%w: checksum of %s does not match", errStale, name)
		}
	}
	return nil
}

// shards keeps the Bleve indexes used last open. An open one costs memory and files; opening one costs 0.3 ms.
type shards struct {
	mu    sync.Mutex
	clock uint64 // guarded by mu, as all below
	open  map[*disk]*shard
}

type shard struct {
	*bleveIndex
	refs int
	used uint64
	gone bool // close when refs is 0
}

// maxOpenShards is how many Bleve indexes stay open.
const maxOpenShards = 32

// with calls fn with the open Bleve index of d.
func (s *shards) with(d *disk, fn func(*bleveIndex) error) error {
	sh, err := s.acquire(d)
	if err != nil {
		return err
	}
	defer s.release(sh)
	return fn(sh.bleveIndex)
}

// acquire opens under the lock: at most maxTextSearches want a shard at a time, and mostly the same one.
func (s *shards) acquire(d *disk) (*shard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.open[d]
	if sh == nil {
		if err := d.checkBleve(); err != nil {
			return nil, err
		}
		b, err := openBleve(filepath.Join(d.dir, bleveFolder))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errStale, err)
		}
		sh = &shard{bleveIndex: b}
		if s.open == nil {
			s.open = make(map[*disk]*shard)
		}
		s.open[d] = sh
		s.trim(maxOpenShards)
	}
	s.clock++
	sh.used = s.clock
	sh.refs++
	return sh, nil
}

func (s *shards) release(sh *shard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh.refs--; sh.refs == 0 && sh.gone {
		_ = sh.close()
	}
}

// trim closes the least recently used until no more than n are open. mu is held.
func (s *shards) trim(n int) {
	for len(s.open) > n {
		var oldest *disk
		for d, sh := range s.open {
			if oldest == nil || sh.used < s.open[oldest].used {
				oldest = d
			}
		}
		s.dropLocked(oldest)
	}
}

// drop closes the shard of d, now or when its last user lets go.
func (s *shards) drop(d *disk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(d)
}

func (s *shards) dropLocked(d *disk) {
	sh := s.open[d]
	if sh == nil {
		return
	}
	delete(s.open, d)
	if sh.gone = true; sh.refs == 0 {
		_ = sh.close()
	}
}

// cool closes what was not used since the last call with the clock it returned.
func (s *shards) cool(since uint64) (clock uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, sh := range s.open {
		if sh.used <= since {
			s.dropLocked(d)
		}
	}
	return s.clock
}

func (s *shards) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
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
	d, err := openDisk(x.indexDir(s), s.path, id)
	switch {
	case err == nil:
		d.refs++
		s.disk, s.diskState, s.thin = d, diskOpen, nil
		x.cache.forgetLocked(s)
		return d
	case errors.Is(err, os.ErrNotExist):
		s.diskState = diskNone
	default:
		s.diskState = diskBad
		x.setAside(s, err)
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
	return filepath.Join(x.opts.Dir, strings.TrimSuffix(s.Name, ".jsonl"))
}

// askBleve returns the blocks of the segment that may hold the text, by gate and Bleve; nil: all.
func (r *run) askBleve(ctx context.Context, t *table, n *need) (set blockSet, err error) {
	if len(n.grams)+len(n.runs)+len(n.either) == 0 {
		return nil, nil
	}
	err = guard(func() error {
		return r.x.shards.with(t.disk, func(b *bleveIndex) (err error) {
			set, err = b.answer(ctx, t.gate, t.cols.blocks(), n, r.m)
			return err
		})
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, errStale) {
		err = fmt.Errorf("%w: %w", errStale, err)
	}
	return set, err
}
