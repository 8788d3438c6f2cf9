package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"shiplog/format"

	"github.com/lxc/incus/v6/shared/api"
)

// inspect returns the live state of one instance: a name of the default project, else a name that only one
// project has, or project/name.
func (s *incusSource) inspect(ctx context.Context, id string) (format.Container, error) {
	server, err := s.connection()
	if err != nil {
		return format.Container{}, err
	}
	// The client takes no context per request; it gives up by itself after requestLimit.
	type answer struct {
		c   format.Container
		err error
	}
	got := make(chan answer, 1)
	go func() {
		c, err := s.find(server, id)
		got <- answer{c, err}
	}()
	select {
	case <-ctx.Done():
		return format.Container{}, context.Cause(ctx)
	case a := <-got:
		return a.c, a.err
	}
}

func (s *incusSource) connection() (*incusServer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil, format.ErrEngineDown
	}
	return s.server, nil
}

// find looks where a name most likely is first: one request of 9 ms in the usual case.
func (s *incusSource) find(server *incusServer, id string) (format.Container, error) {
	project, name, given := strings.Cut(id, "/")
	if !given {
		project, name = defaultProject, id
	}
	in, err := server.instance(project, name)
	if errors.Is(err, format.ErrNoContainer) && !given {
		if project, err = server.projectOf(name); err == nil {
			in, err = server.instance(project, name)
		}
	}
	if err != nil {
		return format.Container{}, err
	}
	return s.container(in), nil
}

func (s *incusServer) instance(project, name string) (*api.InstanceFull, error) {
	if name == "" || strings.ContainsAny(name, "/?#") {
		return nil, format.ErrNoContainer
	}
	in, _, err := s.UseProject(project).GetInstanceFull(name)
	if err != nil {
		return nil, liveError(err)
	}
	return in, nil
}

// projectOf finds the one project that has an instance of that name.
func (s *incusServer) projectOf(name string) (string, error) {
	all, err := s.GetInstancesAllProjects(api.InstanceTypeAny)
	if err != nil {
		return "", liveError(err)
	}
	found := ""
	for _, in := range all {
		switch {
		case in.Name != name:
		case found != "":
			return "", fmt.Errorf("%w: %s is in projects %s and %s; write project/name", format.ErrAmbiguous, name, found, in.Project)
		default:
			found = orDefault(in.Project)
		}
	}
	if found == "" {
		return "", format.ErrNoContainer
	}
	return found, nil
}

// liveError turns the client's errors into those of live state.
func liveError(err error) error {
	if api.StatusErrorCheck(err, http.StatusNotFound) {
		return format.ErrNoContainer
	}
	return fmt.Errorf("%w: %w", format.ErrEngineDown, err)
}

func (s *incusSource) list(ctx context.Context) ([]format.Container, error) {
	server, err := s.connection()
	if err != nil {
		return nil, err
	}
	type answer struct {
		all []api.InstanceFull
		err error
	}
	got := make(chan answer, 1)
	go func() {
		all, err := server.GetInstancesFullAllProjects(api.InstanceTypeAny)
		got <- answer{all, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case a := <-got:
		if a.err != nil {
			return nil, liveError(a.err)
		}
		out := make([]format.Container, len(a.all))
		for i := range a.all {
			out[i] = s.container(&a.all[i])
		}
		return out, nil
	}
}

// liveStates are the words of Container Station for those of Incus.
var liveStates = map[string]string{"Running": "running", "Ready": "running", "Starting": "running", "Frozen": "paused"}

// container builds the live state out of the engine's answer.
func (s *incusSource) container(in *api.InstanceFull) format.Container {
	c := format.Container{
		Type: "lxc", ID: in.Name, Project: orDefault(in.Project), Name: in.Name, Image: imageOf(&in.Instance), State: liveStates[in.Status],
		IPAddress: []string{}, TCPPort: []int{},
	}
	if c.State == "" {
		c.State = "stopped"
	}
	if c.State == "stopped" || in.State == nil {
		return c
	}
	st := in.State
	c.Memory = st.Memory.Usage
	for name, n := range st.Network {
		if name != "lo" {
			c.RX += n.Counters.BytesReceived
			c.TX += n.Counters.BytesSent
		}
	}
	c.IPAddress = addresses(st)
	if ports := proxyPorts(in.Devices, in.ExpandedDevices); len(ports) > 0 {
		c.TCPPort = ports
	}
	started := st.StartedAt
	if started.Year() < 2000 {
		started = in.LastUsedAt
	}
	key := instanceKey{orDefault(in.Project), in.Name}
	c.CPU = s.cpu.share(key.String(), uint64(max(st.CPU.Usage, 0)), started, s.now())
	return c
}

// imageOf is what people call the image an instance was made of.
func imageOf(in *api.Instance) string {
	if d := in.Config["image.description"]; d != "" {
		return d
	}
	return shortFingerprint(in.Config["volatile.base_image"])
}
