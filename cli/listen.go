package cli

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/coreos/go-systemd/v22/activation"
)

// The names of the sockets that a service manager may hand over: FileDescriptorName= of a socket unit.
const (
	httpSocket    = "http"
	journalSocket = "journal"
)

// listeners opens what the server listens on: first that of all dialects, then that of the journal, if there is
// one. A socket that the service manager holds is taken instead of the address of its flag: it stays open when
// this process is exchanged, so that who connects meanwhile waits and is not refused.
func (d *daemon) listeners(p *Program) ([]net.Listener, error) {
	held, err := p.heldSockets()
	if err != nil {
		return nil, err
	}
	ln := held[httpSocket]
	switch {
	case ln == nil:
		ln, err = listen(d.listen, "--listen")
	case d.listen != defaultListen:
		d.log.Warn("--listen is ignored: the service manager hands over the socket", "listen", d.listen, "socket", ln.Addr())
	}
	if err != nil {
		return nil, errors.Join(err, closeHeld(held))
	}
	all := []net.Listener{ln}
	journal := held[journalSocket]
	switch {
	case journal != nil && d.journalListen != "":
		d.log.Warn("--journal-listen is ignored: the service manager hands over the socket", "listen", d.journalListen, "socket", journal.Addr())
	case journal == nil && d.journalListen != "":
		if journal, err = listen(d.journalListen, "--journal-listen"); err != nil {
			return nil, errors.Join(err, ln.Close())
		}
	}
	if journal != nil {
		all = append(all, journal)
	}
	return all, nil
}

// heldSockets returns the listening sockets that the service manager handed over, by name; none when it did not.
func (p *Program) heldSockets() (map[string]net.Listener, error) {
	if p.Env("LISTEN_FDS") == "" {
		return nil, nil
	}
	named, err := activation.ListenersWithNames()
	if err != nil {
		return nil, fmt.Errorf("take the sockets of the service manager: %w", err)
	}
	held := map[string]net.Listener{}
	for name, all := range named {
		if err == nil {
			err = checkHeld(name, all)
		}
		for i, ln := range all {
			if i > 0 || err != nil {
				ln.Close()
				continue
			}
			held[name] = ln
		}
	}
	if err != nil {
		return nil, errors.Join(err, closeHeld(held))
	}
	return held, nil
}

// checkHeld says what is wrong with the sockets of one name.
func checkHeld(name string, all []net.Listener) error {
	if !slices.Contains([]string{httpSocket, journalSocket}, name) {
		return fmt.Errorf("the service manager hands over a socket named %q: set FileDescriptorName=%s or %s in its unit", name, httpSocket, journalSocket)
	}
	if _, ok := all[0].Addr().(*net.TCPAddr); !ok {
		return fmt.Errorf("the service manager hands over %s as socket %s: shiplog speaks HTTP over TCP alone", all[0].Addr(), name)
	}
	if len(all) > 1 {
		return fmt.Errorf("the service manager hands over %d sockets named %s: keep one ListenStream= of them", len(all), name)
	}
	return nil
}

func closeHeld(held map[string]net.Listener) (err error) {
	for _, ln := range held {
		err = errors.Join(err, ln.Close())
	}
	return err
}

// listen takes the address that flag gave.
func listen(address, flag string) (net.Listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with %s", err, flag)
	}
	return ln, nil
}

func closeAll(all []net.Listener) (err error) {
	for _, ln := range all {
		err = errors.Join(err, ln.Close())
	}
	return err
}

// open reads the certificate, if there is one, and opens the listeners. Without one it refuses to listen where
// other machines would send passwords in the clear, unless somebody said that this is meant.
func (d *daemon) open(p *Program) ([]net.Listener, error) {
	pair, err := d.openPair()
	if err != nil {
		return nil, err
	}
	d.pair = pair
	all, err := d.listeners(p)
	if err != nil || d.pair != nil {
		return all, err
	}
	for _, ln := range all {
		switch {
		case loopback(ln.Addr()):
		case !d.tls.insecure:
			return nil, errors.Join(exposed(ln.Addr()), closeAll(all))
		default:
			fmt.Fprintf(p.Stderr, "shiplog: warning: %s is reachable from other machines and speaks plain http, as --insecure-http says: passwords and logs cross the network unencrypted\n", ln.Addr())
		}
	}
	return all, nil
}

// exposed says why addr is not listened on over plain http, and what can be done.
func exposed(addr net.Addr) error {
	return fmt.Errorf("%s can be reached from other machines, and over plain http passwords and logs would cross the network unencrypted; do one of these:\n"+
		"  make a certificate with shiplog tls init, and give it with --tls-cert and --tls-key\n"+
		"  listen on 127.0.0.1 and put a proxy before it that speaks TLS\n"+
		"  say --insecure-http, if only machines that you trust can reach that address", addr)
}

// scheme is what the URLs of the server begin with.
func (d *daemon) scheme() string {
	if d.pair != nil {
		return "https://"
	}
	return "http://"
}

// loopback tells whether other machines cannot reach addr.
func loopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
