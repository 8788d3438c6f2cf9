package index

import "fmt"

// Forget removes from dir, the folder of indexes, those of segments that the log in dataDir does not have any more. No
// process that has an index there is harmed: what it has open stays readable.
func Forget(dataDir, dir string) error {
	x, err := Open(dataDir, Options{Dir: dir})
	if err != nil {
		return err
	}
	segs, err := x.log.Segments()
	if err != nil {
		return fmt.Errorf("list log: %w", err)
	}
	snap := &snapshot{views: make([]view, len(segs))}
	for i, s := range segs {
		snap.views[i] = view{seg: newSegment(s)}
	}
	x.sweep(snap)
	return x.Close()
}
