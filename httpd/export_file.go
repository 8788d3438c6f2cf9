package httpd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

const (
	exportBuffer = 64 << 10
	freeCheck    = 8 << 20  // bytes written between two looks at the free space
	keepFree     = 64 << 20 // bytes of the disk, or 5 % of a small one, that an export leaves alone: the log itself must go on
)

// exportHead is the beginning of an export file.
type exportHead struct {
	ExportID string `json:"export_id"`
	Details  struct {
		StartTime  string  `json:"start_time"` // quayTime
		EndTime    string  `json:"end_time"`   // the first moment that is not in it
		Namespace  string  `json:"namespace"`
		Repository *string `json:"repository"`
	} `json:"details"`
}

// writeLogs makes the file of a job.
func (x *exporter) writeLogs(ctx context.Context, j *exportJob) error {
	err := x.store.replace(j.ID, logsFile, func(f *os.File) error {
		b := bufio.NewWriterSize(&spareWriter{f: f, dir: x.store.dir}, exportBuffer)
		if err := x.encode(ctx, b, j); err != nil {
			return err
		}
		return b.Flush()
	})
	if err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

// encode writes the records of a job, oldest first, one at a time: an export of millions needs no more memory
// than one of ten.
func (x *exporter) encode(ctx context.Context, w io.Writer, j *exportJob) error {
	head := exportHead{ExportID: j.ID}
	head.Details.StartTime, head.Details.EndTime = j.From.UTC().Format(quayTime), j.To.UTC().Format(quayTime)
	head.Details.Namespace, head.Details.Repository = j.namespace(), j.repository()
	enc := json.NewEncoder(&openObject{w: w})
	enc.SetEscapeHTML(false)
	if err := enc.Encode(head); err != nil {
		return err
	}
	if _, err := io.WriteString(w, `,"logs":[`+"\n"); err != nil {
		return err
	}
	enc = json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	query := x.quay.query(j.scope(), j.span(), "")
	query.Before, query.ByTime, query.Ascending = j.Upto+1, true, true
	for f, err := range x.index.Each(ctx, query) {
		if err != nil {
			return err
		}
		if err := enc.Encode(x.quay.render(f)); err != nil {
			return err
		}
		if _, err := io.WriteString(w, ","); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, `{"terminator":true}]}`+"\n")
	return err
}

// openObject leaves out the end of one JSON object, so that members can follow. It gets all of it at once.
type openObject struct{ w io.Writer }

// Write implements io.Writer.
func (o *openObject) Write(b []byte) (int, error) {
	if _, err := o.w.Write(b[:len(b)-2]); err != nil { // } and the line's end
		return 0, err
	}
	return len(b), nil
}

// spareWriter writes to a file as long as the disk has room for more than that.
type spareWriter struct {
	f     *os.File
	dir   string
	until int // bytes that may be written before the next look
}

// Write implements io.Writer.
func (s *spareWriter) Write(b []byte) (int, error) {
	if s.until < len(b) {
		free, total, ok := freeSpace(s.dir)
		if keep := min(keepFree, total/20); ok && free < keep {
			return 0, fmt.Errorf("disk nearly full: %d MiB left, an export leaves %d; make space", free>>20, keep>>20)
		}
		s.until = freeCheck
	}
	s.until -= len(b)
	return s.f.Write(b)
}
