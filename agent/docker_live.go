package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"shiplog/format"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// inspect answers for one container: by name, by id, or by a unique start of the id of 12 digits or more.
func (s *dockerSource) inspect(ctx context.Context, id string) (format.Container, error) {
	cli := s.cli.Load()
	if cli == nil {
		return format.Container{}, format.ErrEngineDown
	}
	ctx, cancel := context.WithTimeout(ctx, dockerAnswers)
	defer cancel()
	i, err := cli.ContainerInspect(ctx, id)
	switch {
	case cerrdefs.IsNotFound(err):
		return format.Container{}, format.ErrNoContainer
	case err != nil && strings.Contains(strings.ToLower(err.Error()), "multiple ids"):
		return format.Container{}, format.ErrAmbiguous
	case client.IsErrConnectionFailed(err), ctx.Err() != nil:
		return format.Container{}, fmt.Errorf("%w: %v", format.ErrEngineDown, err)
	case err != nil:
		return format.Container{}, fmt.Errorf("inspect container %s: %w", id, err)
	case i.ContainerJSONBase == nil || i.State == nil:
		return format.Container{}, format.ErrNoContainer
	}
	// Docker takes any start of an id for it.
	if name := strings.TrimPrefix(i.Name, "/"); id != name && id != i.ID && (len(id) < 12 || !strings.HasPrefix(i.ID, id)) {
		return format.Container{}, format.ErrNoContainer
	}
	return s.liveContainer(i), nil
}

// list answers for all containers.
func (s *dockerSource) list(ctx context.Context) ([]format.Container, error) {
	cli := s.cli.Load()
	if cli == nil {
		return nil, format.ErrEngineDown
	}
	ctx, cancel := context.WithTimeout(ctx, 2*dockerAnswers)
	defer cancel()
	all, err := cli.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %v", format.ErrEngineDown, err)
	}
	var out []format.Container
	for _, c := range all {
		i, err := cli.ContainerInspect(ctx, c.ID)
		if cerrdefs.IsNotFound(err) || err == nil && (i.ContainerJSONBase == nil || i.State == nil) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("inspect container %s: %w", shortID(c.ID), err)
		}
		out = append(out, s.liveContainer(i))
	}
	return out, nil
}

func (s *dockerSource) liveContainer(i container.InspectResponse) format.Container {
	c := format.Container{Type: "docker", ID: i.ID, Name: strings.TrimPrefix(i.Name, "/"), State: "stopped",
		IPAddress: []string{}, TCPPort: []int{}}
	if i.Config != nil {
		c.Image = i.Config.Image
	}
	switch i.State.Status {
	case "running", "restarting":
		c.State = "running"
	case "paused":
		c.State = "paused"
	default:
		return c
	}
	if n := i.NetworkSettings; n != nil {
		for _, e := range n.Networks {
			if e != nil && e.IPAddress != "" && !slices.Contains(c.IPAddress, e.IPAddress) {
				c.IPAddress = append(c.IPAddress, e.IPAddress)
			}
		}
		for port, binds := range n.Ports {
			for _, b := range binds {
				if p, err := strconv.Atoi(b.HostPort); err == nil && port.Proto() == "tcp" && !slices.Contains(c.TCPPort, p) {
					c.TCPPort = append(c.TCPPort, p)
				}
			}
		}
		slices.Sort(c.IPAddress)
		slices.Sort(c.TCPPort)
	}
	m, ok := readProc(i.State.Pid, i.ID)
	if ok {
		m.cpu = s.live.cpu.share(i.ID, m.usage, dockerTime(i.State.StartedAt), s.now())
	} else {
		m = s.live.ask(i.ID, dockerTime(i.State.StartedAt), s.cli.Load())
	}
	c.CPU, c.Memory, c.RX, c.TX = m.cpu, m.memory, m.rx, m.tx
	return c
}

// measure is what a container uses.
type measure struct {
	usage  uint64 // ns of processor time since its start
	cpu    float64
	memory int64
	rx, tx int64
}

const (
	statsAnswers = 1500 * time.Millisecond // the engine's own figures take it 1 s (20.10)
	statsFresh   = 2 * time.Second
)

// liveStats keeps the newest figures per container.
type liveStats struct {
	wg  sync.WaitGroup
	cpu cpuShares // guarded by itself

	mu     sync.Mutex
	ctx    context.Context // guarded by mu, as all below; nil: not running
	asked  map[string]measure
	asking map[string]time.Time // since when, or when the newest answer came
}

func (l *liveStats) start(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ctx = ctx
	l.asked, l.asking = map[string]measure{}, map[string]time.Time{}
}

func (l *liveStats) wait() {
	l.mu.Lock()
	l.ctx = nil
	l.mu.Unlock()
	l.wg.Wait()
}

// ask returns the newest figures that the engine gave and asks for newer ones in the background: its answer
// takes a second or two, and whoever waits for a container's state cannot wait for that.
func (l *liveStats) ask(id string, started time.Time, cli *client.Client) measure {
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx := l.ctx
	if ctx == nil || cli == nil {
		return l.asked[id]
	}
	if at, ok := l.asking[id]; ok && time.Since(at) < statsFresh {
		return l.asked[id]
	}
	if len(l.asking) >= maxReadings {
		clear(l.asking)
		clear(l.asked)
	}
	l.asking[id] = time.Now()
	l.wg.Go(func() {
		m, err := engineStats(ctx, cli, id)
		if err != nil {
			return // no reading either: the next share would count since the start as if it were new
		}
		m.cpu = l.cpu.share(id, m.usage, started, time.Now())
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asked[id] = m
	})
	return l.asked[id]
}

// engineStats asks the engine.
func engineStats(ctx context.Context, cli *client.Client, id string) (measure, error) {
	ctx, cancel := context.WithTimeout(ctx, statsAnswers)
	defer cancel()
	resp, err := cli.ContainerStatsOneShot(ctx, id)
	if err != nil {
		return measure{}, err
	}
	defer resp.Body.Close()
	var st container.StatsResponse
	if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
		return measure{}, err
	}
	var m measure
	m.memory = int64(st.MemoryStats.Usage)
	for _, name := range []string{"total_inactive_file", "inactive_file"} { // as the docker command shows it
		if v, ok := st.MemoryStats.Stats[name]; ok && v < st.MemoryStats.Usage {
			m.memory = int64(st.MemoryStats.Usage - v)
			break
		}
	}
	for _, n := range st.Networks {
		m.rx += int64(n.RxBytes)
		m.tx += int64(n.TxBytes)
	}
	m.usage = st.CPUStats.CPUUsage.TotalUsage
	return m, nil
}
