package index

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBleveIsSummedAgainWhenItChanged changes a byte of a file that had the right sum before, and gives it back its time.
func TestBleveIsSummedAgainWhenItChanged(t *testing.T) {
	r := rand.New(rand.NewPCG(85, 86))
	dir, _ := newLog(t, r, 1500, 150<<10)
	x := openIndex(t, dir, Options{Dir: dir + "/index"})
	buildAll(t, x)
	d := diskList(t, x)[0]
	defer d.release()
	d.summed = make(map[string]fileState)
	for name := range d.man.Files {
		if state, err := stateOf(filepath.Join(d.dir, name)); err == nil && strings.HasPrefix(name, bleveFolder+"/") {
			d.summed[name] = state
		}
	}
	for name := range d.summed {
		path := filepath.Join(d.dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 4
		if err := os.WriteFile(path, b, 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
			t.Fatal(err)
		}
		if err := d.checkBleve(); !errors.Is(err, errStale) {
			t.Errorf("checkBleve after a change of %s = %v, want %v", name, err, errStale)
		}
		b[len(b)/2] ^= 4
		if err := os.WriteFile(path, b, 0o640); err != nil {
			t.Fatal(err)
		}
	}
}
