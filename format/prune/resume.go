package prune

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"shiplog/format"
)

// resume is what Run begins with: it ends what an earlier process began, and counts what that one removed of late.
func (p *Pruner) resume(ctx context.Context) error {
	if err := p.Resume(ctx); err != nil || p.o.Since == nil {
		return err
	}
	p.working.Lock()
	defer p.working.Unlock()
	now, up := p.o.Now(), p.o.Uptime()
	return p.o.Since(ctx, now.Add(-time.Hour), func(at time.Time, reason string, segments int) {
		if ago := now.Sub(at); ago > -time.Hour && isBounded(reason) { // else the clock was another one then
			p.spent.spend(segments, up-max(ago, 0))
		}
	})
}

// Resume ends what an earlier process began and did not end: segments that it announced and retired are removed, and
// the record that is missing is written. Whatever it did not retire is left to the policy.
func (p *Pruner) Resume(ctx context.Context) error {
	p.working.Lock()
	defer p.working.Unlock()
	segs, err := p.log.Segments()
	if err != nil {
		return err
	}
	m, start := p.unfinished(segs)
	if start == 0 {
		return nil
	}
	var there []string
	for _, seg := range segs[:max(len(segs)-1, 0)] {
		if slices.Contains(m.Segments, seg.Name) {
			there = append(there, seg.Name)
		}
	}
	var may []string
	if p.o.Retired != nil && len(there) > 0 {
		if may, err = p.o.Retired(ctx, there...); err != nil {
			return err
		}
	}
	n := slices.IndexFunc(there, func(name string) bool { return !slices.Contains(may, name) })
	if n < 0 {
		n = len(there)
	}
	gone, bytes := 0, int64(0)
	if n > 0 {
		p.w.Last() // looks for the newest eseq while the segments that may hold it are there
		gone, err = p.unlink(ctx, there[:n])
		for _, seg := range segs {
			if slices.Contains(there[:gone], seg.Name) {
				bytes += seg.Stored
			}
		}
		p.count(func(s *Stats) {
			s.Segments += uint64(gone)
			s.Bytes += uint64(bytes)
		})
	}
	end := format.Removal{Rules: m.Rules, Start: start, Last: m.Last, First: m.First, Left: there[gone:], Bytes: m.Bytes}
	for _, name := range m.Segments {
		if !slices.Contains(end.Left, name) {
			end.Segments = append(end.Segments, name)
		}
	}
	if len(end.Left) > 0 {
		end.Bytes = bytes
	}
	if err != nil {
		return err
	}
	return p.done(end, "", nil)
}

// unfinished finds the newest removal that was announced and has no record of its end; its seq is 0 when there is
// none. Such a record is the last thing that a process did but for what others wrote meanwhile, so it is looked for
// in the newest segments only.
func (p *Pruner) unfinished(segs []format.Segment) (format.Removal, uint64) {
	const newest = 2
	ended := map[uint64]bool{}
	from := segs[max(len(segs)-newest, 0):]
	var m format.Removal
	start := uint64(0)
	for _, seg := range from {
		for ln, err := range p.log.LinesWith(seg, `"retention.`) { // as the writer writes both actions
			if err != nil || !ln.Fields.Category.Is("system") {
				continue
			}
			begins := ln.Fields.Action.Is(format.ActionRetentionStart)
			if !begins && !ln.Fields.Action.Is(format.ActionRetentionDone) {
				continue
			}
			var r format.Record
			var one format.Removal
			if format.ParseLine(ln.Bytes, &r) != nil || json.Unmarshal(r.Data, &one) != nil {
				continue
			}
			if begins {
				m, start = one, r.Seq
			} else {
				ended[one.Start] = true
			}
		}
	}
	if ended[start] {
		return format.Removal{}, 0
	}
	return m, start
}
