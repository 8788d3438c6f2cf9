// Image writes a container image of shiplog as a file that `docker load`, `podman load` and everything that reads an
// OCI layout take. It needs no container engine, and the same binary gives the same bytes.
//
//	go run . --binary FILE --arch amd64 --version 1.2.0 --revision HASH --licences DIR --out FILE
//
// It is a module of its own, so that the product does not depend on it. The time in the image is SOURCE_DATE_EPOCH.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// build is what one image is made of.
type build struct {
	binary, arch, version, revision, licences string
	at                                        time.Time
}

func main() {
	var b build
	var out string
	flag.StringVar(&b.binary, "binary", "", "the static `program`")
	flag.StringVar(&b.arch, "arch", "amd64", "its `architecture`")
	flag.StringVar(&b.version, "version", "devel", "its `version`")
	flag.StringVar(&b.revision, "revision", "", "the `commit` it was built from")
	flag.StringVar(&b.licences, "licences", "", "the `folder` with LICENSE and THIRD-PARTY.gz")
	flag.StringVar(&out, "out", "", "the `file` to write")
	flag.Parse()
	if err := b.write(out); err != nil {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

// write makes the image and writes it to the file out.
func (b *build) write(out string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH must be seconds since 1970: %w", err)
	}
	b.at = time.Unix(seconds, 0).UTC()
	image, err := b.image()
	if err != nil {
		return err
	}
	return archive(image, "shiplog:"+b.version, b.version, b.at, out)
}

// image has two layers: the second is the program, the first changes seldom and is shared between versions.
func (b *build) image() (v1.Image, error) {
	image := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	for _, files := range []func() ([]entry, error){b.base, b.program} {
		entries, err := files()
		if err != nil {
			return nil, err
		}
		layer, err := pack(entries, b.at)
		if err != nil {
			return nil, err
		}
		image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: v1.Time{Time: b.at}, CreatedBy: "shiplog scripts/image"}})
		if err != nil {
			return nil, err
		}
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	b.configure(config)
	return mutate.ConfigFile(image, config)
}

// configure says how the image runs: as nobody that the host knows, on all addresses of the container, with one folder
// that outlives it.
func (b *build) configure(config *v1.ConfigFile) {
	config.Created = v1.Time{Time: b.at}
	config.OS, config.Architecture = "linux", b.arch
	config.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", uid, uid),
		Env:        []string{"PATH=/usr/bin", "SHIPLOG_DATA=" + dataDir},
		Entrypoint: []string{"/usr/bin/shiplog"},
		// Who publishes the port says who can reach it; with a certificate in SHIPLOG_TLS_CERT it is https all the same.
		Cmd:          []string{"run", "--listen", "0.0.0.0:7446", "--insecure-http"},
		WorkingDir:   dataDir,
		ExposedPorts: map[string]struct{}{"7446/tcp": {}},
		Volumes:      map[string]struct{}{dataDir: {}},
		StopSignal:   "SIGTERM",
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", "/usr/bin/shiplog", "health"},
			Interval: 30 * time.Second, Timeout: 10 * time.Second, StartPeriod: 10 * time.Second, Retries: 3,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "shiplog",
			"org.opencontainers.image.description": "The logbook of a container host",
			"org.opencontainers.image.version":     b.version,
			"org.opencontainers.image.revision":    b.revision,
			"org.opencontainers.image.created":     b.at.Format(time.RFC3339),
			"org.opencontainers.image.licenses":    "MIT",
		},
	}
}
