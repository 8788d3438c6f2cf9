package agent

import (
	"cmp"
	"slices"
)

// tasks are the operations under way, and those that ended lately. Owned by the mapper.
type tasks struct {
	running map[string]*task
	ended   [512]string // ring of ids: statuses come out of order, also across the window
	nEnded  int
	n       uint64
}

// maxTasks bounds the operations under way. The oldest is forgotten first; its end then counts as a first event.
const maxTasks = 2048

func (ts *tasks) add(t *task) {
	if len(ts.running) >= maxTasks {
		var oldest *task
		for _, o := range ts.running {
			if oldest == nil || o.order < oldest.order {
				oldest = o
			}
		}
		delete(ts.running, oldest.id)
	}
	ts.n++
	t.order = ts.n
	ts.running[t.id] = t
}

func (ts *tasks) finish(t *task) {
	delete(ts.running, t.id)
	ts.ended[ts.nEnded%len(ts.ended)] = t.id
	ts.nEnded++
}

func (ts *tasks) finished(id string) bool {
	for _, e := range ts.ended {
		if e == id && id != "" {
			return true
		}
	}
	return false
}

// flush forgets the operations under way but those in running, and keeps the newest event of each.
func (ts *tasks) flush(m *IncusMapper, running map[string]bool) {
	for _, t := range ts.sorted() {
		if running[t.id] {
			continue
		}
		if t.last != nil {
			t.skipped--
			m.keep(m.rawOperation(t.last, t))
		}
		delete(ts.running, t.id)
	}
}

// maxNotedTasks bounds what a snapshot says of operations under way.
const maxNotedTasks = 64

// seqs are the operations under way whose first record is written.
func (ts *tasks) seqs() map[string]uint64 {
	var out map[string]uint64
	for _, t := range ts.sorted() {
		if t.first == nil || t.first.Seq == 0 || t.quiet || len(out) >= maxNotedTasks {
			continue
		}
		if out == nil {
			out = map[string]uint64{}
		}
		out[t.id] = t.first.Seq
	}
	return out
}

func (ts *tasks) sorted() []*task {
	out := make([]*task, 0, len(ts.running))
	for _, t := range ts.running {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *task) int { return cmp.Compare(a.order, b.order) })
	return out
}

// working tells whether some operation is under way on an instance.
func (ts *tasks) working(k instanceKey) bool {
	return ts.any(k, func(t *task) bool { return !t.quiet })
}

// copying tells whether an operation is under way that freezes the instance by itself.
func (ts *tasks) copying(k instanceKey) bool {
	return ts.any(k, func(t *task) bool { return t.copies })
}

func (ts *tasks) any(k instanceKey, fits func(*task) bool) bool {
	for _, t := range ts.running {
		if containsKey(t.keys, k) && fits(t) {
			return true
		}
	}
	return false
}

// learn takes the requestor of a lifecycle event over to the operation that caused it: operations tell none.
// The other way round it returns the operation's, where Incus forgets it in the lifecycle event.
func (ts *tasks) learn(k instanceKey, who asker) asker {
	for _, t := range ts.running {
		switch {
		case t.quiet || !containsKey(t.keys, k):
		case who.known() && !t.who.known():
			t.who = who
		case t.who.known() && !who.known():
			who = t.who
		}
	}
	return who
}

// learnImage does the same for images, and tells the operation what its image is called.
func (ts *tasks) learnImage(fp, name string, who asker) {
	for _, t := range ts.running {
		if t.category != "image" || t.fp != "" && t.fp != fp {
			continue
		}
		if t.fp == "" && !t.only(ts) {
			continue // two downloads at once: which of them this is shows at its end
		}
		t.fp, t.object = fp, name
		if who.known() && !t.who.known() {
			t.who = who
		}
	}
}

// only tells whether t is the only operation under way on an image not known yet.
func (t *task) only(ts *tasks) bool {
	for _, o := range ts.running {
		if o != t && o.category == "image" && o.fp == "" {
			return false
		}
	}
	return true
}

// foresee looks through the events after this one that are already there for one that tells who asked for
// this operation; of a quick operation it is.
func (m *IncusMapper) foresee(e *incusEvent, t *task) (asker, bool) {
	for _, next := range m.ahead {
		if m.explains(next, t) {
			return m.asker(next.life.Requestor), true
		}
	}
	for _, h := range m.w.held {
		if !h.at.Before(e.at) && m.explains(h.incusEvent, t) {
			return m.asker(h.life.Requestor), true
		}
	}
	return asker{}, false
}

// explains tells whether e is a lifecycle event of what t works on, with a requestor.
func (m *IncusMapper) explains(e *incusEvent, t *task) bool {
	if e.life == nil || e.life.Requestor == nil {
		return false
	}
	p := parseIncusPath(e.life.Source)
	key := instanceKey{project: orDefault(e.life.Project, p.project, e.project), name: p.name}
	return p.kind == "instances" && containsKey(t.keys, key) || p.kind == "images" && t.fp != "" && p.name == t.fp
}
