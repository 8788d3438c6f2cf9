package agent

import (
	"encoding/json"
	"fmt"
	"strings"

	"shiplog/format"
)

// lifecycle maps what happened to an instance, an image or another thing of the daemon.
func (m *IncusMapper) lifecycle(e *incusEvent) {
	what := parseIncusPath(e.life.Source)
	what.project = orDefault(e.life.Project, what.project, e.project)
	if e.life.Name != "" && what.sub == "" && what.kind == "instances" {
		what.name = e.life.Name
	}
	switch {
	case strings.HasPrefix(e.life.Action, "instance-"):
		m.instance(e, what, strings.TrimPrefix(e.life.Action, "instance-"))
	case strings.HasPrefix(e.life.Action, "image-"):
		m.image(e, what, strings.TrimPrefix(e.life.Action, "image-"))
	default:
		m.other(e, what)
	}
}

// rawLifecycle is the record of a lifecycle event itself.
func (m *IncusMapper) rawLifecycle(e *incusEvent, what incusPath, category, action string, obj format.Object) (*format.Record, asker) {
	r := m.raw(e, category, action)
	r.Project = what.project
	r.Status = e.life.Action
	r.Obj = obj
	who := m.asker(e.life.Requestor)
	// The event stays the engine's word, shown to all; the name makes it findable by who asked.
	r.Actor.Name, r.Actor.ID, r.Actor.Domain = who.actor.Name, who.actor.ID, who.actor.Domain
	r.Src = who.src
	m.keep(r)
	return r, who
}

// instanceVerbs are the words of Container Station for what Incus and LXD say of an instance.
var instanceVerbs = map[string]string{
	"created":   "create",
	"started":   "start",
	"stopped":   "stop",
	"shutdown":  "stop",
	"restarted": "restart",
	"paused":    "pause",
	"resumed":   "unpause",
	"deleted":   "destroy",
	"renamed":   "rename",
	"updated":   "update",
	"restored":  "restore",
}

// instance maps an instance-* event; action is what follows the dash.
func (m *IncusMapper) instance(e *incusEvent, what incusPath, action string) {
	key := instanceKey{project: what.project, name: what.name}
	verb, ok := instanceVerbs[action]
	if !ok {
		m.instanceOther(e, what, action)
		return
	}
	// Incus freezes a running instance while it copies or snapshots it; nobody asked for that pause.
	inside := (verb == "pause" || verb == "unpause") && m.tasks.copying(key)
	obj := format.Object{Type: "container", Name: what.name}
	r, who := m.rawLifecycle(e, what, "container", "container."+verb, obj)
	who = m.tasks.learn(key, who)
	if inside {
		return
	}
	n := "(lxc, " + what.name + ")"
	say := func(text string) { m.line(r, format.LevelInfo, "container", r.Action, text, who) }
	switch verb {
	case "create", "start", "pause", "unpause", "destroy":
		r.Eseq = format.NextEseq
		say(humanVerbs[verb] + " container " + n)
	case "stop":
		r.Eseq = format.NextEseq
		if e.life.Requestor == nil && !m.tasks.working(key) && m.synth == nil {
			m.line(r, format.LevelWarn, "container", r.Action, "Container stopped by itself "+n, who)
			return
		}
		say("Stop container " + n)
	case "restart":
		for _, state := range []string{"stop", "restart", "start"} {
			m.message(r, "container", "container."+state, format.Actor{Type: format.ActorEngine},
				object("container", what.name, "state", state, "type", "lxc"))
		}
		say("Restart container " + n)
	case "rename":
		say("Rename container " + n + " from " + contextString(e, "old_name"))
	case "update":
		say("Update container " + n)
	case "restore":
		m.line(r, format.LevelInfo, "backup", r.Action, "Finished restore container "+n, who)
	}
}

var humanVerbs = map[string]string{
	"create": "Create", "start": "Start", "pause": "Pause", "unpause": "Unpause", "destroy": "Destroy",
}

// instanceOther maps what Container Station has no event for: snapshots are told to people as backups,
// access from outside only on request, all else is kept raw.
func (m *IncusMapper) instanceOther(e *incusEvent, what incusPath, action string) {
	obj := format.Object{Type: "container", Name: what.name}
	r, who := m.rawLifecycle(e, what, "container", "container."+action, obj)
	who = m.tasks.learn(instanceKey{project: what.project, name: what.name}, who)
	n := "(lxc, " + what.full() + ")"
	switch action {
	case "snapshot-created", "snapshot-updated":
		m.line(r, format.LevelInfo, "backup", r.Action, words(action)+" "+n, who)
	case "snapshot-deleted":
		m.line(r, format.LevelInfo, "backup", r.Action, "Snapshot removed "+n, who)
	case "snapshot-renamed":
		m.line(r, format.LevelInfo, "backup", r.Action, "Snapshot renamed "+n+" from "+contextString(e, "old_name"), who)
	case "exec", "console", "file-pushed", "file-retrieved", "file-deleted":
		if m.o.LogExec {
			word, _, _ := strings.Cut(action, "-")
			m.line(r, format.LevelInfo, "container", r.Action, words(word)+" in container (lxc, "+what.name+")", who)
		}
	}
}

