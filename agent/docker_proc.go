package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// readProc reads what a container uses from the kernel, in microseconds where the engine takes a second. ok is
// false when the process cannot be seen from here: another pid namespace, another machine.
func readProc(pid int, id string) (m measure, ok bool) {
	if pid <= 0 {
		return m, false
	}
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	groups, err := os.ReadFile(filepath.Join(proc, "cgroup"))
	if err != nil || !bytes.Contains(groups, []byte(id)) {
		return m, false // in another pid namespace the number may be anybody
	}
	if !m.cgroups(string(groups)) {
		return measure{}, false
	}
	m.rx, m.tx = netDev(filepath.Join(proc, "net/dev"))
	return m, true
}

// cgroups reads processor and memory use. Lines are ID:CONTROLLERS:PATH; version 2 has one with no controllers.
func (m *measure) cgroups(lines string) bool {
	const root = "/sys/fs/cgroup"
	var cpu, memory bool
	for line := range strings.Lines(lines) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) != 3 {
			continue
		}
		for _, controller := range strings.Split(part[1], ",") {
			dir := filepath.Join(root, controller, part[2])
			switch controller {
			case "":
				dir = filepath.Join(root, part[2])
				if _, err := os.Stat(filepath.Join(dir, "memory.current")); err != nil {
					dir = filepath.Join(root, "unified", part[2])
				}
				if u, ok := cgroupStat(dir, "cpu.stat", "usage_usec"); ok && !cpu {
					m.usage, cpu = u*1000, true
				}
				if v, ok := cgroupNumber(dir, "memory.current"); ok && !memory {
					cache, _ := cgroupStat(dir, "memory.stat", "inactive_file")
					m.memory, memory = int64(v-min(v, cache)), true
				}
			case "cpuacct":
				if u, ok := cgroupNumber(dir, "cpuacct.usage"); ok {
					m.usage, cpu = u, true
				}
			case "memory":
				if v, ok := cgroupNumber(dir, "memory.usage_in_bytes"); ok {
					cache, _ := cgroupStat(dir, "memory.stat", "total_inactive_file")
					m.memory, memory = int64(v-min(v, cache)), true
				}
			}
		}
	}
	return cpu && memory
}

func cgroupNumber(dir, file string) (uint64, bool) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}

func cgroupStat(dir, file, name string) (uint64, bool) {
	b, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			n, err := strconv.ParseUint(v, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// netDev sums the traffic of all interfaces but lo. Lines are NAME: 8 numbers received, 8 sent.
func netDev(path string) (rx, tx int64) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(b)) {
		name, rest, ok := strings.Cut(line, ":")
		f := strings.Fields(rest)
		if !ok || strings.TrimSpace(name) == "lo" || len(f) < 9 {
			continue
		}
		r, _ := strconv.ParseInt(f[0], 10, 64)
		t, _ := strconv.ParseInt(f[8], 10, 64)
		rx, tx = rx+r, tx+t
	}
	return rx, tx
}
