package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"regexp"
	"strings"
	"time"
)

// madePair is a certificate that was made just now.
type madePair struct {
	cert, key []byte // PEM
	der       []byte // of the certificate
	until     time.Time
}

// makePair makes a certificate for names and addresses that signs itself. It is no authority: browsers refuse one
// that is at the other end of a connection, and whoever steals its key can be no other server than this.
func makePair(names []string, now time.Time, days int) (*madePair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	// The clock of a client may be behind. Both ends count, so the hour is taken from the days.
	from := now.Add(-time.Hour).Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber:          serial.Add(serial, big.NewInt(1)),
		Subject:               pkix.Name{Organization: []string{"shiplog"}, CommonName: commonName(names)},
		NotBefore:             from,
		NotAfter:              from.Add(time.Duration(days)*24*time.Hour - time.Second),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	return &madePair{
		cert:  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		der:   der,
		until: template.NotAfter,
	}, nil
}

// commonName is what browsers show of the certificate: the first name that is not localhost and fits.
func commonName(names []string) string {
	for _, name := range names {
		if name != "localhost" && len(name) <= 64 {
			return name
		}
	}
	return "localhost"
}

// machineNames are those under which others find a machine, and that the server answers to.
func machineNames(host string) []string {
	short, _, _ := strings.Cut(host, ".")
	return []string{host, short, short + ".local"}
}

var certNamePattern = regexp.MustCompile(`^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$`)

// certName tells whether a certificate can be for name, which is in small letters.
func certName(name string) bool { return len(name) <= 253 && certNamePattern.MatchString(name) }
