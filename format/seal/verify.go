package seal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/errgroup"

	"shiplog/format"
)

// VerifyOptions is how a log is verified. The zero value is usable.
type VerifyOptions struct {
	Key  string      // verifier line that was noted when the sealing began; empty: the one the log itself names
	At   *Checkpoint // noted earlier, elsewhere; nil: none
	Fast bool        // compare sizes, and read the newest segments only

	now bool // tests do not wait for a keeper
}

// verifier is one verification under way.
type verifier struct {
	o     VerifyOptions
	log   *format.Log
	dir   string // the folder of segments
	cp    *Checkpoint
	cpErr error
	chain *chain
	state map[string]*segmentState
	segs  []format.Segment

	working bool // a keeper seals while this looks

	mu     sync.Mutex
	report *Report           // guarded by mu while segments are read
	hashes map[string]string // of segments that are not what was sealed, by name; guarded by mu
}

// Verify compares the log in dir, a data directory or a folder of segments, with its seals. It only reads, also while
// the log is written. ErrNotSealed when there is nothing to compare with.
func Verify(ctx context.Context, dir string, o VerifyOptions) (*Report, error) {
	began := time.Now()
	if _, err := note.NewVerifier(o.Key); o.Key != "" && err != nil {
		return nil, fmt.Errorf("key %.200q: %w; give the line that the first start printed", o.Key, err)
	}
	log, err := format.OpenLog(dir)
	if err != nil {
		return nil, err
	}
	v := &verifier{o: o, log: log, dir: log.Dir(), report: &Report{Findings: []Finding{}}, hashes: map[string]string{}}
	if err := v.load(ctx); err != nil {
		return nil, err
	}
	v.checkChain()
	v.checkCheckpoint()
	v.checkAt()
	if err := v.checkSegments(ctx); err != nil {
		return nil, err
	}
	v.describe()
	v.report.judge()
	v.report.Took = time.Since(began)
	return v.report, nil
}

const (
	unsealedTries = 10 // a running keeper makes the seal of a segment that is full within so many
	unsealedWait  = 200 * time.Millisecond
)

// load reads the checkpoint, then the chain, then lists the segments: in this order each has at least what the one
// before speaks of, also while the log is written.
//
// On a busy log there may be a segment without a seal whenever one looks. So the oldest one of the first look is waited
// for: when it got its seal a keeper is at work, and the others are its next ones.
func (v *verifier) load(ctx context.Context) error {
	first := ""
	for try := range unsealedTries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(unsealedWait):
			}
		}
		if err := v.loadOnce(); err != nil {
			return err
		}
		if v.o.now || !v.growing() {
			break
		}
		if first == "" {
			first = v.unsealed()[0].Name
		}
		if v.working = first <= v.chain.newest(); v.working {
			break
		}
	}
	return nil
}

func (v *verifier) loadOnce() (err error) {
	v.cp, v.cpErr = ReadCheckpoint(v.dir)
	path, fallback := filepath.Join(v.dir, SealsName), ""
	if v.cp != nil {
		fallback = v.cp.Key
	}
	if at := v.o.At; at != nil && fallback == "" {
		fallback = at.Key
	}
	_, serr := os.Stat(path)
	gone := errors.Is(serr, os.ErrNotExist) && errors.Is(v.cpErr, ErrNoCheckpoint)
	switch {
	case gone && v.o.Key == "" && v.o.At == nil:
		return fmt.Errorf("%w: there is neither %s nor a checkpoint in %s", ErrNotSealed, SealsName, v.dir)
	case gone && v.o.Key == "" && fallback == "":
		return fmt.Errorf("%s and the checkpoint in %s were removed: there was a chain when the checkpoint given was noted; give its --key as well", SealsName, v.dir)
	}
	if v.chain, err = readChain(path, v.o.Key, fallback); errors.Is(err, errNotChain) && errors.Is(v.cpErr, errCannotRead) {
		return fmt.Errorf("read the checkpoint in %s: %w", v.dir, v.cpErr) // it would name the key
	}
	if err != nil {
		return fmt.Errorf("read the seals in %s: %w", v.dir, err)
	}
	v.state = v.chain.segments()
	v.segs, err = v.log.Segments()
	return err
}

// unsealed lists the segments after the newest sealed one but for the active one.
func (v *verifier) unsealed() []format.Segment {
	newest := v.chain.newest()
	i := slices.IndexFunc(v.segs, func(s format.Segment) bool { return s.Name > newest })
	if i < 0 {
		return nil
	}
	return v.segs[i : len(v.segs)-1]
}

// growing tells whether somebody may be making the seal of a segment now: there is one without, and the log was
// written a moment ago.
func (v *verifier) growing() bool {
	if len(v.unsealed()) == 0 {
		return false
	}
	fi, err := os.Stat(filepath.Join(v.dir, v.segs[len(v.segs)-1].Name))
	return err == nil && time.Since(fi.ModTime()) < 10*time.Second
}

// add notes a finding.
func (v *verifier) add(f Finding) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report.Findings = append(v.report.Findings, f)
}

// path is the path of a file of the log for a shell.
func (v *verifier) path(name string) string { return shellQuote(filepath.Join(v.dir, name)) }

// checkSegments compares all segments, several at a time.
func (v *verifier) checkSegments(ctx context.Context) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	newest, last := v.chain.newest(), ""
	if n := len(v.segs); n > 0 {
		last = v.segs[n-1].Name
	}
	for _, seg := range v.segs {
		s := v.state[seg.Name]
		switch {
		case s != nil && s.seal != nil && s.retired != nil:
			v.add(Finding{Word: WordRetired, Severity: Notice, File: seg.Name, Text: "it was retired and is still here: it was not removed to the end, or put back"})
			fallthrough
		case s != nil && s.seal != nil:
			group.Go(func() error { return v.checkSealed(gctx, seg, s) })
		case seg.Name > newest:
			group.Go(func() error { return v.checkUnsealed(gctx, seg, s, seg.Name == last) })
		default:
			group.Go(func() error { return v.checkExtra(gctx, seg) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return v.checkAbsent(ctx)
}

// describe fills in what the report says of the log as a whole, and puts the findings in order.
func (v *verifier) describe() {
	r, c := v.report, v.chain
	r.Dir, r.Origin, r.Key, r.KeyGiven, r.Size = v.dir, c.origin, c.keys[0].public, v.o.Key != "", c.size
	if root, err := c.root(c.size); err == nil {
		r.Root = root.String()
	}
	if v.cp != nil {
		r.Signed = v.cp.Time
	}
	if v.o.At != nil {
		r.At = v.o.At.Size
	}
	if len(c.lines) > 0 {
		r.Since = c.lines[0].Time
	}
	for _, s := range v.state {
		switch {
		case s.retired != nil:
			r.Retired++
		case s.seal != nil && s.seal.Late:
			r.Late++
		}
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		if d := weight(b.Severity) - weight(a.Severity); d != 0 {
			return d
		}
		return strings.Compare(a.File, b.File)
	})
}

func weight(s Severity) int { return slices.Index([]Severity{Notice, Unknown, Damage}, s) }
