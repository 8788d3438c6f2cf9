package index

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"

	"shiplog/format"
)

// build makes the index of a sealed segment: in a folder of its own, synced, then renamed into place. Who
// looks sees the whole of it or nothing.
func (x *Index) build(s *segment) (err error) {
	fi, err := x.log.StatSegment(s.Name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(x.opts.Dir, 0o750); err != nil {
		return err
	}
	dir := x.indexDir(s)
	tmp, err := os.MkdirTemp(x.opts.Dir, filepath.Base(dir)+tmpMark)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o750); err != nil {
		return err
	}
	man := &manifest{MTime: fi.ModTime()}
	if err := x.buildFiles(s, tmp, man); err != nil {
		return err
	}
	sum, err := x.sumSegment(s.Name)
	if err != nil {
		return err
	}
	if now, err := x.log.StatSegment(s.Name); err != nil || !fileIDOf(now).same(fileIDOf(fi)) {
		return fmt.Errorf("segment %s changed while its index was made: %w", s.Name, errors.Join(err, errStale))
	}
	man.Segment = *sum
	if err := writeManifest(tmp, man); err != nil {
		return err
	}
	if d, err := openDisk(dir, fileIDOf(fi), func() (*fileSum, error) { return x.sumSegment(s.Name) }); err == nil { // another process was quicker, and may be reading it
		d.release()
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return err
	}
	_ = os.RemoveAll(dir + badMark)
	return syncFile(x.opts.Dir)
}

const (
	tmpMark = ".tmp-" // in the names of folders that are being made
	badMark = ".bad"  // at the end of the names of indexes that were set aside
)

// buildFiles reads the segment once and writes its columns, gate and Bleve index into dir.
func (x *Index) buildFiles(s *segment, dir string, man *manifest) error {
	b, t := newBuilder(false), newTerms(x.limits)
	torn, err := s.lines(context.Background(), x.log, b, 0, func(*format.Fields) { t.add(b.text, b.cat.last, b.user.last) })
	if err != nil {
		return err
	}
	b.c.damaged += torn
	c := b.view()
	c.cube = makeCube(c)
	encoded := c.encode()
	man.Head = headSum(encoded)
	if err := os.WriteFile(filepath.Join(dir, columnsFile), encoded, 0o640); err != nil {
		return err
	}
	if c.rows == 0 || c.shuffled || c.category.lost || c.user.lost || c.blocks() > math.MaxUint16 {
		return nil // found by reading the lines
	}
	t.endBlock()
	stop := t.stopGrams()
	g := t.gate(stop)
	t.runs, t.seen = nil, gramTable{} // Bleve needs the memory
	man.Blocks = len(t.blocks)
	if g.docs, err = buildBleve(filepath.Join(dir, bleveFolder), t, c, stop); err != nil {
		return fmt.Errorf("build bleve: %w", err)
	}
	return os.WriteFile(filepath.Join(dir, gateFile), g.encode(), 0o640)
}

// buildNicely builds with the least cost to others: on a thread of its own that is nice to the rest of the
// machine, with the collector kept tight, and gives the memory back at once.
func (x *Index) buildNicely(s *segment) error {
	start := time.Now()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its niceness
		const nice = 10
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, nice)
		defer debug.FreeOSMemory()
		defer debug.SetGCPercent(debug.SetGCPercent(50))
		done <- guard(func() error { return x.build(s) }) // Bleve maps what it has just written
	}()
	err := <-done
	if err == nil {
		x.count.builds.Add(1)
		x.count.buildNanos.Add(int64(time.Since(start)))
		x.opts.Logger.Info("segment indexed", "segment", s.Name, "took", time.Since(start).Round(time.Millisecond))
	}
	return err
}
