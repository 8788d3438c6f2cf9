package main

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
)

// archive writes image as one tar that is an OCI layout and, by the manifest.json beside it, what docker load takes.
// tag is the name it has when it is loaded, ref the one inside the layout.
func archive(image v1.Image, tag, ref string, at time.Time, out string) error {
	dir, err := os.MkdirTemp("", "shiplog-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	err = l.ReplaceImage(image, match.Name(ref),
		layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": ref}),
		layout.WithPlatform(v1.Platform{OS: config.OS, Architecture: config.Architecture}))
	if err != nil {
		return err
	}
	if err := dockerManifest(image, tag, filepath.Join(dir, "manifest.json")); err != nil {
		return err
	}
	return tarDir(dir, at, out)
}

// dockerManifest writes the list that docker load begins with; its paths are those of the layout.
func dockerManifest(image v1.Image, tag, file string) error {
	config, err := image.ConfigName()
	if err != nil {
		return err
	}
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	blob := func(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }
	one := struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{Config: blob(config), RepoTags: []string{tag}}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		one.Layers = append(one.Layers, blob(digest))
	}
	b, err := json.Marshal([]any{one})
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

// tarDir writes all files of dir in the order of their names; only their bytes get into the tar.
func tarDir(dir string, at time.Time, out string) (err error) {
	f, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		return tarFile(w, name, rel, at)
	})
	return errors.Join(err, w.Close())
}

func tarFile(w *tar.Writer, name, rel string, at time.Time) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Name: filepath.ToSlash(rel), Mode: 0o644, Size: fi.Size(), ModTime: at, Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}
