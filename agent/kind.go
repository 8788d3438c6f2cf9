package agent

import (
	"slices"
	"strings"
)

// Kind is what an event is about and what happened, in words of a closed list, so that a counter for each has a
// bound. What is not in the list is [Other].
type Kind struct{ Type, Action string }

// Other stands for every type, and every action, that is not in the lists.
const Other = "other"

var (
	countedTypes   = []string{"builder", "config", "container", "daemon", "image", "network", "node", "plugin", "secret", "service", "volume", "operation", "project", "profile", "storage"}
	countedActions = []string{
		"attach", "checkpoint", "commit", "connect", "copy", "create", "delete", "destroy", "die", "disconnect", "exec",
		"exec_create", "exec_detach", "exec_die", "exec_start", "export", "health_status", "import", "kill", "load", "mount",
		"oom", "pause", "prune", "pull", "push", "reload", "remove", "rename", "resize", "restart", "resume", "save", "shutdown",
		"start", "stop", "tag", "unmount", "unpause", "untag", "update",
	}
)

// bounded is k with what is not in the lists made [Other].
func (k Kind) bounded() Kind {
	if !slices.Contains(countedTypes, k.Type) {
		k.Type = Other
	}
	k.Action = CountedAction(k.Action)
	return k
}

// CountedAction is action when it is one of the closed list, else [Other].
func CountedAction(action string) string {
	if slices.Contains(countedActions, action) {
		return action
	}
	return Other
}

// counted is the kind of e, an instance being a container as it is in its record.
func (e *incusEvent) counted() Kind {
	if e.life == nil {
		return Kind{e.kind, Other}
	}
	about, action, _ := strings.Cut(e.life.Action, "-")
	if verb, ok := instanceVerbs[action]; ok && about == "instance" {
		return Kind{"container", verb}
	}
	if rest, ok := strings.CutPrefix(e.life.Action, "storage-volume-"); ok {
		about, action = "volume", rest
	}
	if verb, ok := instanceVerbs[action]; ok {
		if action = verb; verb == "destroy" {
			action = "delete" // only containers are destroyed
		}
	}
	if about == "instance" {
		about = "container"
	}
	return Kind{about, action}
}
