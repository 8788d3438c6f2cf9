package seal

import "context"

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
