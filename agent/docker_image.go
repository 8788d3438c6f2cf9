package agent

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"shiplog/format"
)

// dockerImages knows which names an image has: most image events tell only the id.
type dockerImages struct {
	names   map[string][]string // id (sha256:...) to names, newest last
	partly  map[string]bool     // it may have more names than are known: it was loaded from a file
	tagged  string              // newest tag event: its name, image and time
	taggedI string
	deleted time.Time // newest delete that was told
	changed time.Time // newest event of any image
}

func newDockerImages() dockerImages {
	return dockerImages{names: map[string][]string{}, partly: map[string]bool{}}
}

func (d *dockerImages) add(id, name string) {
	for other, names := range d.names { // a name belongs to one image
		if other == id {
			continue
		}
		if i := slices.Index(names, name); i >= 0 {
			d.set(other, slices.Delete(slices.Clone(names), i, i+1))
		}
	}
	if !slices.Contains(d.names[id], name) {
		d.set(id, append(slices.Clone(d.names[id]), name))
	}
}

func (d *dockerImages) set(id string, names []string) {
	if len(names) == 0 {
		delete(d.names, id)
	} else if len(d.names) < maxContainers || d.names[id] != nil {
		d.names[id] = names
	}
}

// nameOf is what to call an image in a line: its newest name, or the start of its id.
func (d *dockerImages) nameOf(id string) string {
	if n := d.names[id]; len(n) > 0 {
		return n[len(n)-1]
	}
	if strings.HasPrefix(id, "sha256:") {
		return shortID(id)
	}
	return id
}

// committed is the name of the image a commit made.
func (d *dockerImages) committed(e *dockerEvent) string {
	id := e.Attr["imageID"]
	switch {
	case e.Attr["imageRef"] != "":
		return e.Attr["imageRef"]
	case d.taggedI == id && id != "":
		return d.tagged
	case id != "":
		return shortID(id)
	}
	return d.nameOf(e.Attr["image"])
}

