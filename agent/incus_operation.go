package agent

import (
	"encoding/json"
	"regexp"
	"strings"

	"shiplog/format"
)

// operationKind says what people and Container Station are told of an operation.
type operationKind struct {
	// name is Container Station's word for the task, or the verb of the sentence when it failed.
	name string

	// category of the lines and, when told is set, of the messages.
	category string

	// told: beginning and end are announced. Otherwise the lifecycle event tells of success, and only a
	// failure is announced.
	told bool

	// copies: the engine freezes a running instance meanwhile.
	copies bool
}

// operationKinds are the operations of Incus and LXD by their description, which is the only thing that
// tells them apart. LXD 4 and older wrote container where it says instance now.
var operationKinds = map[string]operationKind{
	"Creating instance":   {name: "create", category: "container", told: true, copies: true},
	"Downloading image":   {name: "image_download", category: "image", told: true, copies: true}, // publish too
	"Refreshing image":    {name: "image_update", category: "image", told: true},
	"Deleting image":      {name: "image_remove", category: "image", told: true},
	"Backing up instance": {name: "export", category: "export", told: true, copies: true},
	"Restoring backup":    {name: "import", category: "import", told: true},

	"Starting instance":       {name: "start", category: "container"},
	"Stopping instance":       {name: "stop", category: "container"},
	"Restarting instance":     {name: "restart", category: "container"},
	"Freezing instance":       {name: "pause", category: "container"},
	"Unfreezing instance":     {name: "unpause", category: "container"},
	"Updating instance":       {name: "update", category: "container"},
	"Renaming instance":       {name: "rename", category: "container"},
	"Deleting instance":       {name: "destroy", category: "container"},
	"Rebuilding instance":     {name: "rebuild", category: "container"},
	"Migrating instance":      {name: "migrate", category: "container", copies: true},
	"Live-migrating instance": {name: "migrate", category: "container", copies: true},
	"Snapshotting instance":   {name: "snapshot", category: "backup", copies: true},
	"Restoring snapshot":      {name: "restore", category: "backup", copies: true},
	"Transferring snapshot":   {name: "transfer snapshot of", category: "backup", copies: true},
	"Renaming snapshot":       {name: "rename snapshot of", category: "backup"},
	"Updating snapshot":       {name: "update snapshot of", category: "backup"},
	"Deleting snapshot":       {name: "remove snapshot of", category: "backup"},
}

// housekeeping is what the daemon does on its own. It is kept raw; a box without a way out would otherwise
// tell its owner of a failed "Updating instance types" every day.
var housekeeping = map[string]bool{
	"Cleaning up expired images":             true,
	"Cleaning up expired backups":            true,
	"Cleaning up expired instance snapshots": true,
	"Cleaning up expired volume snapshots":   true,
	"Pruning leftover image files":           true,
	"Pruning resolved warnings":              true,
	"Updating images":                        true,
	"Updating instance types":                true,
	"Synchronizing images":                   true,
	"Expiring log files":                     true,
	"Expiring logs":                          true,
	"Remove orphaned operations":             true,
	"Remove expired tokens":                  true,
}

// task is an operation that is under way.
type task struct {
	operationKind
	id      string
	known   bool // its description is one of operationKinds
	quiet   bool // raw records only
	keys    []instanceKey
	object  string // what the lines call it
	fp      string // image's fingerprint, empty while unknown
	who     asker
	first   *format.Record // raw record of the first event: its seq is the task id
	last    *incusEvent    // newest event that was not kept, nil: none
	skipped int            // events not kept
	order   uint64
}

// operation maps a step of an operation. The first and the last one are kept raw; what is between are
// percentages, 812 of 1,417 recorded events, which are counted in the last one.
func (m *IncusMapper) operation(e *incusEvent) {
	if m.tasks.finished(e.op.ID) {
		return // a straggler: the operation's end is already told and nothing overrules it
	}
	t := m.tasks.running[e.op.ID]
	if t == nil {
		t = m.newTask(e)
		t.first = m.rawOperation(e, t)
		m.keep(t.first)
		if !e.op.terminal() {
			m.tasks.add(t)
			m.begin(t, t.first)
			return
		}
		m.end(e, t, t.first)
		m.tasks.finish(t)
		return
	}
	if !e.op.terminal() {
		t.last = e
		t.skipped++
		return
	}
	t.last = nil
	t.identify(m, e)
	r := m.rawOperation(e, t)
	m.keep(r)
	m.end(e, t, r)
	m.tasks.finish(t)
}

