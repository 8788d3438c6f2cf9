package prune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"shiplog/format"
)

// Result is what was removed, or would be.
type Result struct {
	Segments []string // names, oldest first
	First    uint64   // numbers of the records that were in them
	Last     uint64
	Bytes    int64
	Rules    []string // that demanded it
	More     bool     // there is more than one call removes
	Doubt    string   // why the clock is not believed; empty: it is, or nobody asked it
	Kept     int      // segments that are left

	bound int // of Segments so many count for the bound within an hour
}

// Plan returns what policy would remove, without the bounds of Run.
func (p *Pruner) Plan(policy Policy) (Result, error) {
	p.working.Lock()
	defer p.working.Unlock()
	r, _, err := p.plan(policy, false)
	return r, err
}

// Prune removes what policy demands, without the bounds of Run, for the person by. On an error the result is what
// was removed before.
func (p *Pruner) Prune(ctx context.Context, policy Policy, by string) (Result, error) {
	var all Result
	for {
		r, err := p.once(ctx, policy, by, false)
		if len(all.Segments) == 0 {
			all.First = r.First
		}
		all.Segments, all.Bytes, all.Last = append(all.Segments, r.Segments...), all.Bytes+r.Bytes, max(all.Last, r.Last)
		for _, rule := range r.Rules {
			if !slices.Contains(all.Rules, rule) {
				all.Rules = append(all.Rules, rule)
			}
		}
		all.Doubt, all.Kept = r.Doubt, r.Kept
		if err != nil || !r.More || len(r.Segments) == 0 {
			return all, err
		}
	}
}

// once makes one plan and does it.
func (p *Pruner) once(ctx context.Context, policy Policy, by string, bounded bool) (Result, error) {
	p.working.Lock()
	defer p.working.Unlock()
	r, files, err := p.plan(policy, bounded)
	if bounded && err == nil && !p.reserve.made {
		p.keepReserve()
	}
	if err != nil || len(files) == 0 {
		if err == nil {
			p.count(func(s *Stats) { s.Last = p.o.Now() })
		}
		return r, err
	}
	if bounded {
		p.spent.spend(r.bound, p.o.Uptime()) // also when it fails: no faster because of that
	}
	if slices.Contains(r.Rules, ruleFree) {
		p.freed = max(p.o.Uptime(), 1)
	}
	gone, err := p.remove(ctx, files, r, policy.describe(r.Rules), by)
	var bytes int64
	for _, f := range gone {
		bytes += f.bytes
	}
	r.Segments, r.Bytes, r.Kept = r.Segments[:len(gone)], bytes, r.Kept+len(files)-len(gone)
	p.count(func(s *Stats) {
		s.Segments += uint64(len(gone))
		s.Bytes += uint64(bytes)
		if err == nil {
			s.Last = p.o.Now()
		}
	})
	return r, err
}

// plan looks, and returns what is to be removed.
func (p *Pruner) plan(policy Policy, bounded bool) (Result, []file, error) {
	s, err := p.look(policy, bounded, !bounded)
	if err == nil && policy.decide(s).n > 0 {
		s, err = p.look(policy, bounded, true) // who removed some by hand must not make it be more
	}
	if err != nil {
		return Result{}, nil, err
	}
	d := policy.decide(s)
	if bounded && (s.looked || policy.Free == Space{}) {
		p.count(func(s *Stats) { s.Short = d.short })
	}
	r := Result{Rules: d.rules, More: d.more, Kept: len(s.files) - d.n, bound: d.bound}
	if policy.Age > 0 {
		r.Doubt = s.doubt
	}
	for _, f := range s.files[:d.n] {
		r.Segments, r.Bytes = append(r.Segments, f.name), r.Bytes+f.bytes
	}
	if d.n > 0 {
		r.First, r.Last = max(s.files[0].first, 1), s.files[d.n].first-1
	}
	return r, s.files[:d.n], nil
}

