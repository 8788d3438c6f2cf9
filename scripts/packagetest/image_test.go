package packagetest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// imageConfig is what of an image's configuration is looked at.
type imageConfig struct {
	Architecture string
	Config       struct {
		User            string
		Entrypoint, Cmd []string
		Volumes         map[string]struct{}
		Labels          map[string]string
		Healthcheck     struct{ Test []string }
	}
}

// openImage reads the files of the image for arch, and wants each blob to be what its name says.
func openImage(t *testing.T, arch string) map[string][]byte {
	t.Helper()
	open(t, "*_amd64.deb") // skips without packages
	found, err := filepath.Glob(filepath.Join(os.Getenv("SHIPLOG_PACKAGES"), "*-"+arch+".oci.tar"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d images for %s, want one", len(found), arch)
	}
	f, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files := map[string][]byte{}
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = data
		sum := sha256.Sum256(data)
		if want, ok := strings.CutPrefix(h.Name, "blobs/sha256/"); ok && want != hex.EncodeToString(sum[:]) {
			t.Errorf("the blob %s has another checksum", h.Name)
		}
	}
}

func unmarshal(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
}

func TestTheImageIsWhatDockerAndAnOCILayoutWant(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			files := openImage(t, arch)
			var docker []struct {
				Config           string
				RepoTags, Layers []string
			}
			unmarshal(t, files["manifest.json"], &docker)
			var index, manifest struct {
				Manifests     []struct{ Digest string }
				Config        struct{ Digest string }
				Layers        []struct{ Digest string }
				SchemaVersion int
			}
			unmarshal(t, files["index.json"], &index)
			blob := func(digest string) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) }
			unmarshal(t, files[blob(index.Manifests[0].Digest)], &manifest)
			if docker[0].Config != blob(manifest.Config.Digest) || docker[0].Layers[0] != blob(manifest.Layers[0].Digest) {
				t.Errorf("docker load would take %v, an OCI layout %v", docker, manifest)
			}
			if !strings.HasPrefix(docker[0].RepoTags[0], "shiplog:") || string(files["oci-layout"]) == "" {
				t.Errorf("tags %v, oci-layout %q; want shiplog:VERSION and a version", docker[0].RepoTags, files["oci-layout"])
			}
			checkImage(t, arch, files[docker[0].Config])
		})
	}
}

func checkImage(t *testing.T, arch string, text []byte) {
	t.Helper()
	var got imageConfig
	unmarshal(t, text, &got)
	c := got.Config
	_, volume := c.Volumes["/var/lib/shiplog"]
	if got.Architecture != arch || c.User != "65532:65532" || !volume ||
		!slices.Equal(c.Entrypoint, []string{"/usr/bin/shiplog"}) ||
		!slices.Equal(c.Cmd, []string{"run", "--listen", "0.0.0.0:7446", "--insecure-http"}) ||
		!slices.Equal(c.Healthcheck.Test, []string{"CMD", "/usr/bin/shiplog", "health"}) ||
		c.Labels["org.opencontainers.image.licenses"] != "MIT" || c.Labels["org.opencontainers.image.version"] == "" {
		t.Errorf("the image for %s is configured as %s", arch, text)
	}
}

func TestTheImageHoldsWhatTheProgramExpectsOfAMachine(t *testing.T) {
	files := openImage(t, "arm64")
	var docker []struct{ Layers []string }
	unmarshal(t, files["manifest.json"], &docker)
	modes := map[string]int64{}
	owners := map[string]int{}
	for _, layer := range docker[0].Layers {
		err := untar(files[layer], func(h *tar.Header, data []byte) error {
			modes[h.Name], owners[h.Name] = h.Mode, h.Uid
			if h.Name == "etc/ssl/certs/ca-certificates.crt" && bytes.Count(data, []byte("BEGIN CERTIFICATE")) < 50 {
				t.Errorf("%s has %d bytes, want roots of trust", h.Name, len(data))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]int64{
		"usr/bin/shiplog": 0o755, "etc/ssl/certs/ca-certificates.crt": 0o644, "usr/share/zoneinfo/Europe/Berlin": 0o644,
		"etc/passwd": 0o644, "etc/group": 0o644, "tmp/": 0o1777, "var/lib/shiplog/": 0o750,
		"usr/share/licenses/shiplog/LICENSE": 0o644, "usr/share/licenses/shiplog/THIRD-PARTY.gz": 0o644,
	} {
		if got, ok := modes[name]; !ok || got != want {
			t.Errorf("mode of /%s = %o (there: %v), want %o", name, got, ok, want)
		}
	}
	if owners["var/lib/shiplog/"] != 65532 || owners["usr/bin/shiplog"] != 0 {
		t.Errorf("owners of the data and the program = %d, %d, want 65532 and 0", owners["var/lib/shiplog/"], owners["usr/bin/shiplog"])
	}
}
