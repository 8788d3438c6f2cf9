package httpd

import (
	"bytes"
	"time"

	"shiplog/format"
)

// csvHeader is the first line of an export.
const csvHeader = "Date,Level,Category,User,Message\r\n"

// csvWriter renders log records as Container Station's own CSV writer does: CRLF ends a line, and a field is
// quoted if and only if it holds a comma, a quote, CR or LF. (encoding/csv quotes more and rewrites line
// breaks inside fields.)
type csvWriter struct {
	safe bool // a field that a spreadsheet would run as a formula begins with '
	buf  []byte
}

// append adds the line of f to dst.
func (c *csvWriter) append(dst []byte, f *format.Fields) []byte {
	dst = time.Unix(0, f.Time).UTC().AppendFormat(dst, "2006-01-02 15:04:05.000000") // truncates
	dst = append(dst, ',')
	dst = append(dst, shownLevel(f.Level)...)
	dst = append(dst, ',')
	dst = c.value(dst, f.Category)
	dst = append(dst, ',')
	dst = c.value(dst, f.User())
	dst = append(dst, ',')
	if f.Msg.Empty() {
		dst = AppendCSVField(dst, []byte(shownMessage(f)), c.safe)
	} else {
		dst = c.value(dst, f.Msg)
	}
	return append(dst, '\r', '\n')
}

func (c *csvWriter) value(dst []byte, v format.Value) []byte {
	b := v.Bytes(c.buf)
	if v.Escaped() {
		c.buf = b[:0] // keep what grew
	}
	return AppendCSVField(dst, b, c.safe)
}

// AppendCSVField appends b as a field of a Container Station log export: quoted if and only if it holds a
// comma, a quote, CR or LF. safe puts a ' before what a spreadsheet would run as a formula.
func AppendCSVField(dst, b []byte, safe bool) []byte {
	quote := bytes.ContainsAny(b, ",\"\r\n")
	if quote {
		dst = append(dst, '"')
	}
	if safe && len(b) > 0 && bytes.IndexByte([]byte("=+-@\t\r\x00"), b[0]) >= 0 {
		dst = append(dst, '\'')
	}
	if !quote {
		return append(dst, b...)
	}
	for _, x := range b {
		if x == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, x)
	}
	return append(dst, '"')
}
