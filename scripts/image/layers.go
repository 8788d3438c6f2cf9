package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	uid     = 65532 // nobody's on usual hosts, and the same as in other images without a distribution
	dataDir = "/var/lib/shiplog"
)

// entry is one file of a layer; a name that ends in / is a folder.
type entry struct {
	name string
	mode int64
	uid  int
	data []byte
}

// base is what the program expects of a machine: names for its user, roots of trust for callbacks and mail servers,
// time zones for TZ, and folders that it may write to.
func (b *build) base() ([]entry, error) {
	entries := []entry{
		{name: "/etc/passwd", mode: 0o644, data: fmt.Appendf(nil, "root:x:0:0:root:/:/sbin/nologin\nshiplog:x:%d:%d:shiplog:%s:/sbin/nologin\n", uid, uid, dataDir)},
		{name: "/etc/group", mode: 0o644, data: fmt.Appendf(nil, "root:x:0:\nshiplog:x:%d:\n", uid)},
		{name: "/tmp/", mode: 0o1777},
		{name: dataDir + "/", mode: 0o750, uid: uid},
	}
	roots, err := roots(b.at)
	if err != nil {
		return nil, err
	}
	entries = append(entries, entry{name: "/etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: roots})
	zones, err := zones()
	if err != nil {
		return nil, err
	}
	return append(entries, zones...), nil
}

// program is shiplog itself, and the licences of what is in it.
func (b *build) program() ([]entry, error) {
	program, err := os.ReadFile(b.binary)
	if err != nil {
		return nil, err
	}
	entries := []entry{{name: "/usr/bin/shiplog", mode: 0o755, data: program}}
	for _, name := range []string{"LICENSE", "THIRD-PARTY.gz"} {
		data, err := os.ReadFile(filepath.Join(b.licences, name))
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name: "/usr/share/licenses/shiplog/" + name, mode: 0o644, data: data})
	}
	return entries, nil
}

// roots are Mozilla's, of the version in go.mod and not of the machine that builds, without those that a reader of
// PEM could not hold to their constraints, and without those that have ended at that time.
func roots(at time.Time) ([]byte, error) {
	var b bytes.Buffer
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return nil, err
		}
		if root.Constraint != nil || at.After(cert.NotAfter) {
			continue
		}
		if err := pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// zones are the time zones that come with Go.
func zones() ([]entry, error) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env GOROOT: %w", err)
	}
	z, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(goroot)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var entries []entry
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name: "/usr/share/zoneinfo/" + f.Name, mode: 0o644, data: data})
	}
	return entries, nil
}

// pack makes a layer of entries and the folders above them.
func pack(entries []entry, at time.Time) (v1.Layer, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range withParents(entries) {
		h := &tar.Header{Name: strings.TrimPrefix(e.name, "/"), Mode: e.mode, Uid: e.uid, Gid: e.uid, ModTime: at, Size: int64(len(e.data)), Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}

// withParents adds the folders above all entries, which are root's and open to all, and sorts.
func withParents(entries []entry) []entry {
	have := map[string]bool{}
	for _, e := range entries {
		have[e.name] = true
	}
	for _, e := range entries {
		for dir := path.Dir(strings.TrimSuffix(e.name, "/")); dir != "/"; dir = path.Dir(dir) {
			if !have[dir+"/"] {
				have[dir+"/"] = true
				entries = append(entries, entry{name: dir + "/", mode: 0o755})
			}
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return entries
}