// image maps an image-* event; action is what follows the dash.
func (m *IncusMapper) image(e *incusEvent, what incusPath, action string) {
	fp := what.name
	switch {
	case what.kind == "aliases":
		fp = contextString(e, "target")
		switch action {
		case "alias-created", "alias-updated":
			m.images.set(fp, what.name)
		case "alias-renamed":
			m.images.rename(contextString(e, "old_name"), what.name)
		}
	case action == "deleted":
		defer m.images.forget(fp)
	}
	name := what.name
	if what.kind != "aliases" {
		name = m.images.name(fp)
	}
	obj := format.Object{Type: "image", ID: fp, Name: name}
	r, who := m.rawLifecycle(e, what, "image", "image."+present(action), obj)
	if what.kind != "aliases" {
		m.tasks.learnImage(fp, name, who)
	}
	if action == "secret-created" {
		return
	}
	r.Eseq = format.NextEseq
	setMember(r, "qnap", object("action", "update", "category", "local", "type", "lxc"))
	text := "Image " + strings.ReplaceAll(action, "-", " ")
	switch action {
	case "created":
		text = "Image added"
	case "deleted":
		text = "Image removed"
	case "alias-created":
		text = "Image alias added"
	case "alias-deleted":
		text = "Image alias removed"
	}
	text += " (lxc, " + name + ")"
	if old := contextString(e, "old_name"); old != "" {
		text += " from " + old
	}
	m.line(r, format.LevelInfo, "image", r.Action, text, who)
}

// other maps what happens to networks, volumes, profiles, projects, certificates and the daemon's settings.
func (m *IncusMapper) other(e *incusEvent, what incusPath) {
	kind, verb := e.life.Action, ""
	if i := strings.LastIndexByte(e.life.Action, '-'); i > 0 {
		kind, verb = e.life.Action[:i], e.life.Action[i+1:]
	}
	obj := format.Object{Type: objectType(kind), Name: what.full()}
	if what.kind == "certificates" {
		obj.ID, obj.Name = what.name, m.certs[what.name]
		if obj.Name == "" {
			obj.Name = shortFingerprint(what.name)
		}
	}
	category := "system"
	if obj.Type == "network" || obj.Type == "volume" {
		category = obj.Type
	}
	r, who := m.rawLifecycle(e, what, category, kind+"."+present(verb), obj)
	if verb == "retrieved" {
		return // reading is no change
	}
	text := words(e.life.Action) + " (lxc)"
	if obj.Name != "" {
		text = words(e.life.Action) + " (lxc, " + obj.Name + ")"
	}
	if old := contextString(e, "old_name"); old != "" {
		text += " from " + old
	}
	m.line(r, format.LevelInfo, "system", r.Action, text, who)
}

// objectType is the type of thing an action's first words name.
func objectType(kind string) string {
	switch {
	case strings.HasPrefix(kind, "network"):
		return "network"
	case strings.HasPrefix(kind, "storage-volume"):
		return "volume"
	}
	first, _, _ := strings.Cut(kind, "-")
	return first
}

// present turns Incus' past tense into the verb other engines use, as far as there is one.
func present(past string) string {
	head, last := "", past
	if i := strings.LastIndexByte(past, '-'); i >= 0 {
		head, last = past[:i+1], past[i+1:]
	}
	switch last {
	case "created":
		last = "create"
	case "deleted":
		last = "delete"
	case "updated":
		last = "update"
	case "renamed":
		last = "rename"
	}
	return head + last
}

// contextString is a string member of a lifecycle event's context, or "".
func contextString(e *incusEvent, name string) string {
	var c map[string]json.RawMessage
	if json.Unmarshal(e.life.Context, &c) != nil {
		return ""
	}
	var s string
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// setMember puts a member before the others of a record's data.
func setMember(r *format.Record, name string, value json.RawMessage) {
	data := object(name, value)
	if len(r.Data) > 2 {
		data = append(data[:len(data)-1], fmt.Appendf(nil, ",%s", r.Data[1:])...)
	}
	r.Data = data
}
