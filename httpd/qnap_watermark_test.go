package httpd

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"shiplog/format"
)

// TestListsAgreeWithTheWatermark clears the log now and then, by a request or by a record that another process wrote, and
// holds pages against what is above the newest clear, whatever was asked before and whatever a server has seen.
func TestListsAgreeWithTheWatermark(t *testing.T) {
	r := rand.New(rand.NewPCG(91, 92))
	b := newBox(t, "", nil)
	cookie := b.cookie("admin")
	var visible []uint64 // newest first
	for step := range 400 {
		switch n := r.IntN(40); {
		case n == 0:
			b.restart()
			cookie = b.cookie("admin")
		case n == 1:
			b.clearLog(cookie)
			visible = nil
		case n == 2:
			data, err := json.Marshal(clearData{clearView})
			if err != nil {
				t.Fatal(err)
			}
			b.append(&format.Record{Stream: format.StreamLog, Level: format.LevelInfo, Category: clearCategory, Action: clearAction, Data: data})
			visible = nil
		case n < 25:
			visible = slices.Insert(visible, 0, b.append(operation(fmt.Sprint(step))))
		default:
			limit, offset := 1+r.IntN(12), r.IntN(3)*r.IntN(10)
			want := visible[min(offset, len(visible)):min(offset+limit, len(visible))]
			var got []uint64
			for _, row := range b.list(fmt.Sprintf("limit=%d&offset=%d", limit, offset), cookie) {
				got = append(got, row.ID)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("step %d: list(limit %d, offset %d) = %v, want %v", step, limit, offset, got, want)
			}
		}
	}
}
