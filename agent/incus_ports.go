package agent

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"shiplog/format"

	"github.com/lxc/incus/v6/shared/api"
)

// Container Station tells a second after a start that a container can be reached, and of published ports
// that come and go. Incus tells neither: the source asks.
const (
	portDelay = time.Second
	portTries = 4 // an address from DHCP needs a moment
)

// portCheck asks what ports an instance has now.
type portCheck struct {
	key     instanceKey
	started bool // asked because it was started, else because it was changed
	due     time.Time
	tries   int
}

// askPorts asks about an instance that was just started or changed. Called by the pump.
func (s *incusSource) askPorts(e *incusEvent) {
	var c portCheck
	switch e.life.Action {
	case "instance-started", "instance-restarted":
		c = portCheck{started: true, due: s.now().Add(portDelay)}
	case "instance-updated":
		c = portCheck{due: s.now()}
	default:
		return
	}
	p := parseIncusPath(e.life.Source)
	c.key = instanceKey{orDefault(e.life.Project, p.project, e.project), p.name}
	s.queuePorts(c)
}

func (s *incusSource) queuePorts(c portCheck) {
	select {
	case s.ports <- c:
	default:
	}
}

// checkPorts answers the questions of one connection.
func (s *incusSource) checkPorts(ctx context.Context, server *incusServer) {
	for {
		var c portCheck
		select {
		case <-ctx.Done():
			return
		case c = <-s.ports:
		}
		if d := c.due.Sub(s.now()); d > 0 {
			sleep(ctx, d)
		}
		if ctx.Err() != nil {
			return
		}
		in, _, err := server.UseProject(c.key.project).GetInstance(c.key.name)
		if err != nil {
			continue // gone again
		}
		ports := proxyPorts(in.Devices, in.ExpandedDevices)
		reachable := len(ports) > 0
		if c.started && !reachable {
			st, _, err := server.UseProject(c.key.project).GetInstanceState(c.key.name)
			reachable = err == nil && len(addresses(st)) > 0
			if c.tries++; !reachable && err == nil && c.tries < portTries {
				c.due = s.now().Add(portDelay)
				s.queuePorts(c)
				continue
			}
		}
		at := s.now()
		s.q.pushWork(func() []Mapped { return s.portsSeen(c, ports, reachable, at) })
	}
}

// portsSeen makes the messages of an answer.
func (s *incusSource) portsSeen(c portCheck, ports []int, reachable bool, at time.Time) []Mapped {
	if s.known == nil || s.known.Instances[c.key] == nil {
		return nil
	}
	was := s.known.Instances[c.key].Ports
	s.known.Instances[c.key].Ports = ports
	added := slices.ContainsFunc(ports, func(p int) bool { return !slices.Contains(was, p) })
	removed := slices.ContainsFunc(was, func(p int) bool { return !slices.Contains(ports, p) })
	var out []Mapped
	if removed && !c.started {
		out = append(out, s.portMessage(c.key, "remove", at))
	}
	if added || c.started && reachable {
		out = append(out, s.portMessage(c.key, "add", at))
	}
	return out
}

func (s *incusSource) portMessage(k instanceKey, what string, at time.Time) Mapped {
	return Mapped{Record: &format.Record{
		Eseq: format.NextEseq, Time: at, Stream: format.StreamEvent, Category: "container", Action: "container.port_" + what,
		Actor: format.Actor{Type: format.ActorEngine}, Obj: format.Object{Type: "container", Name: k.name},
		Engine: s.m.engine, NS: defaultNS, Project: k.project,
		Data: object("qnap", object("container", k.name, "type", "lxc", "port", what)),
	}}
}

// proxyPorts are the TCP ports of the host that proxy devices listen on, ascending. A device may come from
// a profile, which only the expanded devices show.
func proxyPorts(devices ...map[string]map[string]string) []int {
	var ports []int
	for _, ds := range devices {
		for _, d := range ds {
			if d["type"] == "proxy" && d["bind"] != "instance" && d["bind"] != "guest" && d["bind"] != "container" {
				ports = append(ports, listenPorts(d["listen"])...)
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// maxListenPorts bounds what a single range may stand for.
const maxListenPorts = 1024

// listenPorts reads a proxy device's listen address: tcp:127.0.0.1:80,8000-8003.
func listenPorts(listen string) []int {
	rest, ok := strings.CutPrefix(listen, "tcp:")
	if !ok {
		return nil
	}
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return nil
	}
	var ports []int
	for part := range strings.SplitSeq(rest[i+1:], ",") {
		from, to, isRange := strings.Cut(part, "-")
		lo, err := strconv.ParseUint(from, 10, 16)
		if err != nil {
			continue
		}
		hi := lo
		if isRange {
			if hi, err = strconv.ParseUint(to, 10, 16); err != nil || hi < lo {
				continue
			}
		}
		for p := lo; p <= hi && len(ports) < maxListenPorts; p++ {
			ports = append(ports, int(p))
		}
	}
	return ports
}

// addresses are the global IPv4 addresses of an instance, in a fixed order.
func addresses(st *api.InstanceState) []string {
	out := []string{}
	if st == nil {
		return out
	}
	for name, n := range st.Network {
		if name == "lo" {
			continue
		}
		for _, a := range n.Addresses {
			if a.Family == "inet" && a.Scope == "global" && net.ParseIP(a.Address) != nil {
				out = append(out, a.Address)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
