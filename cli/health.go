package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shiplog/agent"
)

const (
	healthLimit  = 5 * time.Second // for the whole answer
	maxHealthDoc = 64 << 10        // bytes of an answer
)

// health is what shiplog health was asked.
type health struct {
	dir, url, listen, socket string
	cert                     string // file of the server's certificate; "": those of the system are trusted
	live                     bool
	chosen                   bool // a flag or the configuration said where the server listens
}

func (p *Program) healthCommand() *cobra.Command {
	var h health
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the running shiplog whether it is well",
		Long: `Ask the server that listens on --listen, or where the configuration file says, whether it is ready (GET
/readyz), and print the reasons why not. It ends with 0 when it is and with 1 when it is not, or when nobody answers
within 5 seconds. With --live it is enough that the server answers (GET /healthz).

A server that speaks https is asked so when --tls-cert, SHIPLOG_TLS_CERT or the configuration file names its
certificate. Only the certificate in that file is trusted then, whatever its names and its end are.

When no flag and no configuration file says where the server listens, and nobody listens on the default
address or that of SHIPLOG_LISTEN, it asks the shiplog of DATA over its socket where its server is. One that
runs without a server, an agent, is asked itself. --socket asks an agent in any case.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			listen := cmd.Flags().Lookup("listen")
			h.chosen = h.url != "" || originOf(listen) != "" && !strings.HasPrefix(originOf(listen), fromVariable)
			ctx, cancel := context.WithTimeout(cmd.Context(), healthLimit)
			defer cancel()
			well, reasons, err := h.ask(ctx)
			for _, reason := range reasons {
				fmt.Fprintf(p.Stdout, "%s\n", appendVisible(nil, []byte(reason)))
			}
			if err == nil {
				_, err = fmt.Fprintln(p.Stdout, well)
			}
			return err
		},
	}
	p.dataFlag(cmd, &h.dir)
	flags := cmd.Flags()
	flags.StringVar(&h.listen, "listen", defaultListen, "`address` that the server was told to listen on")
	flags.StringVar(&h.url, "url", "", "`URL` of the server instead, as http://nas.lan:7446")
	flags.StringVar(&h.cert, "tls-cert", "", "`file` of the certificate that the server was told to use; it is asked over https")
	flags.StringVar(&h.socket, "socket", "", "ask the agent that serves this `socket`, and no server")
	flags.BoolVar(&h.live, "live", false, "ask only whether it answers")
	alsoOfFile(flags, "listen", "tls-cert")
	flags.SortFlags = false
	return cmd
}

// ask returns a line to print when all is well, else an error and the reasons that were given.
func (h *health) ask(ctx context.Context) (well string, reasons []string, err error) {
	if h.socket != "" {
		return h.askAgent(ctx, h.socket)
	}
	base, err := h.base()
	if err != nil {
		return "", nil, err
	}
	well, reasons, err = h.askServer(ctx, base)
	_, unreached := errors.AsType[*net.OpError](err)
	switch {
	case !unreached:
		return well, reasons, err
	case h.chosen:
		return "", nil, fmt.Errorf("no server answers; where an agent runs without one, ask it with --socket: %w", err)
	}
	socket := filepath.Join(h.dir, agent.SocketName)
	if s, err := (agent.Remote{Path: socket}).Status(ctx); err == nil && s.URL != "" {
		h.listen = strings.TrimPrefix(s.URL, "http://")
		if base, err = h.base(); err != nil {
			return "", nil, err
		}
		return h.askServer(ctx, base)
	}
	well, reasons, agentErr := h.askAgent(ctx, socket)
	if errors.Is(agentErr, agent.ErrNoAgent) {
		return "", nil, fmt.Errorf("shiplog is not running, or listens elsewhere (--listen, --url): %w", err)
	}
	return well, reasons, agentErr
}

// base is the URL of the server. One that listens on all addresses is asked at the loopback one.
func (h *health) base() (string, error) {
	if h.url != "" {
		if !strings.HasPrefix(h.url, "http://") && !strings.HasPrefix(h.url, "https://") {
			return "", usagef("--url must begin with http:// or https://")
		}
		return strings.TrimRight(h.url, "/"), nil
	}
	host, port, err := net.SplitHostPort(h.listen)
	if err != nil {
		return "", usagef("--listen: %v", err)
	}
	if port == "0" || port == "" {
		return "", usagef("--listen %s names no port; say with --url where the server is", h.listen)
	}
	switch ip := net.ParseIP(host); {
	case host == "" || ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		host = "::1"
	}
	scheme := "http://"
	if h.cert != "" {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort(host, port), nil
}

// trust says which server is the right one: whoever has the key of the certificate in the file, or, without a
// file, whom the system trusts; nil. The names in the certificate do not count, because it is asked at an address
// of this machine.
func (h *health) trust() (*tls.Config, error) {
	if h.cert == "" {
		return nil, nil
	}
	b, _, err := readPEM(h.cert)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("--tls-cert: %s does not begin with a certificate (PEM)", h.cert)
	}
	return &tls.Config{
		InsecureSkipVerify: true, // what is verified instead is that it is the very certificate
		VerifyConnection: func(s tls.ConnectionState) error {
			if shown := s.PeerCertificates[0].Raw; !bytes.Equal(shown, block.Bytes) {
				return fmt.Errorf("the server shows another certificate than %s has: SHA-256 %s", h.cert, fingerprint(shown))
			}
			return nil
		},
	}, nil
}

// askServer asks over HTTP, past every proxy: an answer of another machine says nothing of this one.
func (h *health) askServer(ctx context.Context, base string) (well string, reasons []string, err error) {
	path, well := "/readyz", "ready"
	if h.live {
		path, well = "/healthz", "alive"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return "", nil, usagef("--url: %v", err)
	}
	trust, err := h.trust()
	if err != nil {
		return "", nil, err
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: trust},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxHealthDoc))
	if err != nil {
		return "", nil, fmt.Errorf("%s%s: %w", base, path, err)
	}
	var doc struct {
		Reasons []string `json:"reasons"`
	}
	err = json.Unmarshal(body, &doc)
	switch {
	case resp.StatusCode == http.StatusOK && err == nil:
		return well, nil, nil
	case resp.StatusCode == http.StatusServiceUnavailable && err == nil && len(doc.Reasons) > 0:
		return "", doc.Reasons, fmt.Errorf("%s is not ready", base)
	case resp.StatusCode == http.StatusBadRequest && bytes.Contains(body, []byte("HTTPS server")):
		return "", nil, fmt.Errorf("%s speaks https; name its certificate with --tls-cert", base)
	}
	return "", nil, fmt.Errorf("%s%s answered %s; is that shiplog?", base, path, resp.Status)
}

// askAgent asks over the agent's socket.
func (h *health) askAgent(ctx context.Context, socket string) (well string, reasons []string, err error) {
	reasons, err = agent.Remote{Path: socket}.Ready(ctx)
	switch {
	case err != nil:
		return "", nil, err
	case h.live:
		return "alive (the agent; no server was asked)", nil, nil
	case len(reasons) > 0:
		return "", reasons, fmt.Errorf("the agent of %s is not ready", socket)
	}
	return "ready (the agent; no server was asked)", nil, nil
}
