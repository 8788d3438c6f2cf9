package format

import "errors"

// Container is the live state of one container, as an agent reports it to a query server. It is never
// part of a record: what was true at a moment is told by events, what is true now only by the engine.
type Container struct {
	Type      string   `json:"type"`              // docker, or lxc for every LXC, LXD and Incus container
	ID        string   `json:"id"`                // docker: 64 hex digits; lxc: the instance's name
	Project   string   `json:"project,omitempty"` // of an lxc container, where an engine has several; docker: none
	Name      string   `json:"name"`              // without a leading slash
	Image     string   `json:"image"`             // reference or alias
	State     string   `json:"state"`             // running, stopped or paused
	CPU       float64  `json:"cpu"`               // share of one processor lately: 0.5 is half of one, 2 is two all the time
	Memory    int64    `json:"memory"`
	RX        int64    `json:"rx"` // bytes received since start, over all interfaces but lo
	TX        int64    `json:"tx"` // bytes sent since start
	IPAddress []string `json:"ipaddress"`
	TCPPort   []int    `json:"tcpPort"` // ports of the host that lead into the container, ascending
}

// What an inquiry about a live container can fail with.
var (
	ErrNoContainer = errors.New("no such container")
	ErrAmbiguous   = errors.New("container id prefix is ambiguous")
	ErrEngineDown  = errors.New("container engine is not reachable")
	ErrAgentDown   = errors.New("agent is not reachable") // nor can records be written; it says nothing about the container
)
