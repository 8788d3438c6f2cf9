package index

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestCodesNameTheirValues adds few and many distinct values, some often, and looks each up by its row.
func TestCodesNameTheirValues(t *testing.T) {
	for _, distinct := range []int{1, 2, 250, 300, 70_000} {
		var b codesBuilder
		rnd, codes := rand.New(rand.NewPCG(1, uint64(distinct))), map[string]uint32{}
		var want []string
		for range min(4*distinct+3, 100_000) {
			value := strings.Repeat("v", rnd.IntN(3)) // the empty one, too
			if n := rnd.IntN(distinct); n > 0 {
				value = fmt.Sprint("value ", n)
			}
			b.add([]byte(value))
			if code, known := codes[value]; known && code != b.last {
				t.Fatalf("of %d values %q has the codes %d and %d", distinct, value, code, b.last)
			}
			codes[value] = b.last
			want = append(want, value)
		}
		if b.dict.len() != len(codes) {
			t.Errorf("the dictionary of %d values holds %d", len(codes), b.dict.len())
		}
		for row, value := range want {
			if got := string(b.dict.at(b.at(row))); got != value {
				t.Fatalf("of %d values row %d is %q, want %q", distinct, row, got, value)
			}
		}
	}
}

func TestDictionaryThatGrowsTooLargeIsDropped(t *testing.T) {
	var b codesBuilder
	value := make([]byte, maxDictBytes/2)
	for i := range 3 {
		value[0] = byte(i)
		b.add(value)
		if lost := i == 2; b.lost != lost {
			t.Fatalf("after %d values lost = %t, want %t", i+1, b.lost, lost)
		}
	}
	if b.slots != nil || b.dict.blob != nil {
		t.Error("a column that is dropped holds memory")
	}
}
