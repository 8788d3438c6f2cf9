package seal

import (
	"context"
	"slices"
	"time"
)

// Retired returns those of the named segments that the chain says were removed by rule, in the order given: their
// removal may be brought to its end.
func (k *Keeper) Retired(_ context.Context, segments ...string) (retired []string, err error) {
	err = k.locked(func() error {
		state := k.chain.segments()
		for _, name := range segments {
			if s := state[name]; s != nil && s.retired != nil {
				retired = append(retired, name)
			}
		}
		return nil
	})
	return retired, err
}

// Sealed returns the hash of the plain bytes of a segment and their number, as they stand in the chain; ok is false
// when it was not sealed, or is retired.
func (k *Keeper) Sealed(segment string) (sha256 string, bytes int64, ok bool, err error) {
	err = k.locked(func() error {
		if s := k.chain.segments()[segment]; s != nil && s.seal != nil && s.retired == nil {
			sha256, bytes, ok = s.seal.SHA256, s.seal.Bytes, true
		}
		return nil
	})
	return sha256, bytes, ok, err
}

// RetiredSince calls each for the lines since a time that say that segments were removed by rule, the newest first. It
// ends at the first line before that time.
func (k *Keeper) RetiredSince(_ context.Context, since time.Time, each func(at time.Time, reason string, segments int)) error {
	return k.locked(func() error {
		for _, l := range slices.Backward(k.chain.lines) {
			if l.Time.Before(since) {
				break
			}
			if len(l.Retired) > 0 {
				each(l.Time, l.Reason, len(l.Retired))
			}
		}
		return nil
	})
}
