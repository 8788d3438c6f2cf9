package httpd

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// The cost of a password hash (OWASP's second choice for argon2id): 19 MiB, two passes, one lane. Stored hashes
// carry their own parameters, so that these can be raised later.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16 // bytes
	argonKey     = 32 // bytes
	// maxArgonMemory keeps a hand-edited accounts file from asking for more memory than a small box has.
	maxArgonMemory = 256 << 10
	maxArgonTime   = 16
	// maxPassword bounds what is hashed, in bytes.
	maxPassword = 1024
)

var errHashForm = errors.New("password hash is not of the form $argon2id$v=19$m=..,t=..,p=..$salt$key; set the password again")

// hasher makes and checks password hashes, checks two at a time: each takes 19 MiB while it runs. A little later what they took
// is given back to the system, which Go alone would do only after minutes.
type hasher struct {
	slots chan struct{} // one token per running hash
	free  *time.Timer
}

// freeDelay is how long after the last hash its memory is given back.
const freeDelay = 2 * time.Second

func newHasher() *hasher {
	h := &hasher{slots: make(chan struct{}, 2), free: time.AfterFunc(time.Hour, debug.FreeOSMemory)}
	h.free.Stop()
	return h
}

// acquire waits for a slot.
func (h *hasher) acquire(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *hasher) release() {
	<-h.slots
	h.free.Reset(freeDelay)
}

// hash makes a hash for an administrator's change; those are few and take no slot.
func (h *hasher) hash(password string) (string, error) {
	defer h.free.Reset(freeDelay)
	return hashPassword(password)
}

// hashPassword returns the PHC string of password with a fresh salt.
func hashPassword(password string) (string, error) {
	if password == "" {
		return "", errors.New("password is empty")
	}
	if len(password) > maxPassword {
		return "", fmt.Errorf("password is longer than %d bytes", maxPassword)
	}
	salt := make([]byte, argonSalt)
	rand.Read(salt) // never fails
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		argonMemory, argonTime, argonThreads, b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// phc is a parsed password hash.
type phc struct {
	memory, time uint32
	threads      uint8
	salt, key    []byte
}

func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return phc{}, errHashForm
	}
	var version int
	if n, err := fmt.Sscanf(parts[2], "v=%d", &version); n != 1 || err != nil || version != argon2.Version {
		return phc{}, errHashForm
	}
	var p phc
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); n != 3 || err != nil {
		return phc{}, errHashForm
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil || len(p.salt) < 8 {
		return phc{}, errHashForm
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil || len(p.key) < 16 || len(p.key) > 64 {
		return phc{}, errHashForm
	}
	if p.memory < 8 || p.memory > maxArgonMemory || p.time < 1 || p.time > maxArgonTime || p.threads < 1 || p.threads > 8 {
		return phc{}, errHashForm
	}
	return p, nil
}

// verify tells in constant time whether password is the one that was hashed.
func (p phc) verify(password string) bool {
	if len(password) > maxPassword {
		password = password[:maxPassword+1] // cannot be right, and costs what any other costs
	}
	key := argon2.IDKey([]byte(password), p.salt, p.time, p.memory, p.threads, uint32(len(p.key)))
	return subtle.ConstantTimeCompare(key, p.key) == 1
}

// nobody is what an unknown user's password is checked against, so that the answer takes as long as for a
// known one. No password verifies: its key is not the output of anything tried here.
func nobody() phc {
	p := phc{memory: argonMemory, time: argonTime, threads: argonThreads, salt: make([]byte, argonSalt), key: make([]byte, argonKey)}
	rand.Read(p.key)
	return p
}
