package httpd

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// maxSealed bounds a sealed text, in characters; what is longer was not sealed here and is not looked at.
const maxSealed = 4096

// sealer makes texts that a client carries but can neither read nor change.
type sealer struct{ aead cipher.AEAD }

var errSealed = errors.New("sealed text is not valid")

// openSealer takes the key from a file in dir, which it makes when there is none. With dir "" the key is
// known to nobody else and lasts as long as the sealer.
func openSealer(dir, name string) (*sealer, error) {
	key, err := newKey()
	if err == nil && dir != "" {
		key, err = keepKey(filepath.Join(dir, name), key)
	}
	if err != nil {
		return nil, fmt.Errorf("open key: %w", err)
	}
	aead, err := chacha20poly1305.NewX(key) // its nonce is long enough to be random
	if err != nil {
		return nil, fmt.Errorf("open key: %w", err)
	}
	return &sealer{aead}, nil
}

func newKey() ([]byte, error) {
	key := make([]byte, chacha20poly1305.KeySize)
	_, err := rand.Read(key)
	return key, err
}

// seal encrypts plain, bound to about. The text is of A-Z a-z 0-9 - _ only.
func (s *sealer) seal(about, plain []byte) string {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return sealedEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, about))
}

// sealedEncoding has one text for each sequence of bytes but for line breaks, which open refuses.
var sealedEncoding = base64.RawURLEncoding.Strict()

// open returns what was sealed under the same key and about the same. The error is errSealed for anything else.
func (s *sealer) open(about []byte, text string) ([]byte, error) {
	if len(text) > maxSealed || strings.ContainsAny(text, "\r\n") {
		return nil, errSealed
	}
	b, err := sealedEncoding.DecodeString(text)
	if err != nil || len(b) < s.aead.NonceSize() {
		return nil, errSealed
	}
	plain, err := s.aead.Open(nil, b[:s.aead.NonceSize()], b[s.aead.NonceSize():], about)
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}

// keepKey returns the key in the file at path. When there is none key is put there, at once and on the disk: of
// two processes that do so at one time both go on with the same.
func keepKey(path string, key []byte) ([]byte, error) {
	if kept, err := readKey(path); !errors.Is(err, fs.ErrNotExist) {
		return kept, err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(dir, ".key-*") // made with mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := tmp.WriteString(hex.EncodeToString(key) + "\n"); err != nil {
		return nil, err
	}
	keepOwner(dir, tmp)
	if err := tmp.Sync(); err != nil {
		return nil, err
	}
	err = os.Link(tmp.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(tmp.Name(), path) // the file system has no links
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := syncDir(dir); err != nil {
		return nil, err
	}
	return readKey(path)
}

// maxKeyFile bounds a key file, in bytes.
const maxKeyFile = 4 << 10

// readKey reads a key file: the key in hex on one line.
func readKey(path string) ([]byte, error) {
	text, err := readBounded(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil || len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("%s is not a key of %d bytes in hex; remove it to get a new one, which ends the page tokens given out", path, chacha20poly1305.KeySize)
	}
	return key, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
