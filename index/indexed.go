package index

import (
	"os"
	"path/filepath"
	"strings"

	"shiplog/format"
)

// Indexed counts those of the sealed segments that have an index in dir, without opening any; what is damaged
// counts too.
func Indexed(dir string, segs []format.Segment) (n int) {
	for _, s := range segs {
		if !s.Sealed {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, indexName(s.Name), manifestFile)); err == nil {
			n++
		}
	}
	return n
}

// indexName is the folder of the index of the segment with that name.
func indexName(segment string) string { return strings.TrimSuffix(segment, ".jsonl") }
