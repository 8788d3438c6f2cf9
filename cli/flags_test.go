package cli

import (
	"os"
	"testing"
)

func TestDefaultData(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want string // of a user who is not root
	}{
		{"the state directory of a user", map[string]string{"HOME": "/home/nina"}, "/home/nina/.local/state/shiplog"},
		{"one that is elsewhere", map[string]string{"HOME": "/home/nina", "XDG_STATE_HOME": "/state"}, "/state/shiplog"},
		{"a relative one does not count", map[string]string{"HOME": "/home/nina", "XDG_STATE_HOME": "state"}, "/home/nina/.local/state/shiplog"},
		{"no home", nil, "/var/lib/shiplog"},
	}
	for _, tt := range tests {
		p := &Program{Env: func(name string) string { return tt.env[name] }}
		if os.Geteuid() == 0 {
			tt.want = "/var/lib/shiplog"
		}
		if got := p.defaultData(); got != tt.want {
			t.Errorf("%s: defaultData = %s, want %s", tt.name, got, tt.want)
		}
	}
	p := &Program{Env: func(name string) string { return map[string]string{"STATE_DIRECTORY": "/srv/a:/srv/b"}[name] }}
	if got := p.defaultData(); got != "/srv/a" {
		t.Errorf("under systemd: defaultData = %s, want /srv/a", got)
	}
}
