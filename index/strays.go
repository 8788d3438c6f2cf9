package index

import (
	"errors"
	"iter"

	"shiplog/format"
)

// errStray says that a segment holds a record that does not belong to it by its number: a tool moved lines
// from file to file. The index is made for segments that follow each other, so such a log is read instead:
// slower, never wrong. It stays so until the list of segments changes.
var errStray = errors.New("a record lies in another segment than its own")

// maxTries bounds how often an answer is begun anew because its oldest segments were removed meanwhile.
const maxTries = 3

// answer gives out all matches, from the index or, where records lie in files that they do not belong to, by
// reading the log in order. again, if any, makes the caller forget what it was given, so that the reading can
// begin anew; without it the reading goes on where it was.
func (r *run) answer(snap *snapshot, emit emitter, again func()) error {
	q, skip, left := r.q, r.skip, r.left
	anew := func() {
		if again != nil {
			again()
			r.q, r.skip, r.left, r.given, r.matches, r.damaged = q, skip, left, 0, 0, 0
			r.spent = false
			r.group.restart()
		}
	}
	err := r.try(snap, emit, anew)
	for try := 0; try < maxTries && again != nil && errors.Is(err, format.ErrPruned); try++ { // the oldest were removed meanwhile
		anew()
		if snap, err = r.x.look(); err == nil {
			err = r.try(snap, emit, anew)
		}
	}
	return err
}

// try does so once; anew is called when it goes over to reading the log.
func (r *run) try(snap *snapshot, emit emitter, anew func()) error {
	if !r.x.strays.Load() {
		if err := r.walk(snap, emit); !errors.Is(err, errStray) {
			return err
		}
		anew()
	}
	return r.readLog(emit)
}

// readLog gives out all matches by reading the log line by line.
func (r *run) readLog(emit emitter) error {
	defer r.keepLines()
	seen := uint64(0)
	for ln, err := range r.logLines() {
		if stop, err := r.pauseInLog(seen); stop || err != nil {
			return err
		}
		if err == nil {
			r.spend(len(ln.Bytes) + 1)
			seen = ln.Fields.Seq
		}
		var damage *format.Damage
		switch {
		case err != nil && cannotRead(err):
			return err
		case errors.Is(err, format.ErrPruned):
			if r.q.Ascending && r.given > 0 && r.sight == nil { // as in visit
				return err
			}
			continue
		case errors.As(err, &damage):
			r.damaged++
			continue
		case err != nil:
			return err
		case !r.q.Ascending && ln.Seq <= r.q.After, r.q.Ascending && r.q.Before != 0 && ln.Seq >= r.q.Before:
			return nil
		case !r.m.match(ln.Fields):
			continue
		case emit == nil:
			r.matches++
			r.group.line(ln.Fields)
			continue
		case r.skip > 0:
			r.skip--
			continue
		}
		if r.left > 0 {
			r.left--
		}
		f := ln.Fields
		if r.keep != nil {
			if err := format.ScanLine(r.keep.copy(ln.Bytes), &r.rec); err != nil {
				return err
			}
			f = &r.rec
		}
		r.given++
		if !emit(f) || r.left == 0 {
			return nil
		}
	}
	return nil
}

func (r *run) logLines() iter.Seq2[format.Line, error] {
	if r.q.Ascending {
		return r.x.log.Forward(r.q.After)
	}
	return r.x.log.Backward(r.q.Before)
}

// keepLines adds to the groups what was counted line by line.
func (r *run) keepLines() {
	if r.group != nil {
		_ = r.group.keep()
	}
}

// pauseBytes is how much of the log is read line by line between two pauses.
const pauseBytes = 256 << 10

// pauseInLog is pause for a run that reads the log line by line and is done with all up to the seq seen.
func (r *run) pauseInLog(seen uint64) (stop bool, err error) {
	if r.fetched < pauseBytes && !r.purse.empty() {
		return false, r.ctx.Err()
	}
	if err := r.breathe(); err != nil {
		return true, err
	}
	if seen != 0 && r.purse.empty() {
		r.stopAt(seen)
		return true, nil
	}
	return false, nil
}