// remove does what the package's document shows, and returns the files that are gone.
func (p *Pruner) remove(ctx context.Context, files []file, r Result, why, by string) ([]file, error) {
	_, eseq := p.w.Last()
	m := format.Removal{Rules: r.Rules, Segments: r.Segments, First: r.First, Last: r.Last, Bytes: r.Bytes, LastEseq: eseq}
	msg := fmt.Sprintf("Removing %s (%s), records %d to %d: %s.", counted(len(files)), size(r.Bytes), r.First, r.Last, why)
	start := message(format.ActionRetentionStart, msg, by, m)
	err := p.step("start", func() error { return p.w.AppendReserved(start) })
	if err == nil && p.o.Retire != nil {
		err = p.step("retire", func() error { return p.o.Retire(ctx, why, r.Segments...) })
	}
	n := 0
	if err == nil {
		n, err = p.unlink(ctx, r.Segments)
	}
	gone := files[:n]
	m.Start, m.Bytes, m.LastEseq = start.Seq, 0, 0
	m.Segments, m.Left = r.Segments[:n], r.Segments[n:]
	for _, f := range gone {
		m.Bytes += f.bytes
	}
	if start.Seq == 0 {
		return gone, fmt.Errorf("announce the removal: %w", err)
	}
	return gone, errors.Join(err, p.done(m, by, err))
}

// step does what needs room on the disk, with the reserve where there is no other.
func (p *Pruner) step(name string, do func() error) error {
	return p.reserve.with(p.log.Dir(), func() error {
		if err := p.o.step(name); err != nil {
			return err
		}
		return do()
	})
}

// unlink removes segments one after the other, and returns how many are gone for good.
func (p *Pruner) unlink(ctx context.Context, names []string) (int, error) {
	defer func() { p.listed = listing{} }()
	for i, name := range names {
		if err := ctx.Err(); err != nil {
			return i, err
		}
		if err := p.o.step("unlink"); err != nil {
			return i, err
		}
		path := filepath.Join(p.log.Dir(), name)
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return i, err
		}
		_ = os.Remove(path + format.CompressedSuffix + ".tmp") // of a process that was killed
		if err := os.Remove(path + format.CompressedSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return i, err
		}
		if err := os.Remove(path + blockSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.o.Logger.Warn("what lay beside a removed segment is left", "err", err)
		}
		err := p.o.step("sync")
		if err == nil {
			err = format.SyncDir(p.log.Dir())
		}
		if err != nil {
			return i + 1, err // it is gone, though perhaps not after a power cut: then it is retired and goes again
		}
	}
	return len(names), nil
}

// Hold runs f while nothing is removed.
func (p *Pruner) Hold(f func() error) error {
	p.working.Lock()
	defer p.working.Unlock()
	defer func() { p.listed = listing{} }() // f is there to change files
	return f()
}

// done writes the record at the end, as far as that is possible.
func (p *Pruner) done(m format.Removal, by string, failed error) error {
	if err := p.o.step("done"); err != nil {
		return err
	}
	msg := fmt.Sprintf("Removed %s (%s).", counted(len(m.Segments)), size(m.Bytes))
	if failed != nil {
		m.Error = failed.Error()
		msg = fmt.Sprintf("Removed %s (%s); %d are left: %v.", counted(len(m.Segments)), size(m.Bytes), len(m.Left), failed)
	}
	r := message(format.ActionRetentionDone, msg, by, m)
	if failed != nil {
		r.Level = format.LevelWarn
	}
	err := p.w.AppendReserved(r)
	p.o.Logger.Info("old records removed", "segments", len(m.Segments), "bytes", m.Bytes, "last", m.Last, "left", len(m.Left))
	return err
}

// message is one of the records around a removal.
func message(action, msg, by string, m format.Removal) *format.Record {
	data, err := json.Marshal(m)
	if err != nil {
		data = nil // strings and numbers do not fail
	}
	r := &format.Record{Stream: format.StreamLog, Level: format.LevelInfo, Category: "system", Action: action, Msg: msg,
		Actor: format.Actor{Type: format.ActorSystem}, Data: data}
	if by != "" {
		r.Actor = format.Actor{Name: by, Type: format.ActorUser}
	}
	return r
}

func counted(segments int) string {
	if segments == 1 {
		return "1 segment"
	}
	return fmt.Sprintf("%d segments", segments)
}
