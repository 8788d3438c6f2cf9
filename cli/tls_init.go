package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func (p *Program) tlsCommand() *cobra.Command {
	return group("tls", "Certificates for https", p.tlsInitCommand())
}

// selfSigned is what shiplog tls init was asked for.
type selfSigned struct {
	dir   string
	names []string // besides what this machine is called
	days  int
	force bool
}

// maxDays is what Apple's systems take of a certificate that a person trusts himself; others take any.
const maxDays = 825

func (p *Program) tlsInitCommand() *cobra.Command {
	var o selfSigned
	var data string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a self-signed certificate and its key",
		Long: `Make a certificate that signs itself (ECDSA P-256), with its key, for the names and addresses of this
machine and those given with --name. Browsers and clients warn of it until they are told to trust it: compare
the fingerprint that they show with the one that is printed here. Apple's systems refuse certificates of more
than 825 days, so it is valid that long; make the next one in time with --force, and a running shiplog takes it.
The key can be read by its owner alone. As root, the files belong to the owner of the data directory.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.dir == "" {
				o.dir = filepath.Join(data, "tls")
			}
			return o.run(p)
		},
	}
	p.dataFlag(cmd, &data)
	flags := cmd.Flags()
	flags.StringSliceVar(&o.names, "name", nil, "further `names` and addresses that clients use (comma list)")
	flags.StringVar(&o.dir, "out", "", "`directory` to put cert.pem and key.pem into; default DATA/tls")
	flags.IntVar(&o.days, "days", maxDays, "`days` that it is valid for")
	flags.BoolVar(&o.force, "force", false, "replace the files that are there")
	flags.SortFlags = false
	return cmd
}

// run makes the pair and prints what is in it.
func (o *selfSigned) run(p *Program) error {
	if o.days < 1 || o.days > 36500 {
		return usagef("--days must be from 1 to 36500")
	}
	names, err := o.allNames()
	if err != nil {
		return err
	}
	cert, key := filepath.Join(o.dir, "cert.pem"), filepath.Join(o.dir, "key.pem")
	for _, path := range []string{cert, key} {
		fi, err := os.Lstat(path)
		switch {
		case err == nil && fi.IsDir():
			return fmt.Errorf("%s is a directory; move it away or choose another place with --out", path) // before the key is replaced
		case err == nil && !o.force:
			return fmt.Errorf("%s is there already; --force replaces it, and clients must then trust the new certificate", path)
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	made, err := makePair(names, time.Now(), o.days)
	if err != nil {
		return err
	}
	if err := makeKeyDir(o.dir); err != nil {
		return err
	}
	// The key first: a server that looks between the two keeps what it has, and looks again.
	if err := replaceFile(key, made.key, 0o600); err != nil {
		return err
	}
	if err := replaceFile(cert, made.cert, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "certificate %s\nkey         %s\nnames       %s\nvalid until %s\nSHA-256     %s\n",
		cert, key, strings.Join(names, " "), made.until.UTC().Format(time.DateTime+" UTC"), fingerprint(made.der))
	use := fmt.Sprintf("--tls-cert %s --tls-key %s", cert, key)
	if len(o.names) > 0 {
		use += " --host " + strings.Join(o.names, ",")
	}
	fmt.Fprintf(p.Stderr, "give it to shiplog run or serve: %s\n", use)
	return err
}

// allNames returns what the certificate is for: localhost, this machine, and what was given.
func (o *selfSigned) allNames() ([]string, error) {
	names := []string{"localhost"}
	if host := hostname(); host != "" {
		names = append(names, machineNames(host)...)
	}
	given := len(names)
	names = append(names, o.names...)
	names = append(names, addresses()...)
	var all []string
	seen := map[string]bool{}
	for i, name := range names {
		name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
		if ip := net.ParseIP(strings.Trim(name, "[]")); ip != nil {
			name = ip.String()
		} else if !certName(name) {
			if i >= given {
				return nil, usagef("--name: %q is no host name and no address", name)
			}
			continue // whatever this machine is called, nobody can use it in a URL
		}
		if !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	return all, nil
}

// addresses are those of this machine that do not need a zone, the loopback ones first.
func addresses() []string {
	all := []string{"127.0.0.1", "::1"}
	list, _ := net.InterfaceAddrs() // without it the certificate is for fewer, which can be seen
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && len(all) < 64 {
			all = append(all, n.IP.String())
		}
	}
	return all
}

// makeKeyDir makes the directory of a pair, for its owner alone.
func makeKeyDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	giveToOwnerOf(filepath.Dir(dir), dir)
	return nil
}

// replaceFile puts a file in the place of path, whole or not at all.
func replaceFile(path string, content []byte, mode os.FileMode) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".new-") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		tmp.Close()
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(content); err != nil {
		return err
	}
	if err = tmp.Chmod(mode); err != nil {
		return err
	}
	giveToOwnerOf(dir, tmp.Name())
	if err = tmp.Sync(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// giveToOwnerOf gives what root makes in a service's directory to its owner, so that the service can read it. A
// failure shows when it cannot.
func giveToOwnerOf(dir, path string) {
	if os.Geteuid() != 0 {
		return
	}
	if fi, err := os.Stat(dir); err == nil {
		if st, ok := fi.Sys().(*syscall.Stat_t); ok {
			_ = os.Lchown(path, int(st.Uid), int(st.Gid))
		}
	}
}