// owner returns namespace and repository of an image: lgsd/diamond belongs to lgsd, busybox to library.
// A registry's host is no namespace. Both are empty when only an id is known.
func (d *dockerImages) owner(ref string) (ns, repo string) {
	if strings.HasPrefix(ref, "sha256:") || !strings.ContainsAny(ref, ":/.") && len(ref) >= 12 && isHex(ref) {
		n := d.names[ref]
		if len(n) == 0 {
			return "", ""
		}
		ref = n[len(n)-1]
	}
	name, _ := splitRef(ref)
	if name == "" {
		return "", ""
	}
	if _, rest := splitHost(name); rest != "" {
		name = rest
	}
	if i := strings.IndexByte(name, '/'); i > 0 {
		return name[:i], name[i+1:]
	}
	return "library", name
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// splitHost separates the registry of a name; host is empty for Docker Hub.
func splitHost(name string) (host, rest string) {
	first, rest, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(first, ".:") && first != "localhost" {
		return "", name
	}
	return first, rest
}

// splitRef separates the tag of a reference. A digest is no tag.
func splitRef(ref string) (name, tag string) {
	name, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// image maps the events of images.
func (m *DockerMapper) image(o *mapping) {
	e, d := o.e, &m.images
	d.changed = later(d.changed, e.At)
	switch e.Verb {
	case "prune":
		o.prune()
		return
	case "pull", "push", "tag", "untag", "delete", "import", "load", "save":
		o.shown()
	default:
		return
	}
	name := e.ID
	switch e.Verb {
	case "tag":
		name = e.Attr["name"]
		d.add(e.ID, name)
		d.tagged, d.taggedI = name, e.ID
	case "load", "import", "save":
		if e.Verb == "load" || len(d.names[e.ID]) == 0 {
			m.refresh(e, o.raw)
		}
		name = d.nameOf(e.ID)
	case "pull":
		m.refresh(e, o.raw)
	}
	o.raw.NS, o.raw.Repo = d.owner(name)
	switch e.Verb {
	case "pull":
		m.pulled(o)
	case "untag":
		m.untagged(o)
	case "delete":
		m.deleted(o)
	default:
		if e.Verb == "import" {
			obj := imageObject(e.ID, name)
			o.add(Mapped{Ref: o.raw, Task: o.raw, Record: o.message("import", "image.import", format.ActorSystem, obj,
				qnapExport{Type: "docker", CID: name, State: "completed"}).Record})
			o.add(o.line(format.LevelInfo, "import", fmt.Sprintf("Finished import container (docker, %s) from (unknown) (return=0)", name), obj))
		}
		past := map[string]string{"tag": "tagged", "load": "loaded", "import": "imported", "save": "saved", "push": "pushed"}[e.Verb]
		o.add(o.line(format.LevelInfo, "image", fmt.Sprintf("Image %s (docker, %s)", past, name), imageObject(e.ID, name)))
	}
}

func imageObject(id, ref string) format.Object {
	name, tag := splitRef(ref)
	return format.Object{Type: "image", ID: id, Name: name, Tag: tag}
}

// refresh asks the engine for the names of an image that an event does not tell.
func (m *DockerMapper) refresh(e *dockerEvent, raw *format.Record) {
	if m.opts.Image == nil || raw.Seq != 0 || e.made != nil {
		if e.Verb == "load" && len(m.images.partly) < maxContainers {
			m.images.partly[e.ID] = true
		}
		return
	}
	if id, names, ok := m.opts.Image(e.ID); ok {
		for _, n := range names {
			m.images.add(id, n)
		}
	}
}

// qnapImage is the message of a download or a removal.
type qnapImage struct {
	Action     string `json:"action"`
	State      string `json:"state"`
	Type       string `json:"type"`
	Name       string `json:"name"`
	Tag        string `json:"tag,omitempty"`
	Repository string `json:"repository,omitempty"`
}

func (m *DockerMapper) pulled(o *mapping) {
	ref := o.e.ID
	name, tag := splitRef(ref)
	host, _ := splitHost(name)
	if host == "" {
		host = "dockerhub"
	}
	obj := format.Object{Type: "image", ID: ref, Name: name, Tag: tag}
	o.add(o.message("image", "image.pull", format.ActorSystem, obj, qnapImage{
		Action: "download", State: "success", Type: "docker", Name: name, Tag: tag, Repository: host,
	}))
	o.add(o.line(format.LevelInfo, "image", fmt.Sprintf("Finished background task (image_download, %s)", ref), obj))
}

// untagged holds the line of an untag until it is clear whether the image goes with it.
func (m *DockerMapper) untagged(o *mapping) {
	id, at := o.e.ID, o.e.At
	ref, last := m.takeName(o.e, o.raw)
	o.raw.NS, o.raw.Repo = m.images.owner(ref)
	obj := imageObject(id, ref)
	var ms []Mapped
	if last {
		ms = o.removed(ref, obj)
	} else {
		ms = []Mapped{o.line(format.LevelInfo, "image", fmt.Sprintf("Image untagged (docker, %s)", ref), obj)}
	}
	m.hold(&heldLine{due: at.Add(untagWaits), kind: heldUntag, of: id, ref: ref, ms: ms})
}

// removed makes message and line of a name that is gone with its image.
func (o *mapping) removed(ref string, obj format.Object) []Mapped {
	name, _ := splitRef(ref)
	return []Mapped{
		o.message("image", "image.delete", format.ActorSystem, obj, qnapImage{Action: "delete", State: "success", Type: "docker", Name: name}),
		o.line(format.LevelInfo, "image", fmt.Sprintf("Image removed (docker, %s)", ref), obj),
	}
}

// takeName finds out which name an untag took away, as the event does not say it: the one the engine no
// longer has, else the newest. last tells that the image has no other.
func (m *DockerMapper) takeName(e *dockerEvent, raw *format.Record) (ref string, last bool) {
	id := e.ID
	names := m.images.names[id]
	if len(names) == 0 {
		return shortID(id), false
	}
	i := len(names) - 1
	if e.made != nil { // a comparison knows the name
		i = max(0, slices.Index(names, e.Attr["name"]))
	} else if m.opts.Image != nil && raw.Seq == 0 {
		if _, now, ok := m.opts.Image(id); ok {
			gone := slices.IndexFunc(names, func(n string) bool { return !slices.Contains(now, n) })
			if gone < 0 { // a digest was taken away, or the name given again at once
				return shortID(id), false
			}
			i = gone
		}
	}
	ref = names[i]
	m.images.set(id, slices.Delete(slices.Clone(names), i, i+1))
	return ref, len(names) == 1 && !m.images.partly[id]
}

func (m *DockerMapper) deleted(o *mapping) {
	id, at := o.e.ID, o.e.At
	var refs []string
	for _, h := range m.held {
		if h.kind == heldUntag && h.of == id && !slices.Contains(refs, h.ref) {
			refs = append(refs, h.ref)
		}
	}
	m.drop(id, heldUntag)
	for _, n := range m.images.names[id] {
		if !slices.Contains(refs, n) {
			refs = append(refs, n)
		}
	}
	delete(m.images.names, id)
	delete(m.images.partly, id)
	if len(refs) == 0 {
		if at.Sub(m.images.deleted) < untagWaits {
			return // a layer below the image that was just deleted
		}
		refs = []string{shortID(id)}
	}
	m.images.deleted = at
	o.raw.NS, o.raw.Repo = m.images.owner(refs[0])
	for _, ref := range refs {
		o.add(o.removed(ref, imageObject(id, ref))...)
	}
}
