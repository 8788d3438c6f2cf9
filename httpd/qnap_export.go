package httpd

import (
	"fmt"
	"net/http"
)

// exportChunk is how much of an export is collected before it is sent, in bytes.
const exportChunk = 64 << 10

// export answers GET log/export: the visible log as CSV, oldest first, in constant memory. It ends with the
// record that was the newest when it began. When it fails midway the connection is cut, since an error text
// in a CSV would be read as data.
func (q qnap) export(w http.ResponseWriter, r *request, _ caller) error {
	query, err := q.logQuery(r.Context(), r.query)
	if err != nil {
		return err
	}
	query.Ascending = true
	var mine *turn
	if r.Method != http.MethodHead {
		if mine, err = q.s.exporting.take(r.Context()); err != nil {
			return err
		}
		defer mine.end()
		query.Pause = mine.pause
	}
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="container-station-log.csv"`)
	h.Set("Cache-Control", "no-store")
	q.s.degraded(w, q.s.damaged())
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	csv := csvWriter{safe: r.query.get("safe") == "1"}
	chunk, roomy := append(make([]byte, 0, exportChunk+4096), csvHeader...), false
	for f, err := range q.s.opts.Index.Each(r.Context(), query) {
		if err != nil {
			return fmt.Errorf("export log: %w", err)
		}
		if chunk = csv.append(chunk, f); len(chunk) < exportChunk {
			continue
		}
		if !roomy {
			if err := shareOf(r.Context()).take(r.Context(), smallAnswer+readAhead); err != nil {
				return err
			}
			roomy = true
		}
		mine.end() // whoever reads slowly holds up nobody
		if _, err := w.Write(chunk); err != nil {
			return fmt.Errorf("%w: %w", errClientGone, err)
		}
		if chunk = chunk[:0]; mine.again(r.Context()) != nil {
			return r.Context().Err()
		}
	}
	mine.end()
	if err := http.NewResponseController(w).Flush(); err != nil { // a short export is chunked too: no Content-Length
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	if _, err := w.Write(chunk); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}
