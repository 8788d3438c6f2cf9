package format

import (
	"io/fs"
	"os"
)

// maxTables is of how many compressed segments the frames are kept in mind: 32 bytes for each frame, 1 KiB a segment.
// A hundred million records are two thousand segments.
const maxTables = 1024

// packed is what is known of a compressed file. To find its frames anew takes a read for each of them, which costs more
// than to decompress one.
type packed struct {
	file   fs.FileInfo
	plain  int64   // bytes
	frames *frames // nil: to be looked for again
}

// knownAs returns what is known of the compressed file of a segment, if it is still that file.
func (l *Log) knownAs(name string, fi fs.FileInfo) (packed, bool) {
	l.mu.Lock()
	known, ok := l.sizes[name]
	l.mu.Unlock()
	return known, ok && os.SameFile(known.file, fi) && known.file.Size() == fi.Size() && known.file.ModTime().Equal(fi.ModTime())
}

// framesOf returns where the frames of the compressed file of a segment are. They do not change, and need not be those
// that the file has when somebody writes to it: each is checked when it is decompressed.
func (l *Log) framesOf(name string, f *os.File, fi fs.FileInfo) (*frames, error) {
	if known, ok := l.knownAs(name, fi); ok && known.frames != nil {
		return known.frames, nil
	}
	found, err := readFrames(f, fi.Size())
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tables >= maxTables { // all at once: who reads so many segments reads each once
		for name, p := range l.sizes {
			l.sizes[name] = packed{p.file, p.plain, nil}
		}
		l.tables = 0
	}
	if l.sizes[name].frames == nil {
		l.tables++
	}
	l.sizes[name] = packed{fi, found.plain, found}
	return found, nil
}

// plainSize is the number of plain bytes of a compressed segment.
func (l *Log) plainSize(name string, fi fs.FileInfo) (int64, error) {
	if known, ok := l.knownAs(name, fi); ok {
		return known.plain, nil
	}
	f, err := l.OpenCompressed(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.fs.plain, nil
}
