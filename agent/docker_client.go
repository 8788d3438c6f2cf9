package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

const (
	dockerAnswers = 5 * time.Second // a request that lists or inspects; measured: 0.5 ms
	lookupAnswers = 2 * time.Second // a look-up on behalf of one event
)

var errNoDocker = errors.New("no docker socket found")

// dockerHosts are the addresses to try. One given by the user is the only one.
func dockerHosts(given string) []string {
	if given != "" {
		if !strings.Contains(given, "://") {
			given = "unix://" + given
		}
		return []string{given}
	}
	var hosts []string
	for _, p := range dockerSockets("") {
		if _, err := os.Stat(p); !errors.Is(err, fs.ErrNotExist) {
			hosts = append(hosts, "unix://"+p)
		}
	}
	return hosts
}

// dockerSockets are the files that a daemon may be at; none when the user gave an address of another kind.
func dockerSockets(given string) []string {
	if given != "" {
		if path, ok := strings.CutPrefix(dockerHosts(given)[0], "unix://"); ok {
			return []string{path}
		}
		return nil
	}
	paths := []string{"/var/run/docker.sock", "/run/docker.sock"}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		paths = append(paths, filepath.Join(dir, "docker.sock"))
	}
	return paths
}

// dialDocker connects to the first daemon that answers and agrees on a version with it. The version is asked
// anew for each connection: the daemon may have been up- or downgraded since.
func dialDocker(ctx context.Context, given string) (*client.Client, error) {
	hosts := dockerHosts(given)
	if len(hosts) == 0 {
		return nil, errNoDocker
	}
	var errs []error
	for _, host := range hosts {
		cli, err := openDocker(ctx, host)
		if err == nil {
			return cli, nil
		}
		errs = append(errs, err)
	}
	return nil, errs[0]
}

func openDocker(ctx context.Context, host string) (*client.Client, error) {
	if path, ok := strings.CutPrefix(host, "unix://"); ok { // for the plain error that the client hides
		var d net.Dialer // connecting to a socket never waits
		c, err := d.DialContext(ctx, "unix", path)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("%w: %s does not exist", errNoDocker, path)
			}
			return nil, refused(path, "docker", err)
		}
		c.Close()
	}
	cli, err := client.NewClientWithOpts(client.WithTLSClientConfigFromEnv(), client.WithHost(host),
		client.WithAPIVersionNegotiation(), client.WithUserAgent("shiplog"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dockerAnswers)
	defer cancel()
	ping, err := cli.Ping(ctx)
	if err != nil {
		cli.Close()
		return nil, err
	}
	cli.NegotiateAPIVersionPing(ping)
	return cli, nil
}

// openEvents asks for the raw stream of events: from since on, and without end when until is zero. The
// client's own Events decodes them and so loses the members that it does not know.
func openEvents(ctx context.Context, cli *client.Client, since, until time.Time) (io.ReadCloser, error) {
	q := url.Values{}
	q.Set("since", unixNano(since))
	if !until.IsZero() {
		q.Set("until", unixNano(until))
	}
	u := url.URL{Scheme: "http", Host: "docker", Path: "/v" + cli.ClientVersion() + "/events", RawQuery: q.Encode()}
	if host, err := client.ParseHostURL(cli.DaemonHost()); err == nil && host.Scheme == "tcp" {
		u.Host = host.Host
		if os.Getenv(client.EnvOverrideCertPath) != "" {
			u.Scheme = "https"
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "shiplog")
	resp, err := cli.HTTPClient().Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		resp.Body.Close()
		return nil, fmt.Errorf("docker events: %s: %s", resp.Status, strings.TrimSpace(string(b)))
	}
	return resp.Body, nil
}

// unixNano is a time as /events takes it. What is before 1970 means from the beginning.
func unixNano(t time.Time) string {
	if t.IsZero() || t.Unix() < 0 {
		return "1"
	}
	return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond())
}

// readEvents calls push with each line of body; the line is push's to keep. A line longer than maxDockerEvent
// is handed on cut there. It returns when the stream ends, never nil. Half a line at the end is dropped: the
// daemon sends the event again after the next connect, or the gap says that it did not.
func readEvents(body io.Reader, push func([]byte)) error {
	r := bufio.NewReaderSize(body, 64<<10)
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if room := maxDockerEvent - len(line); len(part) > room {
			line = append(line, part[:room]...)
		} else {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return err
		}
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		if len(line) > 0 {
			push(line)
			line = nil
		}
	}
}
