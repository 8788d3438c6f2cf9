package index

import (
	"bytes"
	"io"
	"slices"
	"strings"
)

// maxActionBytes bounds the actions that a file is looked through for.
const maxActionBytes = 256

// withoutActions tells whether no record of v can have one of actions, by the bytes of the file, which costs
// a hundredth of making columns. It does so only where columns are not at hand, and only for actions that
// every writer of JSON writes as they are; a file in which ASCII is escaped may hold them in another form.
func (x *Index) withoutActions(v *view, actions []string) (bool, error) {
	if v.cols != nil || len(actions) == 0 || slices.ContainsFunc(actions, maybeEscaped) || len(strings.Join(actions, "")) > maxActionBytes {
		return false, nil
	}
	s := v.seg
	s.mu.Lock()
	known := s.cols != nil
	s.mu.Unlock()
	if known {
		return false, nil
	}
	if d := x.diskOf(s, v.id); d != nil {
		d.release()
		return false, nil // the columns tell
	}
	has, err := x.fileHas(s.Name, append([]string{`\u00`}, actions...)...)
	return !has && err == nil, err
}

// maybeEscaped tells whether a writer of JSON may write action in another form than it has.
func maybeEscaped(action string) bool {
	return action == "" || strings.ContainsFunc(action, func(r rune) bool {
		return r != '.' && r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// fileHas tells whether one of parts stands anywhere in a segment.
func (x *Index) fileHas(name string, parts ...string) (bool, error) {
	keep := 0 // a part may begin in one piece and end in the next
	for _, part := range parts {
		keep = max(keep, len(part)-1)
	}
	f, err := x.log.OpenSegment(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	buf, n := make([]byte, 256<<10), 0
	for off := int64(0); ; {
		m, err := f.ReadAt(buf[n:], off)
		off += int64(m)
		for _, part := range parts {
			if bytes.Contains(buf[:n+m], []byte(part)) {
				return true, nil
			}
		}
		if m == 0 || err != nil {
			if err == io.EOF {
				err = nil
			}
			return false, err
		}
		n = copy(buf, buf[max(n+m-keep, 0):n+m])
	}
}
