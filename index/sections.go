package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

// An index file is a head, a table of sections and the sections, each beginning at a multiple of 8 bytes:
//
//	"shiplogX"  8 bytes   magic; the last byte is the version
//	sections    8 bytes   how many
//	table      16 bytes   for each: where it begins, how long it is (both 8 bytes)
//	sections
//
// Numbers are little-endian, in sections too, so that a mapped file can be used as it is. The checksum of
// the file stands in the manifest.
const (
	sectionsVersion = '1'
	sectionsHead    = 16
	sectionsEntry   = 16
)

var errBadFile = errors.New("index file is damaged")

// encodeSections makes an index file.
func encodeSections(sections [][]byte) []byte {
	size := sectionsHead + sectionsEntry*len(sections)
	for _, s := range sections {
		size += pad8(len(s))
	}
	b := make([]byte, sectionsHead+sectionsEntry*len(sections), size)
	copy(b, "shiplog")
	b[7] = sectionsVersion
	binary.LittleEndian.PutUint64(b[8:], uint64(len(sections)))
	for i, s := range sections {
		e := b[sectionsHead+sectionsEntry*i:]
		binary.LittleEndian.PutUint64(e, uint64(len(b)))
		binary.LittleEndian.PutUint64(e[8:], uint64(len(s)))
		b = append(b, s...)
		b = append(b, make([]byte, pad8(len(s))-len(s))...)
	}
	return b
}

func pad8(n int) int { return (n + 7) &^ 7 }

// decodeSections takes an index file apart and returns its sections, which point into b.
func decodeSections(b []byte, want int) ([][]byte, error) {
	if len(b) < sectionsHead || string(b[:7]) != "shiplog" || b[7] != sectionsVersion {
		return nil, fmt.Errorf("%w: not an index file of this version", errBadFile)
	}
	n := binary.LittleEndian.Uint64(b[8:])
	if n != uint64(want) || uint64(len(b)) < sectionsHead+sectionsEntry*n {
		return nil, fmt.Errorf("%w: %d sections, want %d", errBadFile, n, want)
	}
	out := make([][]byte, n)
	for i := range out {
		e := b[sectionsHead+sectionsEntry*i:]
		at, size := binary.LittleEndian.Uint64(e), binary.LittleEndian.Uint64(e[8:])
		if at%8 != 0 || at > uint64(len(b)) || size > uint64(len(b))-at {
			return nil, fmt.Errorf("%w: section %d lies outside", errBadFile, i)
		}
		out[i] = b[at : at+size : at+size]
	}
	return out, nil
}

// sectionEnd is where section i of an index file ends, by its table, which is there.
func sectionEnd(b []byte, i int) uint64 {
	e := b[sectionsHead+sectionsEntry*i:]
	return binary.LittleEndian.Uint64(e) + binary.LittleEndian.Uint64(e[8:])
}

// number is what columns are made of.
type number interface {
	uint8 | uint16 | uint32 | uint64 | int64
}

// asBytes is the column as it lies in memory.
func asBytes[T number](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))
}

// asColumn is a section seen as a column; nil when it is empty. The section begins at a multiple of 8 bytes.
func asColumn[T number](b []byte) ([]T, error) {
	var zero T
	size := int(unsafe.Sizeof(zero))
	if len(b)%size != 0 {
		return nil, fmt.Errorf("%w: %d bytes are no column of %d bytes each", errBadFile, len(b), size)
	}
	if len(b) == 0 {
		return nil, nil
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%uintptr(size) != 0 {
		return nil, fmt.Errorf("%w: a column is not aligned", errBadFile)
	}
	return unsafe.Slice((*T)(p), len(b)/size), nil
}

// littleEndian tells whether numbers in memory lie as they do in files. Where they don't, no index files are
// written or read, and columns are kept in memory.
func littleEndian() bool { return binary.NativeEndian.Uint16([]byte{1, 0}) == 1 }
