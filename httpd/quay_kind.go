package httpd

import (
	"strings"

	"shiplog/format"
)

// quayKinds are the registry's names for actions, done and failed.
var quayKinds = map[string]struct{ done, failed string }{
	"image.pull":   {"pull_repo", "pull_repo_failed"},
	"image.push":   {"push_repo", "push_repo_failed"},
	"image.tag":    {"create_tag", "create_tag"},
	"image.untag":  {"delete_tag", "delete_tag"},
	"image.delete": {"delete_repo", "delete_repo"},
	"image.import": {"create_repo", "create_repo"},
	"image.load":   {"create_repo", "create_repo"},
	"image.build":  {"build_dockerfile", "build_dockerfile"},
	"auth.login":   {"login_success", "login_failure"},
	"auth.logout":  {"logout_success", "logout_success"},
	"user.create":  {"user_create", "user_create"},
	"user.delete":  {"user_delete", "user_delete"},
	"log.export":   {"export_logs_success", "export_logs_failure"},
}

// serviceKeyKinds are the registry's own housekeeping, which no user's log shows.
var serviceKeyKinds = map[string]bool{
	"service_key_create":  true,
	"service_key_approve": true,
	"service_key_delete":  true,
	"service_key_modify":  true,
	"service_key_extend":  true,
	"service_key_rotate":  true,
}

// quayPrefix begins the action of a record that came from a registry: its kind follows.
const quayPrefix = "quay."

var kindReplacer = strings.NewReplacer(".", "_", "-", "_", " ", "_")

// quayKind is what the registry would call an action. The kinds are an open set: clients print what they do
// not know.
func quayKind(action string, outcome format.Outcome) string {
	if kind, ok := strings.CutPrefix(action, quayPrefix); ok && kind != "" {
		return kind
	}
	if k, ok := quayKinds[action]; ok {
		if outcome == format.OutcomeFailure {
			return k.failed
		}
		return k.done
	}
	if action == "" {
		return "unknown" // a plain log line: a client shows something rather than nothing
	}
	return strings.ToLower(kindReplacer.Replace(action))
}
