package index

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Segments whose columns are not at hand are passed over by their bytes, however their writer wrote an action.
func TestActionsAreFoundWithoutColumns(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "log"), 0o750); err != nil {
		t.Fatal(err)
	}
	seq := 1
	for _, action := range []string{`log\u002eclear`, `log.clear`, `image.pull`, `odd\/one`, `container.start`} {
		var b strings.Builder
		first := seq
		for i := range 3000 { // more than one piece of the file
			a := "image.tag"
			if i == 1500 {
				a = action
			}
			fmt.Fprintf(&b, `{"v":1,"seq":%d,"time":"2026-10-15T01:02:03Z","stream":"log","category":"system","action":"%s","msg":"%s"}`+"\n",
				seq, a, strings.Repeat("x", 100))
			seq++
		}
		if err := os.WriteFile(filepath.Join(dir, "log", fmt.Sprintf("%020d.jsonl", first)), []byte(b.String()), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	lines := readAll(t, dir)
	for _, actions := range [][]string{{"log.clear"}, {"image.pull"}, {"odd/one"}, {"log.clear", "container.start"}, {"nothing.like"}, {"image.tag"}, {""}} {
		for _, q := range []Query{{Actions: actions}, {Actions: actions, Limit: 1}, {Actions: actions, Limit: 2, Ascending: true}} {
			compare(t, openIndex(t, dir, Options{}), q, lines) // anew: nothing is at hand
		}
	}
	x := openIndex(t, dir, Options{})
	if _, err := x.Search(t.Context(), Query{Actions: []string{"nothing.like"}, Limit: 1}); err != nil {
		t.Fatal(err)
	}
	made := 0
	for _, s := range x.segs {
		if s.cols != nil {
			made++
		}
	}
	if made > 1 { // the one with escapes is read
		t.Errorf("columns of %d segments were made for an action that is nowhere, want 1 at most", made)
	}
}
