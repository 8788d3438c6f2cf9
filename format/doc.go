// Package format is the shape of a record and of the files that hold records.
//
//	DIR/log/00000000000000000001.jsonl        records 1 to 41199   sealed: never changes again
//	DIR/log/00000000000000041200.jsonl        records from 41200   active: the only file that grows
//	DIR/log/00000000000000041200.jsonl.torn   what a crash left behind the last newline; never deleted
//	DIR/log/00000000000000000001.jsonl.zst    in place of the first, when it is compressed
//	DIR/log/SEALS.jsonl, checkpoint, *.blk    what proves that segments were not changed: see package seal
//	DIR/lock                                  locked while a writer is open, holds its process id
//
// One process writes a directory (see [Open]); any number may read it (see [OpenLog]), also a copy, also while
// it grows, also from a read-only disk. A line that ends in a newline is never changed again, and what is no
// such line is never served.
//
// # Records
//
// A record is one line: a JSON object in UTF-8, at most 256 KiB long, written in this order of members.
// A member that is absent is missing, never null or "".
//
//	v          1, the version of the format
//	seq        number from 1 in the order of arrival; it names the record
//	eseq       position in the event stream, on records the Container Station API shows as events
//	id         UUID v7
//	time, obs  when it happened and when shiplog took it in; RFC 3339 in UTC, up to nine digits of a second
//	stream     log (somebody did something) or event (an engine reported something)
//	level      DEBUG INFO WARN ERROR; when missing it follows from outcome
//	category   container image import export backup system network volume auth ...
//	action     object.verb
//	outcome    success failure pending unknown; when missing it follows from level, then from status
//	status     the origin's own word
//	code       the origin's result
//	msg        human text, up to 32 KiB
//	actor      name id domain type email
//	src        ip agent
//	obj        type id name image tag
//	engine     docker lxc lxd incus
//	host, ns, repo, project, req, preq
//	args       arguments as the origin's JSON text, up to 64 KiB
//	data       the origin's own object, up to 64 KiB; numbers keep their text
//	cut        names of the members that were cut at their limit
//
// Members that are not in this list are kept and written again. Of a member that stands twice the last counts.
// Escaped are, beside what JSON demands, the characters that make a terminal or a line-wise tool show something
// else: C1 controls, U+2028 and U+2029, marks of writing direction.
//
// # Segments
//
// A segment is named by the seq of its first record, twenty digits. It is sealed, and the next begun, before it
// would grow above 32 MiB, or by command; never by the clock alone. When no record arrives nothing is written
// and nothing is synced.
//
// # Compressed segments
//
// A sealed segment may lie on the disk as NAME.jsonl.zst. It keeps the name NAME.jsonl everywhere else, and a place in
// it is a place in the plain lines, which zstdcat prints. The file is
//
//	Zstandard frames   (RFC 8878) independent of each other, each with its size and checksum, of 2,048 lines, or of
//	                   fewer that are 2 MiB together; a line of more than 4 MiB goes over several
//	a seek table       in a skippable frame, which other programs pass over: that of the Zstandard Seekable Format
//	                   0.1.0, without checksums
//
// How large frames are is what a file costs on the disk against what a search costs that wants one line of it. With a
// million records of scripts/workload, of 515 bytes each, CPU on one core of a small virtual machine:
//
//	lines a frame                       plain    512  1,024  2,048  4,096
//	bytes a record, best level            515   67.3   62.5   58.6   55.3   20 to 26 s a million to compress, 34 MB
//	bytes a record, the level below              69.9   65.9   62.5   59.3    4 s a million to compress, 5 MB
//	one frame decompressed, ms                   0.17   0.30   0.59   1.20
//	a page at an offset, ms               0.2    0.4    0.5    0.8    1.9
//	12 hex digits with nine hits, ms      2.5    4.7    6.3   10.4   16.2
//
// Whoever compresses wants space, and looks at what is old less often: 2,048 lines at the level below are, with 35 bytes
// of index, 98 bytes a record. The best level would save four of them for five times the CPU and seven times the memory,
// which a small box has other uses for. A dictionary for all frames of a file would let them be smaller, but zstdcat
// wants to be told of it. What is open keeps one frame decompressed, so that lines
// that are read in turn cost a frame once.
//
// The table must account for each byte before it, or the frames are found by their headers. A frame that cannot be
// decompressed is one damaged line as long as it, so that what follows is where it was. Where a segment is there in
// both forms the plain one is read: one is about to take the other's place, see package compress.
//
// # What is durable when
//
// [Writer.Append] returns after fdatasync: what it acknowledged survives kill -9 and a power cut, if the drive
// honours a flush. [Writer.Write] returns after write(2): kill -9 loses nothing, a power cut at most what was
// written within Options.SyncEvery. The directory is synced before the first line of a new segment is.
//
// # After a crash
//
// A record is committed by its newline. [Open] moves what stands after the last newline of the newest segment
// to its .torn file and writes a record of it, action log.recovered. NUL bytes, which some file systems leave
// at the end, are counted and dropped.
//
// # When the disk fails
//
//	no space, quota or inodes, or less than     state full: records are refused with ErrFull
//	  Options.KeepFree left
//	read-only, no permission, I/O error         state read-only: records are refused with ErrReadOnly
//	a sync fails                                the segment ends at its last durable byte, the lines after it are
//	                                            written again to a new segment; action log.sync_failed
//
// Both states end by themselves: once a second one call tries again, and the first that succeeds also writes a
// record that says how many were refused, action log.full or log.readonly. A write that came only half through
// is taken back before anything else is written; where that fails a new segment begins.
//
// # Retention
//
// Package format/prune removes whole sealed segments, the oldest first. A record with the action retention.start, whose
// data is a [Removal], is durable before the first one goes; retention.done follows. So a log may begin with any
// number, and that is no damage. Numbers go on: seq from the name of the newest segment, which is never removed, eseq
// from the newest such record when no segment has one.
//
// # Reading
//
// Damage is reported with its place ([Damage]), counted by who reads, and passed over. Each intact record is
// served once and in the order of seq, also when a tool has duplicated or reordered lines, or two segments
// hold the same ones. A record that was moved into a segment far from its own comes too late for that; it is
// reported as damage.
//
// # History
//
//	1  first version; testdata/v1.jsonl
//	   segments may be compressed; testdata/v1.jsonl.zst; records are as they were
package format
