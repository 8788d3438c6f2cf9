package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"shiplog/format"

	incus "github.com/lxc/incus/v6/client"
	"github.com/lxc/incus/v6/shared/api"
)

// requestLimit bounds each request to the daemon; a listing of one instance takes 14 ms.
const requestLimit = 20 * time.Second

var errNoSocket = errors.New("no incus or lxd socket found")

// incusSockets are the places to look at, in order. A socket given by the user is the only one.
func incusSockets(given string) []string {
	if given != "" {
		return []string{strings.TrimPrefix(given, "unix://")}
	}
	var paths []string
	if p := os.Getenv("INCUS_SOCKET"); p != "" {
		paths = append(paths, p)
	}
	return append(paths,
		"/run/incus/unix.socket",
		"/var/lib/incus/unix.socket",
		"/var/lib/lxd/unix.socket",
		"/var/snap/lxd/common/lxd/unix.socket",
	)
}

// incusServer is a connection to a daemon.
type incusServer struct {
	incus.InstanceServer
	engine format.Engine
	pid    int // changes when the daemon restarts
	path   string
	number string // its version
}

// dialIncus connects to the first daemon that answers. The error is errNoSocket when there is none, one
// that names the group when there is one and it may not be opened.
func dialIncus(ctx context.Context, given string) (*incusServer, error) {
	var errs []error
	for _, path := range incusSockets(given) {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		s, err := openIncus(ctx, path)
		if err == nil {
			return s, nil
		}
		errs = append(errs, refused(path, incusGroup(path), err))
	}
	if len(errs) == 0 {
		if given != "" {
			return nil, fmt.Errorf("%w: %s does not exist", errNoSocket, strings.TrimPrefix(given, "unix://"))
		}
		return nil, errNoSocket
	}
	return nil, errors.Join(errs...)
}

// incusGroup is the group that may open a socket, where the socket itself does not tell.
func incusGroup(path string) string {
	if strings.Contains(path, "lxd") {
		return "lxd"
	}
	return "incus-admin"
}

func openIncus(ctx context.Context, path string) (*incusServer, error) {
	c, err := incus.ConnectIncusUnixWithContext(ctx, path, &incus.ConnectionArgs{
		UserAgent:  "shiplog",
		HTTPClient: &http.Client{Timeout: requestLimit},
	})
	if err != nil {
		return nil, err
	}
	info, _, err := c.GetServer()
	if err != nil {
		return nil, err
	}
	s := &incusServer{InstanceServer: c, engine: format.EngineIncus, pid: info.Environment.ServerPid, path: path, number: info.Environment.ServerVersion}
	if info.Environment.Server == "lxd" {
		s.engine = format.EngineLXD
	}
	return s, nil
}

// list asks for everything that is compared. Images and operations are left unknown when the daemon does
// not give them.
func (s *incusServer) list(now func() time.Time) (*listing, error) {
	l := &listing{From: now(), State: newIncusState()}
	instances, err := s.GetInstancesFullAllProjects(api.InstanceTypeAny)
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	l.State.listInstances(instances)
	images, err := s.images()
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	for _, im := range images {
		alias := ""
		if len(im.Aliases) > 0 {
			alias = im.Aliases[0].Name
		}
		l.State.Images[im.Fingerprint] = alias
	}
	if l.Ops, err = s.operations(); err != nil {
		return nil, fmt.Errorf("list operations: %w", err)
	}
	if certs, err := s.GetCertificates(); err == nil { // only administrators may read them
		l.Certs = map[string]string{}
		for _, c := range certs {
			l.Certs[c.Fingerprint] = c.Name
		}
	}
	l.To = now()
	return l, nil
}

func (s *incusServer) images() ([]api.Image, error) {
	if s.HasExtension("images_all_projects") {
		return s.GetImagesAllProjects()
	}
	return s.GetImages()
}

func (s *incusServer) operations() ([]api.Operation, error) {
	if s.HasExtension("operations_get_query_all_projects") {
		return s.GetOperationsAllProjects()
	}
	return s.GetOperations()
}
