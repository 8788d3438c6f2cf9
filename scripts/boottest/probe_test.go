package boottest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// probeEnv makes the test binary a probe: it tries what a unit may not do, prints one line for each, and ends.
const probeEnv = "BOOTTEST_PROBE"

const probeEnd = "probe: end"

func TestMain(m *testing.M) {
	if os.Getenv(probeEnv) != "" {
		probeAll()
		return
	}
	os.Exit(m.Run())
}

// probes are tried by a unit before its process starts, with the sandbox that the process gets. Each gives nil
// when the unit can do it. The directories called boottest are made by guest.probe and open to everybody, so
// that it is the sandbox that keeps a unit out.
var probes = []struct {
	name string
	try  func() error
}{
	{"write /etc", writing("/etc/boottest")},
	{"write /usr", writing("/usr/boottest")},
	{"write /home", writing("/home/boottest")},
	{"read /home", opening(os.O_RDONLY, "/home/boottest")},
	{"write /root", writing("/root")},
	{"write /var/lib", writing("/var/lib/boottest")},
	{"write /run", writing("/run/boottest")},
	{"write its own state", func() error { return writing(os.Getenv("STATE_DIRECTORY"))() }},
	{"write the log's directory", writing("/var/lib/shiplog/log")},
	{"append to a segment", opening(os.O_WRONLY|os.O_APPEND, "/var/lib/shiplog/log/*.jsonl")},
	{"read a segment", opening(os.O_RDONLY, "/var/lib/shiplog/log/*.jsonl")},
	{"read the accounts of a single unit", opening(os.O_RDONLY, "/var/lib/shiplog/accounts.json")},
	{"write /tmp", func() error { return os.WriteFile("/tmp/boottest-probe", nil, 0o644) }},
	{"see other processes", seeing},
	{"read /proc/meminfo", opening(os.O_RDONLY, "/proc/meminfo")},
	{"write a cgroup", opening(os.O_WRONLY, "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/systemd/cgroup.procs")},
	{"trace", func() error { return starting(&syscall.SysProcAttr{Ptrace: true}) }},
	{"make a namespace", func() error { return starting(&syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}) }},
	{"become root", func() error { return unix.Setresuid(0, 0, 0) }},
	{"make a device", func() error { return unix.Mknod("/tmp/boottest-null", unix.S_IFCHR|0o666, 0x103) }},
	{"make a setuid file", func() error { return unix.Chmod("/tmp/boottest-probe", 0o4755) }},
	{"set the host's name", func() error { return unix.Sethostname([]byte("boottest")) }},
	{"run written code", writtenCode},
	{"a unix socket", socket(unix.AF_UNIX)},
	{"an IPv4 socket", socket(unix.AF_INET)},
	{"an IPv6 socket", socket(unix.AF_INET6)},
	{"a netlink socket", socket(unix.AF_NETLINK)},
	{"a packet socket", socket(unix.AF_PACKET)},
	{"capabilities", func() error { return status("CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh") }},
	{"new privileges", func() error { return status("NoNewPrivs") }},
	{"connect to docker", connecting("/run/docker.sock")},
	{"connect to incus", connecting("/run/incus/unix.socket")},
	// Last, because where they succeed the rest would be tried elsewhere.
	{"mount", func() error { return unix.Mount("tmpfs", "/mnt", "tmpfs", 0, "") }},
	{"chroot", func() error { return unix.Chroot("/mnt") }},
}

func probeAll() {
	for _, p := range probes {
		result := "can"
		if err := p.try(); err != nil {
			result = "cannot: " + err.Error()
		}
		fmt.Printf("probe: %s: %s\n", p.name, result)
	}
	fmt.Println(probeEnd)
}

// writing makes a file in dir.
func writing(dir string) func() error {
	return func() error {
		path := filepath.Join(dir, "boottest-probe")
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			return err
		}
		return os.Remove(path)
	}
}

// opening opens the first file that fits one of the patterns.
func opening(flag int, patterns ...string) func() error {
	return func() error {
		for _, pattern := range patterns {
			files, err := filepath.Glob(pattern)
			if err != nil || len(files) == 0 {
				continue
			}
			f, err := os.OpenFile(files[0], flag, 0)
			if err != nil {
				return err
			}
			return f.Close()
		}
		return errors.New("there is none")
	}
}

// starting starts a process with attributes that need a right.
func starting(attr *syscall.SysProcAttr) error {
	runtime.LockOSThread() // the one that traces must be the one that waits
	defer runtime.UnlockOSThread()
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = attr
	if err := cmd.Start(); err != nil {
		return err
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return nil
}

func connecting(path string) func() error {
	return func() error {
		conn, err := net.Dial("unix", path)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

func socket(family int) func() error {
	return func() error {
		fd, err := unix.Socket(family, unix.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	}
}

// seeing finds a process that is not this one.
func seeing() error {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if dir != fmt.Sprintf("/proc/%d", os.Getpid()) {
			return nil
		}
	}
	return fmt.Errorf("of %d processes none is another", len(dirs))
}

// status finds one of the named lines of /proc/self/status that grants something: for NoNewPrivs that is 0.
func status(names ...string) error {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		for _, want := range names {
			if granted := strings.Trim(value, "\t0") != ""; name == want && granted != (name == "NoNewPrivs") {
				return nil
			}
		}
	}
	return errors.New("none")
}

// writtenCode maps memory that can be written and run.
func writtenCode() error {
	b, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	return unix.Munmap(b)
}
