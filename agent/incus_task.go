package agent

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"shiplog/format"
)

// Results of a task as Container Station numbers them; anything but 0 means something wrong.
const (
	resultOK        = 0
	resultFailed    = 1
	resultCancelled = 130
)

// begin announces a task, if it is of an announced kind.
func (m *IncusMapper) begin(t *task, r *format.Record) {
	if !t.told || t.quiet {
		return
	}
	m.taskMessage(t, r, "running", -1)
	m.line(r, format.LevelInfo, t.category, t.action(), t.beginText(), t.who).Outcome = format.OutcomePending
}

// end announces how a task ended.
func (m *IncusMapper) end(e *incusEvent, t *task, r *format.Record) {
	if t.quiet {
		return
	}
	result := resultOK
	switch e.op.Status {
	case "Failure":
		result = resultFailed
	case "Cancelled":
		result = resultCancelled
	}
	if t.told || t.known && result != resultOK {
		state := "completed"
		if result != resultOK {
			state = "aborted"
		}
		m.imageMessage(t, r, result)
		m.taskMessage(t, r, state, result)
	}
	switch {
	case result != resultOK:
		why := redactText(e.op.Err)
		if why == "" {
			why = e.op.Status
		}
		for _, text := range t.failTexts(e.op.Description, why) {
			m.line(r, format.LevelError, t.category, t.action(), text, t.who)
		}
	case t.told:
		m.line(r, format.LevelInfo, t.category, t.action(), t.endText(), t.who)
	}
}

// taskMessage makes the message of a task's state; result is left out while it is negative.
func (m *IncusMapper) taskMessage(t *task, ref *format.Record, state string, result int) {
	var pairs []any
	category := "background"
	switch t.name {
	case "export":
		category = "export"
		// Incus compresses backups unless told otherwise, and does not tell where the client put the file.
		pairs = []any{"container", t.object, "cid", t.object, "compress", true}
	case "import":
		category = "import"
		pairs = []any{"cid", t.object}
	default:
		pairs = []any{"category", t.name, "container", t.objectOrUnknown()}
	}
	pairs = append(pairs, "state", state)
	if result >= 0 {
		pairs = append(pairs, "result", result)
	}
	pairs = append(pairs, "tid", 0)
	if category != "background" {
		pairs = append(pairs, "path", "", "type", "lxc")
	}
	// Not container.start and the like: a task that begins or fails is no change of the container's state.
	r := m.message(ref, category, "task."+dashed(t.name), t.who.actor, object(pairs...))
	r.Src = t.who.src
	r.Status = state
	r.Code = resultCode(result)
	m.out[len(m.out)-1].Task = t.first
}

// imageMessage makes the message of an image that came or went.
func (m *IncusMapper) imageMessage(t *task, ref *format.Record, result int) {
	state := "success"
	if result != resultOK {
		state = "error"
	}
	var r *format.Record
	switch t.name {
	case "image_download":
		name, tag := splitTag(t.objectOrUnknown())
		r = m.message(ref, "image", "image.pull", t.who.actor, object("action", "download", "name", name,
			"tag", tag, "repository", "lxd", "type", "lxc", "state", state))
	case "image_remove":
		r = m.message(ref, "image", "image.delete", t.who.actor, object("action", "delete",
			"name", t.objectOrUnknown(), "type", "lxc", "state", state))
	default:
		return
	}
	r.Src = t.who.src
	r.Status = state
}

// action is the action of the records made from a task.
func (t *task) action() string {
	switch t.name {
	case "image_download":
		return "image.pull"
	case "image_update":
		return "image.update"
	case "image_remove":
		return "image.delete"
	case "":
		return "operation"
	}
	if t.category == "backup" {
		return "container." + dashed(t.name)
	}
	return "container." + t.name
}

// objectOrUnknown names the object where an empty name would read badly.
func (t *task) objectOrUnknown() string {
	if t.object == "" {
		return "unknown"
	}
	return t.object
}

func (t *task) beginText() string {
	switch t.name {
	case "export":
		return "Start to export container (lxc, " + t.object + ") to ()"
	case "import":
		return "Start to import container (lxc, " + t.object + ") from ()"
	}
	return "Start to do background task (" + t.name + ", " + t.objectOrUnknown() + ")"
}

func (t *task) endText() string {
	switch t.name {
	case "export":
		return "Finished export container (lxc, " + t.object + ") to () (return=0)"
	case "import":
		return "Finished import container (lxc, " + t.object + ") from () (return=0)"
	}
	return "Finished background task (" + t.name + ", " + t.objectOrUnknown() + ")"
}

// failTexts are the lines about a task that failed, why being the engine's own words. Container Station
// writes two for a background task.
func (t *task) failTexts(description, why string) []string {
	switch {
	case t.name == "export":
		return []string{"Failed to export container (lxc, " + t.object + ") to (): " + why}
	case t.name == "import":
		return []string{"Failed to import container (lxc, " + t.object + ") from (): " + why}
	case t.told:
		return []string{
			"Background task error for " + t.name + " " + t.objectOrUnknown() + ": " + why,
			"Failed to do background task (" + t.name + ", " + t.objectOrUnknown() + ")",
		}
	case t.known:
		return []string{"Failed to " + t.name + " container (lxc, " + t.object + "): " + why}
	case t.object != "":
		return []string{description + " failed (lxc, " + t.object + "): " + why}
	}
	return []string{description + " failed (lxc): " + why}
}

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
	sortTasks(out)
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

func sortTasks(ts []*task) {
	slices.SortFunc(ts, func(a, b *task) int { return cmp.Compare(a.order, b.order) })
}

// splitTag parts a reference from its tag; Incus aliases rarely have one.
func splitTag(name string) (string, string) {
	if i := strings.LastIndexByte(name, ':'); i > 0 && !strings.Contains(name[i:], "/") {
		return name[:i], name[i+1:]
	}
	return name, ""
}

func dashed(s string) string { return strings.ReplaceAll(s, " ", "-") }

// resultCode is the code of a record; a task under way has none.
func resultCode(result int) string {
	if result < 0 {
		return ""
	}
	return strconv.Itoa(result)
}
