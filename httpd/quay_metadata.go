package httpd

import (
	"bytes"
	"encoding/json"
	"strings"

	"shiplog/format"
)

// quayMetadata is what else is known of a record: the origin's own members as they are, without those reserved
// for other dialects. A record that does not come from a registry also tells what its envelope knows, where
// the origin has no member of that name.
func quayMetadata(f *format.Fields) map[string]any {
	meta := map[string]any{}
	var members map[string]json.RawMessage
	if json.Unmarshal(bytes.ToValidUTF8(f.Data, []byte("\uFFFD")), &members) == nil {
		for name, value := range members {
			if name != "hss" && name != "qnap" {
				meta[name] = value
			}
		}
	}
	if strings.HasPrefix(f.Action.String(), quayPrefix) {
		return meta
	}
	put := func(name, value string) {
		if _, there := meta[name]; !there && value != "" {
			meta[name] = value
		}
	}
	if image := imageOf(f); image.repo != "" {
		put("repo", image.repo)
		put("namespace", image.ns)
		put("tag", image.tag)
	}
	if f.ObjType.Is("container") {
		put("container_id", f.ObjID.String())
		put("container_id", f.ObjName.String()) // engines that know containers by name only
	}
	put("engine", string(f.Engine))
	put("request_id", f.Req.String())
	put("message", f.Msg.String())
	return meta
}

// imageName is a reference to an image, taken apart.
type imageName struct{ ns, repo, tag string }

// imageOf is the image that a record is about. What the envelope says goes before what the reference says.
func imageOf(f *format.Fields) imageName {
	ref := f.ObjImage.String()
	isImage := f.ObjType.Is("image")
	if isImage && ref == "" {
		ref = f.ObjName.String()
	}
	named := parseImage(ref)
	if isImage && named.tag == "" {
		named.tag = parseImage(f.ObjID.String()).tag // Docker names a pulled image without its tag
	}
	if repo := f.Repo.String(); repo != "" {
		named.repo = repo
	} else if !isImage {
		return imageName{}
	}
	if ns := f.NS.String(); ns != "" {
		named.ns = ns
	}
	if tag := f.ObjTag.String(); tag != "" {
		named.tag = tag
	}
	return named
}

// parseImage takes [host/][namespace/]repository[:tag][@digest] apart; an id names nothing.
func parseImage(ref string) (n imageName) {
	name, _, _ := strings.Cut(ref, "@")
	if isImageID(name) {
		return n
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') { // else it is before a host's port
		name, n.tag = name[:i], name[i+1:]
	}
	if host, rest, ok := strings.Cut(name, "/"); ok && (strings.ContainsAny(host, ".:") || host == "localhost") {
		name = rest
	}
	n.ns, n.repo = defaultNamespace, name
	if ns, repo, ok := strings.Cut(name, "/"); ok {
		n.ns, n.repo = ns, repo
	}
	return n
}

// isImageID tells an image's id, whole or shortened, from a name.
func isImageID(s string) bool {
	return strings.HasPrefix(s, "sha256:") || len(s) >= 12 && strings.Trim(s, "0123456789abcdef") == ""
}
