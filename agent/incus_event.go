package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// maxFrameBytes bounds one websocket frame and one line of an imported stream. The largest of 11,000
// recorded frames had 2 KiB.
const maxFrameBytes = 256 << 10

// defaultProject is what Incus and LXD call the project of those who use none.
const defaultProject = "default"

// incusEvent is one frame of the event stream, decoded as far as the mapping needs it. raw keeps the rest.
type incusEvent struct {
	raw      []byte // the frame as received
	at       time.Time
	obs      time.Time // when it was received; zero for an imported event
	kind     string    // lifecycle, operation or logging
	location string    // cluster member, empty for none
	project  string    // empty for what the daemon does on its own

	life *incusLifecycle // set when kind is lifecycle
	op   *incusOperation // set when kind is operation
	log  *incusLogging   // set when kind is logging

	seq uint64 // of the record it was read from, when it was
}

// incusLifecycle is the metadata of a lifecycle event. LXD sends neither Name nor Project.
type incusLifecycle struct {
	Action    string          `json:"action"`
	Source    string          `json:"source"`
	Context   json.RawMessage `json:"context"`
	Requestor *incusRequestor `json:"requestor"`
	Name      string          `json:"name"`
	Project   string          `json:"project"`
}

// incusRequestor is who asked for it: over the unix socket the name of the peer's uid and address "@", over
// TLS the certificate's fingerprint and the client's address. It is absent for what the instance or the
// daemon did by itself, and in a number of events where Incus 6.0 and LXD 5.0 do not fill it in.
type incusRequestor struct {
	Username string `json:"username"`
	Protocol string `json:"protocol"`
	Address  string `json:"address"`
}

// incusOperation is the metadata of an operation event.
type incusOperation struct {
	ID          string              `json:"id"`
	Class       string              `json:"class"` // task, websocket or token
	Description string              `json:"description"`
	Status      string              `json:"status"`
	StatusCode  int                 `json:"status_code"`
	Resources   map[string][]string `json:"resources"`
	Metadata    json.RawMessage     `json:"metadata"`
	Err         string              `json:"err"`
}

// incusLogging is the metadata of a logging event. The daemon streams its debug lines whatever its own
// verbosity is, so live sources do not subscribe to them; recorded streams may hold them.
type incusLogging struct {
	Message string         `json:"message"`
	Level   string         `json:"level"`
	Context map[string]any `json:"context"`
}

// decodeIncus decodes one frame. It fails on what is no event at all; an unknown kind of event is no error.
func decodeIncus(raw []byte) (*incusEvent, error) {
	if len(raw) > maxFrameBytes {
		return nil, fmt.Errorf("decode incus event: %d bytes, the limit is %d", len(raw), maxFrameBytes)
	}
	var head struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Metadata  json.RawMessage `json:"metadata"`
		Location  string          `json:"location"`
		Project   string          `json:"project"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("decode incus event: %w", err)
	}
	if head.Type == "" || head.Timestamp.IsZero() {
		return nil, errors.New("decode incus event: no type or no timestamp")
	}
	e := &incusEvent{raw: raw, at: head.Timestamp.UTC(), kind: head.Type, project: head.Project}
	if head.Location != "none" {
		e.location = head.Location
	}
	var err error
	switch head.Type {
	case "lifecycle":
		e.life = &incusLifecycle{}
		err = json.Unmarshal(head.Metadata, e.life)
	case "operation":
		e.op = &incusOperation{}
		err = json.Unmarshal(head.Metadata, e.op)
	case "logging":
		e.log = &incusLogging{}
		err = json.Unmarshal(head.Metadata, e.log)
	}
	if err != nil {
		return nil, fmt.Errorf("decode incus %s event: %w", head.Type, err)
	}
	return e, nil
}

// incusPath is what an API path such as /1.0/instances/web/snapshots/s0?project=p1 names.
type incusPath struct {
	kind    string // instances, images, networks, volumes, ...
	name    string
	sub     string // snapshots, backups, ... or empty
	subName string
	project string // empty when the path does not say
}

// full is the name a person uses: web, or web/s0 for a snapshot.
func (p incusPath) full() string {
	if p.subName == "" {
		return p.name
	}
	return p.name + "/" + p.subName
}

// parseIncusPath takes an API path apart. Containers and virtual machines are instances; a storage volume is
// named without its pool, its type and the project prefix Incus puts before it.
func parseIncusPath(s string) incusPath {
	var p incusPath
	path, query, _ := strings.Cut(s, "?")
	if q, err := url.ParseQuery(query); err == nil {
		p.project = q.Get("project")
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	for i, part := range parts {
		if dec, err := url.PathUnescape(part); err == nil {
			parts[i] = dec
		}
	}
	if len(parts) > 0 && parts[0] == "1.0" {
		parts = parts[1:]
	}
	at := func(i int) string {
		if i < len(parts) {
			return parts[i]
		}
		return ""
	}
	p.kind, p.name, p.sub, p.subName = at(0), at(1), at(2), at(3)
	switch {
	case p.kind == "containers" || p.kind == "virtual-machines":
		p.kind = "instances"
	case p.kind == "images" && p.name == "aliases":
		// An alias may hold slashes: images:ubuntu/24.04 is common.
		p.kind, p.name, p.sub, p.subName = "aliases", strings.Join(parts[2:], "/"), "", ""
	case p.kind == "storage-pools" && p.sub == "volumes":
		p.kind, p.name, p.sub, p.subName = "volumes", at(4), at(5), at(6)
		p.name = strings.TrimPrefix(p.name, defaultProject+"_")
		if p.project != "" {
			p.name = strings.TrimPrefix(p.name, p.project+"_")
		}
	}
	if p.kind == "instances" && p.sub == "" {
		// Copies name their source as instance%2Fsnapshot.
		if name, snap, ok := strings.Cut(p.name, "/"); ok {
			p.name, p.sub, p.subName = name, "snapshots", snap
		}
	}
	return p
}

// instanceKey names an instance; the same name may exist in several projects.
type instanceKey struct{ project, name string }

// String is the key as it is logged.
func (k instanceKey) String() string {
	if k.project == "" || k.project == defaultProject {
		return k.name
	}
	return k.project + "/" + k.name
}

// instances are the instances an operation works on, without duplicates, the first named first. LXD names
// them twice, as containers and as instances.
func (o *incusOperation) instances(project string) []instanceKey {
	var keys []instanceKey
	for _, kind := range []string{"instances", "containers", "virtual-machines"} {
		for _, path := range o.Resources[kind] {
			p := parseIncusPath(path)
			k := instanceKey{project: orDefault(p.project, project), name: p.name}
			if p.kind == "instances" && p.name != "" && !containsKey(keys, k) {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

func containsKey(keys []instanceKey, k instanceKey) bool {
	for _, have := range keys {
		if have == k {
			return true
		}
	}
	return false
}

// orDefault is the first of its arguments that is not empty, else the default project.
func orDefault(projects ...string) string {
	for _, p := range projects {
		if p != "" {
			return p
		}
	}
	return defaultProject
}

// terminal tells whether no further status may follow.
func (o *incusOperation) terminal() bool {
	return o.Status == "Success" || o.Status == "Failure" || o.Status == "Cancelled"
}

// shortFingerprint is an image's or certificate's fingerprint as Incus lists it: the first 12 digits.
func shortFingerprint(fp string) string {
	if len(fp) > 12 {
		return fp[:12]
	}
	return fp
}
