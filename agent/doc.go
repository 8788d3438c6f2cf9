// Package agent captures what container engines do.
//
//	socket -> source.run -> queue -> pump: map, redact, write -> format.Writer
//	          (never waits)  (bounded)  (may wait for the disk)
//
// A source is one engine's stream. Its reader does nothing but read and queue, because a client that reads
// slowly slows the engine itself. The pump maps one event at a time: first the record of the event itself,
// then the Container Station message and the human line that are derived from it. What could not be seen is
// said by a gap record; nothing is left out in silence.
package agent
