package main

import (
	"encoding/csv"
	"time"

	"shiplog/format"
)

const csvName = "Q9 CSV for each second of CPU"

// csv takes the whole log as CSV. Its floor is the standard library's CSV writer on the same lines, read by the same
// reader, in this process: without HTTP, and without the search.
func (b *bench) csv(s *server) error {
	before := cpu(s.pid())
	n, took, err := drain(s.client, s.url+api+"/log/export")
	if err != nil {
		return err
	}
	used := cpu(s.pid()) - before
	b.report.set("answers", exportName, "records/s", shiplog, &cell{Value: float64(b.n) / took.Seconds()})
	f := b.report.set("answers", csvName, "MB", shiplog, &cell{Value: mb(n) / max(used.Seconds(), 0.01)})
	standard, err := b.standardCSV()
	if err != nil {
		return err
	}
	b.report.set("answers", csvName, "MB", bare, &cell{Value: standard, Note: "encoding/csv, and the reading of the lines"})
	f.target(">= 100 MB, 2 x encoding/csv", func(f *figure) (bool, bool) {
		own := f.Cells[shiplog].Value
		return own >= 100 && own >= 2*f.Cells[bare].Value, true
	})
	return nil
}

// standardCSV is how many megabytes encoding/csv makes of the records in a second of CPU.
func (b *bench) standardCSV() (float64, error) {
	before := self()
	var size counter
	out := csv.NewWriter(&size)
	err := lines(b.records, func(_ []byte, f *format.Fields) error {
		return out.Write([]string{time.Unix(0, f.Time).UTC().Format("2006-01-02 15:04:05.000000"), string(f.Level),
			f.Category.String(), f.ActorName.String(), f.Msg.String()})
	})
	if err != nil {
		return 0, err
	}
	out.Flush()
	return mb(int64(size)) / max((self()-before).Seconds(), 0.001), out.Error()
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
