package format_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"shiplog/format"
)

// TestMovedRecords holds that a record a tool has moved to any other segment is served or named as damage, in both
// directions and from any start, and that a copy of one that is served is neither.
func TestMovedRecords(t *testing.T) {
	whole := func() [][]int { return [][]int{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}, {13, 14, 15}} }
	check := func(name string, segs [][]int, copied bool) {
		t.Helper()
		files := map[string]string{}
		for i, seqs := range segs {
			text := ""
			for _, seq := range seqs {
				text += line(seq) + "\n"
			}
			files[segment(1+3*i)] = text
		}
		l := openLog(t, store(t, files))
		for dir, lines := range map[string]func(uint64) []string{"Forward": told(l.Forward), "Backward": told(l.Backward)} {
			got := lines(0)
			if dir == "Backward" {
				slices.Reverse(got)
			}
			served := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return strings.HasPrefix(s, "damage") })
			slices.SortFunc(got, func(a, b string) int { return strings.Compare(a[len(a)-2:], b[len(b)-2:]) })
			for i := 1; i <= 15; i++ {
				if len(got) != 15 || !strings.HasSuffix(got[i-1], fmt.Sprintf("%02d", i)) {
					t.Fatalf("%s: %s = %q, want each of 15 records served or named", name, dir, got)
				}
			}
			if !slices.IsSorted(served) || copied && len(served) != 15 {
				t.Fatalf("%s: %s = %q, want it in order", name, dir, served)
			}
		}
	}
	for from := range 5 {
		for to := range 5 {
			for _, place := range []int{0, 1, 3} {
				moved := whole()
				seq := moved[from][1]
				moved[from] = slices.Delete(moved[from], 1, 2)
				at := min(place, len(moved[to]))
				moved[to] = slices.Insert(moved[to], at, seq)
				check(fmt.Sprintf("record %d at %d of segment %d", seq, at, to), moved, false)
				copied := whole()
				copied[to] = slices.Insert(copied[to], place, copied[from][2])
				check(fmt.Sprintf("a copy of record %d at %d of segment %d", copied[from][2], place, to), copied, true)
			}
			swapped := whole()
			swapped[from], swapped[to] = swapped[to], swapped[from]
			check(fmt.Sprintf("segments %d and %d swapped", from, to), swapped, true)
		}
	}
}

// told reads a log into "served 07" and "damage 07".
func told(read func(uint64) iter.Seq2[format.Line, error]) func(uint64) []string {
	return func(at uint64) (all []string) {
		for ln, err := range read(at) {
			var d *format.Damage
			if errors.As(err, &d) {
				var seq int
				_, _ = fmt.Sscanf(d.Err.Error(), "record %d was moved", &seq)
				all = append(all, fmt.Sprintf("damage %02d", seq))
				continue
			}
			all = append(all, fmt.Sprintf("served %02d", ln.Seq))
		}
		return all
	}
}

// TestAnotherRecordUnderAServedNumber holds that only what is equal to a served record passes for its copy.
func TestAnotherRecordUnderAServedNumber(t *testing.T) {
	other := strings.Replace(line(2), `"msg":"2"`, `"msg":"other"`, 1)
	l := openLog(t, store(t, map[string]string{segment(1): joined(line(1), line(2)), segment(3): joined(line(3)), segment(4): joined(other, line(4))}))
	if got := told(l.Forward)(0); !slices.Equal(got, []string{"served 01", "served 02", "damage 02", "served 03", "served 04"}) {
		t.Errorf("Forward = %q, want the other record named", got)
	}
}
