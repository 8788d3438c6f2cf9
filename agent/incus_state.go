package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lxc/incus/v6/shared/api"
)

// instanceState is what is known of one instance. A zero member is unknown and never makes a difference.
type instanceState struct {
	Project string    `json:"project"`
	Name    string    `json:"name"`
	UUID    string    `json:"uuid,omitempty"`
	Status  string    `json:"status,omitempty"` // Running, Stopped, Frozen or another of Incus' words
	Created time.Time `json:"created,omitzero"`
	Used    time.Time `json:"used,omitzero"` // last start
	Config  string    `json:"config,omitempty"`
	Snaps   []string  `json:"snaps,omitempty"` // sorted
	Ports   []int     `json:"ports,omitempty"` // of proxy devices, sorted

	partial bool      // heard of, but its creation was not seen
	touched time.Time // newest event; zero since the last listing
}

func (i *instanceState) key() instanceKey { return instanceKey{i.Project, i.Name} }

// incusState is what is known of a daemon's instances and images.
type incusState struct {
	Instances map[instanceKey]*instanceState
	Images    map[string]string // fingerprint -> alias, which may be empty
}

func newIncusState() *incusState {
	return &incusState{Instances: map[instanceKey]*instanceState{}, Images: map[string]string{}}
}

func (s *incusState) clone() *incusState {
	c := newIncusState()
	for k, i := range s.Instances {
		n := *i
		n.Snaps = slices.Clone(i.Snaps)
		c.Instances[k] = &n
	}
	c.Images = maps.Clone(s.Images)
	return c
}

// statuses are what lifecycle actions leave an instance in.
var statuses = map[string]string{
	"instance-started":   "Running",
	"instance-restarted": "Running",
	"instance-resumed":   "Running",
	"instance-stopped":   "Stopped",
	"instance-shutdown":  "Stopped",
	"instance-paused":    "Frozen",
}

// apply carries a lifecycle event into the state. Applying events again that the state already holds
// leaves it as it was.
func (s *incusState) apply(e *incusEvent) {
	if e.life == nil {
		return
	}
	p := parseIncusPath(e.life.Source)
	switch {
	case p.kind == "images":
		s.applyImage(e, p)
	case p.kind == "aliases" && e.life.Action == "image-alias-created":
		if fp := contextString(e, "target"); fp != "" {
			s.Images[fp] = p.name
		}
	case strings.HasPrefix(e.life.Action, "instance-") && p.name != "":
		s.applyInstance(e, instanceKey{orDefault(e.life.Project, p.project, e.project), p.name}, p)
	}
}

func (s *incusState) applyImage(e *incusEvent, p incusPath) {
	switch e.life.Action {
	case "image-created":
		if _, ok := s.Images[p.name]; !ok {
			s.Images[p.name] = ""
		}
	case "image-deleted":
		delete(s.Images, p.name)
	}
}

func (s *incusState) applyInstance(e *incusEvent, k instanceKey, p incusPath) {
	action := e.life.Action
	switch action {
	case "instance-deleted":
		delete(s.Instances, k)
		return
	case "instance-renamed":
		old := instanceKey{k.project, contextString(e, "old_name")}
		if i := s.Instances[old]; i != nil {
			delete(s.Instances, old)
			i.Name = k.name
			s.Instances[k] = i
		}
	}
	i := s.Instances[k]
	if i == nil {
		if statuses[action] == "Stopped" {
			return // an ephemeral instance says so after it was deleted
		}
		i = &instanceState{Project: k.project, Name: k.name, partial: action != "instance-created"}
		if action == "instance-created" {
			i.Status = "Stopped"
		}
		s.Instances[k] = i
	}
	if e.at.After(i.touched) {
		i.touched = e.at
	}
	if st := statuses[action]; st != "" {
		i.Status = st
	}
	switch action {
	case "instance-started", "instance-restarted":
		i.Used = e.at
	case "instance-updated", "instance-restored":
		i.Config = ""
	case "instance-snapshot-created":
		i.Snaps = withSnap(i.Snaps, p.subName)
	case "instance-snapshot-deleted":
		i.Snaps = slices.DeleteFunc(slices.Clone(i.Snaps), func(n string) bool { return n == p.subName })
	case "instance-snapshot-renamed":
		_, old, _ := strings.Cut(contextString(e, "old_name"), "/")
		i.Snaps = slices.DeleteFunc(slices.Clone(i.Snaps), func(n string) bool { return n == old })
		i.Snaps = withSnap(i.Snaps, p.subName)
	}
}

func withSnap(snaps []string, name string) []string {
	i, found := slices.BinarySearch(snaps, name)
	if found || name == "" {
		return snaps
	}
	return slices.Insert(slices.Clone(snaps), i, name)
}

// listing is what a daemon answered when it was asked for everything, between From and To.
type listing struct {
	From, To time.Time
	State    *incusState
	Ops      []api.Operation
	Certs    map[string]string // fingerprint -> name
}

// listInstances turns the API's instances into state.
func (s *incusState) listInstances(instances []api.InstanceFull) {
	for _, in := range instances {
		i := &instanceState{
			Project: orDefault(in.Project),
			Name:    in.Name,
			UUID:    in.Config["volatile.uuid"],
			Status:  in.Status,
			Created: in.CreatedAt.UTC(),
			Config:  configHash(&in.Instance),
			Ports:   proxyPorts(in.Devices, in.ExpandedDevices),
		}
		if in.LastUsedAt.Year() > 1971 { // "never" is 1970
			i.Used = in.LastUsedAt.UTC()
		}
		if in.State != nil && in.State.StartedAt.After(i.Used) {
			i.Used = in.State.StartedAt.UTC()
		}
		for _, sn := range in.Snapshots {
			name := sn.Name
			if _, after, ok := strings.Cut(name, "/"); ok {
				name = after
			}
			i.Snaps = append(i.Snaps, name)
		}
		slices.Sort(i.Snaps)
		s.Instances[i.key()] = i
	}
}

// configHash stands for what a user can set of an instance; volatile keys change by themselves. A hash and
// not the settings, because these hold secrets.
func configHash(in *api.Instance) string {
	config := map[string]string{}
	for k, v := range in.Config {
		if !strings.HasPrefix(k, "volatile.") {
			config[k] = v
		}
	}
	b, err := json.Marshal([]any{config, in.Devices, in.Profiles, in.Description, in.Ephemeral})
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
