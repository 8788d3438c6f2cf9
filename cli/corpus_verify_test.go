package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// verify asks the command verify: what was sealed or signed and is not what it was is named, and nothing else is blamed.
func (c *corpus) verify(d *damaged) {
	changed := c.changed(d)
	out, said, status := d.run("verify", "--data", d.dir)
	switch {
	case len(changed) == 0 && status != exitOK:
		d.t.Errorf("verify = exit %d, want 0: all that was sealed is as it was\n%s%s", status, out, said)
	case len(changed) > 0 && status != exitDamage && !(status == exitFailed && d.unjudged()):
		d.t.Errorf("verify = exit %d, want 4: %v changed\n%s%s", status, changed, out, said)
	}
	for _, name := range changed {
		if !strings.Contains(out+said, name) {
			d.t.Errorf("verify does not name %s, which changed:\n%.2000s%s", name, out, said)
		}
	}
}

// changed are the files whose sealed or signed content is not what it was, and segments that were none.
func (c *corpus) changed(d *damaged) (names []string) {
	were, err := filepath.Glob(filepath.Join(c.dir, "log", "0*.jsonl"))
	d.must(err)
	newest := were[len(were)-1]
	for _, path := range slices.Concat(were, []string{filepath.Join(c.dir, "log", "SEALS.jsonl"), filepath.Join(c.dir, "log", "checkpoint")}) {
		was, err := os.ReadFile(path)
		d.must(err)
		is := filepath.Join(d.dir, "log", filepath.Base(path))
		if !begins(is, was, path == newest || d.halfSeal(is, len(was))) {
			names = append(names, filepath.Base(path))
		}
	}
	for _, path := range d.segments() {
		if name := filepath.Base(path); segmentPattern.MatchString(name) && !slices.Contains(were, filepath.Join(c.dir, "log", name)) {
			names = append(names, name)
		}
	}
	return names
}

// unjudged tells what leaves open whether the log is whole: no seals to compare with, or a segment just begun.
func (d *damaged) unjudged() bool {
	all := d.segments()
	fi, err := os.Stat(all[len(all)-1])
	seals, serr := os.Stat(filepath.Join(d.dir, "log", "SEALS.jsonl"))
	return err == nil && fi.Size() == 0 || serr != nil || !seals.Mode().IsRegular()
}

// halfSeal tells whether the seals have half a line at their end, as a crash leaves one.
func (d *damaged) halfSeal(path string, whole int) bool {
	fi, err := os.Stat(path)
	if err != nil || !fi.Mode().IsRegular() || filepath.Base(path) != "SEALS.jsonl" || fi.Size() <= int64(whole) {
		return false
	}
	b, err := os.ReadFile(path)
	return err == nil && !bytes.Contains(b[whole:], []byte("\n"))
}

// begins tells whether a file holds text and, unless it may grow, no more. Segments that are links are not read.
func begins(path string, text []byte, grows bool) bool {
	stat := os.Stat
	if segmentPattern.MatchString(filepath.Base(path)) {
		stat = os.Lstat
	}
	fi, err := stat(path)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() < int64(len(text)) || !grows && fi.Size() > int64(len(text)) {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(len(text))))
	return err == nil && bytes.Equal(b, text)
}
