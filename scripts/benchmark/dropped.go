package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
)

// dropped counts what of an index was not kept because the records would have made it too large. The answers do
// without it, slower. It looks into the files of package index, see there what is in which section.
type dropped struct {
	segments, blocks int // that have an index
	bare             int // segments that have columns only
	open             int // blocks whose text is not in Bleve
	runs             int // segments without the list of long runs
	columns          int // columns that are not there, of all segments
}

const (
	metaSection, flagsWord  = 0, 4      // of a columns file
	lostColumns             = 0x1f << 2 // of the flags: category, action, user, object, facets
	runsSection, docSection = 3, 4      // of a gate file
	openSection             = 5
)

func (d *dropped) read(index string) error {
	all, err := filepath.Glob(filepath.Join(index, "*", "columns"))
	if err != nil {
		return err
	}
	for _, name := range all {
		d.segments++
		s, err := sections(name, metaSection)
		if err != nil {
			return err
		}
		if len(s[metaSection]) < 8*(flagsWord+1) {
			return fmt.Errorf("%s: no flags in %d bytes", name, len(s[metaSection]))
		}
		d.columns += bits.OnesCount64(binary.LittleEndian.Uint64(s[metaSection][8*flagsWord:]) & lostColumns)
		s, err = sections(filepath.Join(filepath.Dir(name), "gate"), openSection)
		if errors.Is(err, fs.ErrNotExist) {
			d.bare++
			continue
		}
		if err != nil {
			return err
		}
		d.blocks += len(s[docSection]) / 2
		d.open += len(s[openSection]) / 2
		if len(s[runsSection]) == 0 {
			d.runs++
		}
	}
	return nil
}

// sections are those of an index file, up to the one with the number last.
func sections(name string, last int) ([][]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if len(b) < 16 || string(b[:8]) != "shiplog1" || binary.LittleEndian.Uint64(b[8:]) <= uint64(last) || len(b) < 16*(last+2) {
		return nil, fmt.Errorf("%s is no index file that this program knows", name)
	}
	all := make([][]byte, last+1)
	for i := range all {
		entry := b[16*(i+1):]
		at, size := binary.LittleEndian.Uint64(entry), binary.LittleEndian.Uint64(entry[8:])
		if at > uint64(len(b)) || size > uint64(len(b))-at {
			return nil, fmt.Errorf("%s: section %d lies outside", name, i)
		}
		all[i] = b[at : at+size]
	}
	return all, nil
}

// parts puts into the report how much of the index was dropped.
func (b *bench) parts() error {
	var d dropped
	if err := d.read(filepath.Join(b.data(), "index")); err != nil {
		return err
	}
	for _, row := range []struct {
		name  string
		n, of int
	}{
		{"segments without an index of text", d.bare, d.segments},
		{"blocks whose text is in no index", d.open, d.blocks},
		{"segments without the list of long runs", d.runs, d.segments},
		{"columns that are not there", d.columns, 5 * d.segments},
	} {
		b.report.set(left, row.name, "%", shiplog, &cell{Value: 100 * float64(row.n) / float64(max(row.of, 1)), Rows: row.of})
	}
	return nil
}

// left is the group of rows about what an index does without.
const left = "dropped from the index"
