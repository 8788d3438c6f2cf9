package cli

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"shiplog/format"
)

const (
	lookEvery = 2 * time.Second // between two looks at the files of a pair
	maxPEM    = 1 << 20         // bytes of one; a chain is a few KiB
)

// tlsFlags say how the server speaks TLS.
type tlsFlags struct {
	cert, key string // files; both or none
	insecure  bool   // plain http where other machines can read it
}

func (f *tlsFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.cert, "tls-cert", "", "speak https, with the certificate in this `file` (PEM, with its chain); it is read again when it changes; default the credential tls-cert, else plain http")
	flags.StringVar(&f.key, "tls-key", "", "`file` of the certificate's private key (PEM); default the credential tls-key")
	flags.BoolVar(&f.insecure, "insecure-http", false, "serve plain http also where other machines can reach it; passwords and logs cross the network unencrypted")
}

// check returns what is wrong with the flags. It opens nothing.
func (f *tlsFlags) check() []flagError {
	switch {
	case f.cert != "" && f.key == "":
		return []flagError{{"tls-cert", errors.New("tells the certificate alone; give its key too, with tls-key")}}
	case f.cert == "" && f.key != "":
		return []flagError{{"tls-key", errors.New("tells the key alone; give its certificate too, with tls-cert")}}
	}
	return nil
}

// openPair reads the certificate and the key that the flags name or the service manager gave; nil when there are
// none.
func (d *daemon) openPair() (*keyPair, error) {
	p := &keyPair{certFile: d.tls.cert, keyFile: d.tls.key, now: time.Now, log: d.log}
	if p.certFile == "" {
		if p.certFile, p.keyFile = d.credentialPair(); p.certFile == "" {
			return nil, nil
		}
	}
	fresh, err := p.read()
	if err != nil {
		return nil, fmt.Errorf("%w; make a pair with: shiplog tls init", err)
	}
	p.use(fresh)
	return p, nil
}

// credentialPair returns the files of the credentials tls-cert and tls-key, "" when neither was given. A half is
// returned too: reading it tells which is missing.
func (d *daemon) credentialPair() (cert, key string) {
	if d.credentials == "" {
		return "", ""
	}
	cert, key = filepath.Join(d.credentials, "tls-cert"), filepath.Join(d.credentials, "tls-key")
	_, errCert := os.Stat(cert)
	_, errKey := os.Stat(key)
	if errors.Is(errCert, fs.ErrNotExist) && errors.Is(errKey, fs.ErrNotExist) {
		return "", ""
	}
	return cert, key
}

// keyPair is a certificate with its key in two files that are exchanged while the server runs. Nobody watches
// them: who shakes hands, or reads the metrics, looks at their times, so that a box with nothing to do sleeps.
type keyPair struct {
	certFile, keyFile string // constant, as the next two
	now               func() time.Time
	log               *slog.Logger

	inForce atomic.Pointer[loadedPair]
	good    atomic.Bool // the files are what is in force

	mu     sync.Mutex     // held while the files are looked at
	looked time.Time      // guarded by mu; when that last was
	tried  [2]os.FileInfo // guarded by mu; the files that were read last, well or not
}

// loadedPair is a pair as it was read.
type loadedPair struct {
	tls.Certificate
	files [2]os.FileInfo
}

// certificate gives the certificate of a handshake. What is in force is never nil.
func (p *keyPair) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.look()
	return &p.inForce.Load().Certificate, nil
}

// look reads the pair again when its files are others than those that were read last. A pair that is no good is
// told once; what was in force stays. One caller looks at a time, and the others do not wait for a slow disk.
func (p *keyPair) look() {
	if !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	now := p.now()
	if since := now.Sub(p.looked); since >= 0 && since < lookEvery {
		return
	}
	p.looked = now
	files := p.stat()
	if sameFile(files[0], p.tried[0]) && sameFile(files[1], p.tried[1]) {
		return
	}
	p.tried = files
	fresh, err := p.read()
	if err != nil {
		p.good.Store(false)
		p.log.Error("TLS certificate not read again; the one before stays in use", "err", err)
		return
	}
	p.take(fresh)
}

// use puts fresh into force.
func (p *keyPair) use(fresh *loadedPair) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.looked = p.now()
	p.take(fresh)
}

// take is use while mu is held.
func (p *keyPair) take(fresh *loadedPair) {
	p.tried = fresh.files
	before := p.inForce.Swap(fresh)
	p.good.Store(true)
	leaf := fresh.Leaf
	if now := p.now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		p.log.Warn("the TLS certificate is not valid now; clients will refuse it", "from", leaf.NotBefore, "until", leaf.NotAfter)
	}
	if before == nil || !before.Leaf.Equal(leaf) {
		p.log.Info("TLS certificate in use", "file", p.certFile, "until", leaf.NotAfter, "sha256", fingerprint(leaf.Raw))
	}
}

// expires is the end of the certificate in force.
func (p *keyPair) expires() time.Time { return p.inForce.Load().Leaf.NotAfter }

// stat looks at both files; nil for one that cannot be seen.
func (p *keyPair) stat() (files [2]os.FileInfo) {
	files[0], _ = os.Stat(p.certFile)
	files[1], _ = os.Stat(p.keyFile)
	return files
}

// sameFile tells whether nothing was written to a file or put in its place.
func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// read reads both files and looks whether they belong together.
func (p *keyPair) read() (*loadedPair, error) {
	cert, certInfo, err := readPEM(p.certFile)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	key, keyInfo, err := readPEM(p.keyFile)
	if err != nil {
		return nil, fmt.Errorf("TLS key: %w", err)
	}
	if keyInfo.Mode().Perm()&0o004 != 0 {
		p.log.Warn("every user of this machine may read the TLS key; make it mode 0600", "file", p.keyFile)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %s", p.certFile, p.keyFile, strings.TrimPrefix(err.Error(), "tls: "))
	}
	return &loadedPair{pair, [2]os.FileInfo{certInfo, keyInfo}}, nil
}

// readPEM reads a small file. Its FileInfo is of what was opened.
func readPEM(path string) ([]byte, os.FileInfo, error) {
	f, err := format.OpenRegular(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err == nil && len(b) > maxPEM {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxPEM)
	}
	return b, fi, err
}

// fingerprint is the SHA-256 of a certificate as browsers and openssl show it.
func fingerprint(der []byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(der)), " ", ":")
}
