package index

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	runPause   = time.Second     // between two looks of Run while records keep coming
	retryAfter = time.Minute     // a build that failed is tried again
	coolAfter  = 5 * time.Minute // a Bleve index not used for so long is closed
)

// Run keeps the indexes of sealed segments on disk, and the active segment read, until ctx ends. It is the
// only one that writes to Options.Dir; queries are right without it, only slower. While no record comes it
// wakes every 30 seconds, every five where the kernel does not tell what others write, and touches no disk.
func (x *Index) Run(ctx context.Context) error {
	leave := x.bell.join()
	defer leave()
	var failed time.Time // the last build that failed
	var cooled time.Time
	var clock uint64
	var seen *snapshot
	quiet := rest{since: time.Now()} // a start leaves behind what it read
	var unread string                // why the log cannot be read, as it was told last
	for ctx.Err() == nil {
		rung := x.bell.next()
		snap, err := x.look()
		unread = x.tellUnread(unread, err)
		if err == nil && seen == nil {
			_ = x.attend(func() error { x.openAhead(ctx, snap); return nil })
		}
		if err == nil && x.mayWrite() && time.Since(failed) > retryAfter {
			if snap != seen {
				x.sweep(snap)
			}
			if err := x.catchUp(ctx, snap); err != nil {
				failed = time.Now()
				x.opts.Logger.Warn("segment cannot be indexed; searches read it instead", "err", err)
			}
		}
		if time.Since(cooled) > coolAfter {
			clock, cooled = x.shards.cool(clock), time.Now()
		}
		if quiet.due(x.count.searches.Load()+x.count.ended.Load(), time.Now()) {
			x.rest(snap)
			giveBack()
		}
		if !x.rests(ctx, rung) {
			return nil
		}
		if snap != seen && !x.pause(ctx, runPause) {
			return nil
		}
		seen = snap
	}
	return nil
}

// maxOpening is how many indexes are opened at a time: to wait for a disk once for each of a long log takes long.
const maxOpening = 8

// openAhead opens the indexes of sealed segments, the newest first, before anybody asks.
func (x *Index) openAhead(ctx context.Context, snap *snapshot) {
	var opening errgroup.Group
	opening.SetLimit(maxOpening)
	for i := len(snap.views) - 2; i >= 0 && ctx.Err() == nil; i-- {
		v := &snap.views[i]
		opening.Go(func() error {
			if d := x.diskOf(v.seg, v.id); d != nil {
				d.release()
			}
			return nil
		})
	}
	_ = opening.Wait()
}

// tellUnread says that the log cannot be read, once for each reason: a server that may not read it would otherwise
// say so twice a second. It returns the reason for the next call; told is that of the last one.
func (x *Index) tellUnread(told string, err error) string {
	if err == nil {
		if told != "" {
			x.opts.Logger.Info("log can be read again")
		}
		return ""
	}
	if reason := err.Error(); reason != told {
		x.opts.Logger.Warn("log cannot be read; trying again", "err", err)
		return reason
	}
	return told
}

func (x *Index) mayWrite() bool { return x.opts.Dir != "" && !x.opts.ReadOnly && littleEndian() }

// catchUp builds what is missing, the newest first. It ends with the first failure, which may be that of the
// disk, but a segment that failed is the last to be tried again.
func (x *Index) catchUp(ctx context.Context, snap *snapshot) error {
	for ctx.Err() == nil {
		s := x.nextToBuild(snap)
		if s == nil {
			return nil
		}
		err := x.attend(func() error { return x.make(s) })
		s.tried(err)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if snap, err = x.look(); err != nil {
			return err
		}
	}
	return nil
}

// maxBuilds is how often the index of one segment is made before it has to wait: what is set aside again and
// again is not the fault of the index. maxRetry is how long such a segment, or one that cannot be indexed,
// is left alone at most.
const (
	maxBuilds = 5
	maxRetry  = time.Hour
)

// tried notes that the index of s was made, or why not.
func (s *segment) tried(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.builds++
	switch {
	case err != nil:
		s.notBefore = time.Now().Add(min(retryAfter<<min(s.builds, 10), maxRetry))
		return
	case s.builds >= maxBuilds:
		s.notBefore = time.Now().Add(maxRetry)
	}
	s.diskState = diskUnknown
}

// nextToBuild is the newest sealed segment without an index that can be believed whose time has come.
func (x *Index) nextToBuild(snap *snapshot) *segment {
	for i := len(snap.views) - 2; i >= 0; i-- {
		v := &snap.views[i]
		select {
		case <-x.asked: // to open the indexes of a long log takes minutes on a slow disk
		default:
		}
		if d := x.diskOf(v.seg, v.id); d != nil {
			if !d.head.within(v) {
				x.strays.Store(true)
			}
			d.release()
			continue
		}
		v.seg.mu.Lock()
		waits := time.Now().Before(v.seg.notBefore)
		v.seg.mu.Unlock()
		if !waits {
			return v.seg
		}
	}
	return nil
}

// sweep removes what a killed build left and the indexes of segments that were pruned.
func (x *Index) sweep(snap *snapshot) {
	ents, err := os.ReadDir(x.opts.Dir)
	if err != nil || len(snap.views) == 0 {
		return
	}
	wanted := make(map[uint64]bool)
	for i := range snap.views {
		wanted[snap.views[i].seg.First] = true
	}
	for _, e := range ents {
		name, _, isTemp := strings.Cut(e.Name(), tmpMark)
		first, err := strconv.ParseUint(strings.TrimSuffix(name, badMark), 10, 64)
		if err != nil || len(strings.TrimSuffix(name, badMark)) != 20 || !e.IsDir() {
			continue // not ours
		}
		fi, err := e.Info()
		old := err == nil && time.Since(fi.ModTime()) > time.Hour
		if first < snap.views[0].seg.First || old && (isTemp || !wanted[first]) {
			_ = os.RemoveAll(filepath.Join(x.opts.Dir, e.Name()))
		}
	}
}
