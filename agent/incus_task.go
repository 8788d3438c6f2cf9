package agent

import (
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
