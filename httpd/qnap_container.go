package httpd

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"shiplog/format"
)

const (
	defaultWait = 60 * time.Second
	maxWait     = 3600 * time.Second
)

// containerInfo is the live state of a container. What is measured is left out while it is stopped, and is
// 0 or [] when it is not known.
type containerInfo struct {
	CPU       *float64  `json:"cpu,omitempty"` // fraction of one processor
	ID        string    `json:"id"`
	Image     string    `json:"image"`
	IPAddress *[]string `json:"ipaddress,omitempty"`
	Memory    *int64    `json:"memory,omitempty"` // bytes
	Name      string    `json:"name"`
	RX        *int64    `json:"rx,omitempty"`
	State     string    `json:"state"` // running, stopped, paused
	TCPPort   *[]int    `json:"tcpPort,omitempty"`
	TX        *int64    `json:"tx,omitempty"`
	Type      string    `json:"type"`
}

func (q qnap) info(c format.Container) containerInfo {
	i := containerInfo{ID: c.ID, Image: c.Image, Name: c.Name, State: c.State, Type: "lxc"}
	if c.Type == "docker" {
		i.Type = "docker"
	}
	if c.State == stateStopped {
		return i
	}
	if math.IsNaN(c.CPU) || math.IsInf(c.CPU, 0) {
		c.CPU = 0
	}
	if c.IPAddress == nil {
		c.IPAddress = []string{}
	}
	if c.TCPPort == nil {
		c.TCPPort = []int{}
	}
	i.CPU, i.Memory, i.RX, i.TX, i.IPAddress = &c.CPU, &c.Memory, &c.RX, &c.TX, &c.IPAddress
	if !q.v1Info {
		i.TCPPort = &c.TCPPort
	}
	return i
}

// containers answers GET container.
func (q qnap) containers(w http.ResponseWriter, r *request, _ caller) error {
	if q.s.opts.List == nil {
		return fmt.Errorf("list containers: %w", format.ErrEngineDown)
	}
	list, err := q.s.opts.List(r.Context())
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	infos := make([]containerInfo, 0, len(list))
	for _, c := range list {
		infos = append(infos, q.info(c))
	}
	return writeJSON(w, http.StatusOK, infos)
}

// container answers GET container/{type}/{id}.
func (q qnap) container(w http.ResponseWriter, r *request, _ caller) error {
	typ, err := family(r.vars[0])
	if err != nil {
		return err
	}
	c, err := q.s.inspect(r.Context(), typ, r.vars[1])
	if err != nil {
		return fmt.Errorf("inspect container: %w", err)
	}
	return writeJSON(w, http.StatusOK, q.info(c))
}

// inspect asks for the live state of a container, a few at a time. An engine may know a container by less
// than the API allows: by less of its id than 12 digits.
func (s *Server) inspect(ctx context.Context, typ, id string) (format.Container, error) {
	if s.opts.Inspect == nil {
		return format.Container{}, format.ErrEngineDown
	}
	if !validContainer(id) {
		return format.Container{}, format.ErrNoContainer
	}
	select {
	case s.inspects <- struct{}{}:
		defer func() { <-s.inspects }()
	case <-ctx.Done():
		return format.Container{}, ctx.Err()
	}
	c, err := s.opts.Inspect(ctx, typ, id)
	if errors.Is(err, format.ErrAmbiguous) && typ == "docker" && len(id) < 12 {
		return format.Container{}, format.ErrNoContainer
	}
	if err == nil && c.ID != id && c.Name != id && (typ != "docker" || len(id) < 12 || !strings.HasPrefix(c.ID, id)) {
		return format.Container{}, format.ErrNoContainer
	}
	return c, err
}

// validContainer tells whether an engine could have given out id. Nothing else is asked of one: an id becomes
// part of a path of its API.
func validContainer(id string) bool {
	for i := range len(id) {
		c := id[i]
		alnum := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !alnum && (i == 0 || (c != '-' && c != '_' && c != '.')) {
			return false
		}
	}
	return id != "" && len(id) <= 255
}

// wait answers GET event/wait/{type}/{id}/{state}: when the container is or comes into the state, or when the
// time is over, in either case with its state at that moment. Running out of time is no error.
func (q qnap) wait(w http.ResponseWriter, r *request, _ caller) error {
	typ, err := family(r.vars[0])
	if err != nil {
		return err
	}
	state := r.vars[2]
	if state != stateRunning && state != stateStopped {
		return failf(http.StatusBadRequest, "Invalid state: running and stopped can be waited for")
	}
	seconds, err := r.query.integer(int64(defaultWait/time.Second), "duration")
	if err != nil {
		return err
	}
	if seconds < 0 {
		return failf(http.StatusBadRequest, "Invalid parameter duration: must not be negative")
	}
	d := min(time.Duration(min(seconds, math.MaxInt32))*time.Second, maxWait)
	c, reached, err := q.s.waitFor(r.Context(), typ, r.vars[1], state, d)
	if err != nil {
		return err
	}
	result := "timeout"
	if reached {
		result = "reached"
	}
	w.Header().Set("X-Wait-Result", result)
	return writeJSON(w, http.StatusOK, q.info(c))
}
