package agent

import (
	"bytes"
	"strconv"

	"shiplog/format"
)

// Mapped is one record a mapper made, with what can be filled in only once other records have a number.
type Mapped struct {
	Record *format.Record

	// Ref is the raw record this one was derived from, in the same or an earlier batch; its Seq becomes
	// data.ref. Nil: the record stands for itself.
	Ref *format.Record

	// Task is the first raw record of the task that data.qnap speaks of; its Seq replaces the value of
	// `"tid":0` in there. So a task id is unique in the store without a counter of its own.
	Task *format.Record
}

// Store hands ms to write in order. A derived record goes out after the raw record it refers to, which then
// has its Seq. Records that are already stored (Seq set) are skipped, so a failed call may be repeated.
func Store(ms []Mapped, write func(...*format.Record) error) error {
	var batch []*format.Record
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		err := write(batch...)
		batch = batch[:0]
		return err
	}
	for _, m := range ms {
		if m.Record.Seq != 0 {
			continue
		}
		if m.waits() {
			if err := flush(); err != nil {
				return err
			}
		}
		m.link()
		batch = append(batch, m.Record)
	}
	return flush()
}

func (m Mapped) waits() bool {
	return m.Ref != nil && m.Ref.Seq == 0 || m.Task != nil && m.Task.Seq == 0
}

// link writes the numbers of other records into data, once.
func (m Mapped) link() {
	d := m.Record.Data
	if m.Task != nil && m.Task.Seq != 0 {
		d = bytes.Replace(d, []byte(`"tid":0`), strconv.AppendUint([]byte(`"tid":`), m.Task.Seq, 10), 1)
	}
	if m.Ref != nil && m.Ref.Seq != 0 && !bytes.HasPrefix(d, []byte(`{"ref":`)) {
		out := strconv.AppendUint([]byte(`{"ref":`), m.Ref.Seq, 10)
		if rest := bytes.TrimPrefix(d, []byte("{")); len(rest) > 1 {
			out = append(append(out, ','), rest...)
		} else {
			out = append(out, '}')
		}
		d = out
	}
	m.Record.Data = d
}