// newTask looks at the first event of an operation.
func (m *IncusMapper) newTask(e *incusEvent) *task {
	t := &task{id: e.op.ID, who: nobody()}
	desc := strings.Replace(e.op.Description, "container", "instance", 1)
	t.operationKind, t.known = operationKinds[desc]
	if t.category == "" {
		t.category = "system"
	}
	t.quiet = e.op.Class != "task" && !t.known || e.op.Description == "Executing command" ||
		housekeeping[e.op.Description] || e.project == "" && len(e.op.Resources) == 0
	t.keys = e.op.instances(e.project)
	t.identify(m, e)
	if who, ok := m.foresee(e, t); ok {
		t.who = who
	} else if r := m.asked.find(e, t); r != nil {
		t.who = m.asker(r)
	}
	return t
}

var fingerprintText = regexp.MustCompile(`\b[0-9a-f]{64}\b`)

// identify finds out what the operation works on. An image that is being downloaded has no name before the
// end; for a copy the instance that is made is named first.
func (t *task) identify(m *IncusMapper, e *incusEvent) {
	if t.category == "image" {
		fp := t.fp
		for _, path := range e.op.Resources["images"] {
			fp = parseIncusPath(path).name
		}
		var meta struct {
			Fingerprint string `json:"fingerprint"`
		}
		if json.Unmarshal(e.op.Metadata, &meta) == nil && meta.Fingerprint != "" {
			fp = meta.Fingerprint
		}
		if fp == "" {
			fp = fingerprintText.FindString(e.op.Err)
		}
		if fp != "" && (fp != t.fp || t.object == "") {
			t.fp, t.object = fp, m.images.name(fp)
		}
		return
	}
	if t.object != "" {
		return
	}
	if len(t.keys) > 0 {
		t.object = t.keys[0].name
		return
	}
	for _, kind := range []string{"storage_volumes", "storage_volume_snapshots", "backups", "networks", "storage_buckets"} {
		if paths := e.op.Resources[kind]; len(paths) > 0 {
			t.object = parseIncusPath(paths[0]).full()
			return
		}
	}
}

// rawOperation is the record of an operation event itself.
func (m *IncusMapper) rawOperation(e *incusEvent, t *task) *format.Record {
	category := t.category
	if category != "image" && len(t.keys) > 0 {
		category = "container"
	}
	r := m.raw(e, category, "operation."+strings.ReplaceAll(strings.ToLower(e.op.Description), " ", "-"))
	r.Project = orDefault(e.project)
	if e.project == "" {
		r.Project = ""
	}
	r.Req = e.op.ID
	r.Status = e.op.Status
	r.Obj = t.obj()
	switch e.op.Status {
	case "Success":
		r.Outcome = format.OutcomeSuccess
	case "Failure", "Cancelled":
		r.Outcome = format.OutcomeFailure
		if t.quiet {
			r.Level = format.LevelInfo
		}
	default:
		r.Outcome = format.OutcomePending
	}
	if t.skipped > 0 {
		setMember(r, "skipped", jsonValue(t.skipped))
	}
	return r
}

func (t *task) obj() format.Object {
	switch {
	case t.category == "image":
		return format.Object{Type: "image", ID: t.fp, Name: t.object}
	case len(t.keys) > 0:
		return format.Object{Type: "container", Name: t.object}
	case t.object != "":
		return format.Object{Type: "volume", Name: t.object}
	}
	return format.Object{}
}

// apiRequests remembers who asked the API to change something, from the daemon's debug lines. Only imported
// streams hold these; there they are the only thing that names who asked for a failed operation.
type apiRequests struct {
	recent [8]apiRequest
	n      int
}

type apiRequest struct {
	at     *incusEvent
	method string
	path   string
	who    incusRequestor
}

func (a *apiRequests) note(e *incusEvent) {
	if e.log.Message != "Handling API request" {
		return
	}
	text := func(name string) string { s, _ := e.log.Context[name].(string); return s }
	r := apiRequest{at: e, method: text("method"), path: text("url"), who: incusRequestor{
		Username: text("username"), Protocol: text("protocol"), Address: text("ip"),
	}}
	if r.method == "GET" || r.method == "HEAD" || r.method == "" {
		return
	}
	a.recent[a.n%len(a.recent)] = r
	a.n++
}

// find returns who asked for the operation that e begins: the newest request of the last half second whose
// address fits. Nil when none does.
func (a *apiRequests) find(e *incusEvent, t *task) *incusRequestor {
	for i := range len(a.recent) {
		r := &a.recent[((a.n-1-i)%len(a.recent)+len(a.recent))%len(a.recent)]
		if r.at == nil || e.at.Sub(r.at.at) > operationHold*2 || r.at.at.After(e.at) {
			continue
		}
		p := parseIncusPath(r.path)
		switch {
		case t.category == "image" && (p.kind == "images" || p.kind == "instances"):
			return &r.who
		case len(t.keys) > 0 && p.kind == "instances" && (p.name == "" || p.name == t.keys[0].name):
			return &r.who
		}
	}
	return nil
}
