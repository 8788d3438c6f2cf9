package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

func TestDropped(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, sections ...[]byte) {
		t.Helper()
		text := append([]byte("shiplog1"), make([]byte, 8+16*len(sections))...)
		binary.LittleEndian.PutUint64(text[8:], uint64(len(sections)))
		for i, s := range sections {
			binary.LittleEndian.PutUint64(text[16*(i+1):], uint64(len(text)))
			binary.LittleEndian.PutUint64(text[16*(i+1)+8:], uint64(len(s)))
			text = append(text, s...)
		}
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	meta := func(flags uint64) []byte { return binary.LittleEndian.AppendUint64(make([]byte, 32), flags) }
	write("1/columns", meta(1<<5|1<<7)) // objects are lost; there is a cube
	write("1/gate", nil, nil, nil, nil, make([]byte, 8), make([]byte, 2))
	write("2/columns", meta(1<<2|1<<6)) // categories and facets are lost
	write("3/columns", meta(0))
	write("3/gate", nil, nil, nil, []byte("run"), make([]byte, 4), nil)
	var got dropped
	if err := got.read(dir); err != nil {
		t.Fatal(err)
	}
	if want := (dropped{segments: 3, blocks: 6, bare: 1, open: 1, runs: 1, columns: 3}); got != want {
		t.Errorf("read = %+v, want %+v", got, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "3/gate"), []byte("shiplog2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := got.read(dir); err == nil {
		t.Error("read of a file of another version = nil, want an error")
	}
}
