package cli

import (
	"bufio"
	"io"
	"time"

	"shiplog/format"
	"shiplog/httpd"
)

// printer writes records in one output format.
type printer struct {
	w      *bufio.Writer
	format string // short, json, jsonl or csv
	sheet  bool   // csv: guard against formulas
	n      int    // records written
	line   []byte // reused
	value  []byte // reused
}

// newPrinter writes to w; what a terminal could act on is made visible when w is one.
func newPrinter(w io.Writer, format string) *printer {
	if isTerminal(w) {
		w = &visible{w: w}
	}
	return &printer{w: bufio.NewWriterSize(w, 64<<10), format: format}
}

// begin writes what stands before the first record.
func (p *printer) begin() error {
	var err error
	switch p.format {
	case "json":
		_, err = p.w.WriteString("[")
	case "csv":
		_, err = p.w.WriteString("Date,Level,Category,User,Message\r\n")
	}
	return err
}

// end writes what stands after the last record and empties the buffer.
func (p *printer) end() error {
	if p.format == "json" {
		if p.n > 0 {
			p.w.WriteByte('\n')
		}
		p.w.WriteString("]\n")
	}
	return p.w.Flush()
}

// record writes one record.
func (p *printer) record(f *format.Fields) error {
	p.line = p.line[:0]
	switch p.format {
	case "short":
		p.line = p.short(p.line, f)
	case "csv":
		p.line = p.csv(p.line, f)
	case "json":
		if p.n > 0 {
			p.line = append(p.line, ',')
		}
		p.line = append(append(p.line, '\n'), f.Line...)
	default:
		p.line = append(append(p.line, f.Line...), '\n')
	}
	p.n++
	_, err := p.w.Write(p.line)
	return err
}

// short is the line for people: local time, level, category, user, text.
func (p *printer) short(dst []byte, f *format.Fields) []byte {
	dst = time.Unix(0, f.Time).AppendFormat(dst, "2006-01-02T15:04:05Z07:00")
	dst = pad(append(append(dst, ' '), f.Level...), len(f.Level), 5)
	for _, v := range [...]struct {
		value format.Value
		width int
	}{{f.Category, 9}, {f.User(), 8}} {
		dst = append(dst, ' ')
		n := len(dst)
		dst = appendVisible(dst, v.value.Bytes(p.value))
		dst = pad(dst, len(dst)-n, v.width)
	}
	p.value = appendText(p.value[:0], f)
	return append(appendVisible(append(dst, ' '), p.value), '\n')
}

// csv is a row of a Container Station log export.
func (p *printer) csv(dst []byte, f *format.Fields) []byte {
	dst = time.Unix(0, f.Time).UTC().AppendFormat(dst, "2006-01-02 15:04:05.000000")
	dst = append(append(dst, ','), f.Level...)
	p.value = f.Category.Append(p.value[:0])
	dst = httpd.AppendCSVField(append(dst, ','), p.value, p.sheet)
	p.value = f.User().Append(p.value[:0])
	dst = httpd.AppendCSVField(append(dst, ','), p.value, p.sheet)
	p.value = appendText(p.value[:0], f)
	return append(httpd.AppendCSVField(append(dst, ','), p.value, p.sheet), "\r\n"...)
}

// appendText appends the message, or what a record without one says in words: "container.start (docker,
// d59bf8a8b229, web)" for an event, "reboot node 3: done" for an operation.
func appendText(dst []byte, f *format.Fields) []byte {
	if !f.Msg.Empty() {
		return f.Msg.Append(dst)
	}
	dst = f.Action.Append(dst)
	if f.Stream == format.StreamEvent {
		dst = appendObject(dst, f)
	} else {
		for _, v := range []format.Value{f.ObjType, f.ObjID} {
			if !v.Empty() {
				dst = v.Append(append(dst, ' '))
			}
		}
	}
	if !f.Status.Empty() {
		dst = f.Status.Append(append(dst, ": "...))
	}
	return dst
}

// appendObject appends the object as log lines write it: engine, 12 digits of the id, name.
func appendObject(dst []byte, f *format.Fields) []byte {
	sep := " ("
	put := func(v []byte) {
		if len(v) > 0 {
			dst = append(append(dst, sep...), v...)
			sep = ", "
		}
	}
	put([]byte(f.Engine))
	if id := f.ObjID.Bytes(nil); len(id) == 64 {
		put(id[:12])
	} else {
		put(id)
	}
	put(f.ObjName.Bytes(nil))
	if sep == ", " {
		dst = append(dst, ')')
	}
	return dst
}

func pad(dst []byte, have, width int) []byte {
	for ; have < width; have++ {
		dst = append(dst, ' ')
	}
	return dst
}
