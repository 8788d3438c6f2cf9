package cli

import (
	"fmt"
	"io"
	"time"
)

// progress shows on a terminal how much of a file was read.
type progress struct {
	in    io.Reader
	to    io.Writer
	size  int64 // -1: not known
	read  int64
	shown time.Time
}

const progressEvery = 200 * time.Millisecond

// Read implements io.Reader.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	p.read += int64(n)
	if time.Since(p.shown) >= progressEvery {
		p.show("")
	}
	return n, err
}

// show writes over what was shown before.
func (p *progress) show(end string) {
	p.shown = time.Now()
	text := sizeText(uint64(p.read))
	if p.size > 0 {
		text = fmt.Sprintf("%s of %s, %d %%", text, sizeText(uint64(p.size)), min(100, p.read*100/p.size))
	}
	fmt.Fprintf(p.to, "\rread %-40s%s", text, end)
}

// done shows the last of it and ends the line.
func (p *progress) done() { p.show("\n") }
