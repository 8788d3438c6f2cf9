package seal

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"shiplog/format"
)

// keys is the folder of the private keys: at most two are there, that of the present epoch and, for the moment of
// a change, that of the next or the one before.
type keys struct {
	dir  string
	step func(string) error
}

// epochKey is the key of one epoch.
type epochKey struct {
	epoch  int
	signer note.Signer
	public string // verifier line
}

const keySuffix = ".key"

func keyName(epoch int) string { return fmt.Sprintf("seal-%06d%s", epoch, keySuffix) }

// newOrigin makes the name of a chain: unique, and telling a person which box it is from.
func newOrigin(host string) string {
	id := make([]byte, 4)
	_, _ = rand.Read(id) // never fails
	return "shiplog/" + cleanHost(host) + "-" + hex.EncodeToString(id)
}

// cleanHost leaves of a host's name what the name of a key may have.
func cleanHost(host string) string {
	host = strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, host)
	if host == "" {
		return "host"
	}
	return host[:min(len(host), 64)]
}

// create makes the key of an epoch and writes it, durable before it returns. What a crash left under its name is
// replaced.
func (k *keys) create(origin string, epoch int) (*epochKey, error) {
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(k.dir, keyName(epoch))
	if err := k.step("create key"); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	err = f.Chmod(0o600)
	if err == nil {
		err = k.step("write key")
	}
	if err == nil {
		_, err = f.WriteString(secret + "\n")
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := format.SyncDir(k.dir); err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(secret)
	return &epochKey{epoch, signer, public}, err
}

// list returns the epochs of which there is a key. A folder that is not there has none; one that cannot be read is an
// error, since without a key a new chain would be begun.
func (k *keys) list() ([]int, error) {
	ents, err := os.ReadDir(k.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var epochs []int
	for _, e := range ents {
		epoch, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(e.Name(), "seal-"), keySuffix))
		if err == nil && keyName(epoch) == e.Name() {
			epochs = append(epochs, epoch)
		}
	}
	return epochs, nil
}

// load reads all keys that are there, by epoch.
func (k *keys) load() (map[int]*epochKey, error) {
	epochs, err := k.list()
	if err != nil {
		return nil, err
	}
	found := map[int]*epochKey{}
	for _, epoch := range epochs {
		text, err := readSmall(filepath.Join(k.dir, keyName(epoch)), 4096)
		if err != nil {
			return nil, err
		}
		key, err := parseKey(epoch, strings.TrimSuffix(string(text), "\n"))
		if err != nil {
			continue // half written: a crash, or an erasure that was not finished
		}
		found[epoch] = key
	}
	return found, nil
}

// parseKey reads a private key as package note writes it.
func parseKey(epoch int, secret string) (*epochKey, error) {
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, err
	}
	public, err := publicOf(secret)
	if err != nil {
		return nil, err
	}
	return &epochKey{epoch, signer, public}, nil
}

// erase overwrites and removes the keys of all epochs but one. On file systems that copy on write, and on flash,
// the old bytes may live on for a while.
func (k *keys) erase(keep int) error {
	epochs, err := k.list()
	for _, epoch := range epochs {
		if epoch == keep {
			continue
		}
		if serr := k.step("erase key"); serr != nil {
			return serr
		}
		err = errors.Join(err, eraseFile(filepath.Join(k.dir, keyName(epoch))))
	}
	return err
}

func eraseFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	fi, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, min(fi.Size(), 4096)))
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), os.Remove(path))
}

// publicOf derives the verifier line of a private key.
func publicOf(secret string) (string, error) {
	f := strings.Split(secret, "+")
	if len(f) < 5 {
		return "", errors.New("not a private key")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(f[4:], "+"))
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return "", errors.New("not a private key")
	}
	public, ok := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return "", errors.New("not a private key")
	}
	return note.NewEd25519VerifierKey(f[2], public)
}
