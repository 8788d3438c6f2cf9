package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
)

// maxImportLine bounds one line of an import, as the reader of segments bounds its lines.
const maxImportLine = 4 << 20

var errLongLine = fmt.Errorf("longer than %d MiB", maxImportLine>>20)

// lines yields the lines of r without their ends, with the error errLongLine in place of one that is too
// long (it is passed over in bounded memory). A line is valid until the next step. Any other error is the
// last thing yielded.
func lines(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		in := bufio.NewReaderSize(r, 256<<10)
		var long []byte
		for {
			part, err := in.ReadSlice('\n')
			tooLong := false
			if err != nil {
				long = append(long[:0], part...)
				for errors.Is(err, bufio.ErrBufferFull) {
					part, err = in.ReadSlice('\n')
					if tooLong = tooLong || len(long)+len(part) > maxImportLine; !tooLong {
						long = append(long, part...)
					}
				}
				part = long
			}
			if err != nil && err != io.EOF {
				yield(nil, err)
				return
			}
			if n := len(part); n > 0 && part[n-1] == '\n' {
				part = part[:n-1]
			}
			if n := len(part); n > 0 && part[n-1] == '\r' {
				part = part[:n-1]
			}
			switch {
			case tooLong:
				if !yield(nil, errLongLine) {
					return
				}
			case err == io.EOF && len(part) == 0:
				return
			case !yield(part, nil):
				return
			}
			if err == io.EOF {
				return
			}
		}
	}
}
