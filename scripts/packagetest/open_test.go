package packagetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// file is what a package would install.
type file struct {
	mode   fs.FileMode
	config bool // kept as the administrator left it
	data   []byte
}

// pkg is one package as its format tells it.
type pkg struct {
	name    string // of the file
	files   map[string]file
	folders []string // an rpm's own, which go with it
	scripts map[string]string
	meta    string // what the package says of itself, as text
}

// open reads the one package that matches pattern.
func open(t *testing.T, pattern string) *pkg {
	t.Helper()
	dir := os.Getenv("SHIPLOG_PACKAGES")
	if dir == "" {
		t.Skip("SHIPLOG_PACKAGES names no folder of packages: scripts/package --out DIR")
	}
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d packages match %s in %s, want one", len(found), pattern, dir)
	}
	b, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	p := &pkg{name: filepath.Base(found[0]), files: map[string]file{}, scripts: map[string]string{}}
	switch filepath.Ext(p.name) {
	case ".deb":
		err = p.deb(arMembers(t, b))
	case ".ipk":
		err = p.deb(tarMembers(t, b))
	case ".apk":
		err = p.apk(b)
	case ".rpm":
		err = p.rpm(b)
	}
	if err != nil {
		t.Fatalf("read %s: %v", p.name, err)
	}
	return p
}

// untar calls add for each file of a tar, compressed or not. Zeroes between tars, as in an apk, do not end it.
func untar(b []byte, add func(h *tar.Header, data []byte) error) error {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		if err := add(h, data); err != nil {
			return err
		}
	}
}

// add takes a file of the data part. Every one must be root's.
func (p *pkg) add(h *tar.Header, data []byte) error {
	if h.Uid != 0 || h.Gid != 0 {
		return errors.New(h.Name + " does not belong to root")
	}
	if h.Typeflag == tar.TypeReg {
		p.files[path.Join("/", h.Name)] = file{mode: h.FileInfo().Mode(), data: data}
	}
	return nil
}

// deb reads the two parts that a deb and an ipk have.
func (p *pkg) deb(members map[string][]byte) error {
	if err := untar(members["data.tar.gz"], p.add); err != nil {
		return err
	}
	return untar(members["control.tar.gz"], func(h *tar.Header, data []byte) error {
		switch name := path.Base(h.Name); name {
		case "control":
			p.meta = string(data)
		case "conffiles":
			p.configs(strings.Fields(string(data)))
		case "md5sums", ".":
		default:
			p.scripts[name] = string(data)
		}
		return nil
	})
}

func (p *pkg) configs(names []string) {
	for _, name := range names {
		f := p.files[name]
		f.config = true
		p.files[name] = f
	}
}

// apk reads the three tars that follow each other: names that begin with a dot are about the package.
func (p *pkg) apk(b []byte) error {
	return untar(b, func(h *tar.Header, data []byte) error {
		switch {
		case h.Name == ".PKGINFO":
			p.meta = string(data)
		case strings.HasPrefix(h.Name, ".SIGN"):
		case strings.HasPrefix(h.Name, "."):
			p.scripts[h.Name[1:]] = string(data)
		default:
			return p.add(h, data)
		}
		return nil
	})
}

// tarMembers are the parts of an ipk.
func tarMembers(t *testing.T, b []byte) map[string][]byte {
	t.Helper()
	members := map[string][]byte{}
	err := untar(b, func(h *tar.Header, data []byte) error {
		members[path.Base(h.Name)] = data
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return members
}

// arMembers are the parts of a deb.
func arMembers(t *testing.T, b []byte) map[string][]byte {
	t.Helper()
	members := map[string][]byte{}
	rest, ok := bytes.CutPrefix(b, []byte("!<arch>\n"))
	for ok && len(rest) >= 60 {
		size, err := strconv.Atoi(strings.TrimSpace(string(rest[48:58])))
		if err != nil || size < 0 || 60+size > len(rest) {
			t.Fatalf("the ar header %q is broken", rest[:60])
		}
		name := strings.TrimRight(strings.TrimSpace(string(rest[:16])), "/")
		members[name] = rest[60 : 60+size]
		rest = rest[min(60+size+size%2, len(rest)):]
	}
	return members
}
