// Package prune forgets the oldest records of a log, by whole sealed segments.
//
//	record retention.start   synced: what is removed, by which rule     crash here: nothing is gone
//	line of SEALS.jsonl      signed: the segments are retired           crash here: the next start removes them
//	unlink, oldest first     the folder is synced after each            crash here: the same
//	record retention.done    what was removed, and what was not
//
// A [Pruner] works in the process that has the [format.Writer]. It decides by a [Policy]: how old records may get,
// how many bytes they may take, and how much of the disk has to stay free. Never removed are the active segment, the
// newest sealed one, and what Policy.AtLeast names. Numbers are never given again, whatever is removed.
//
// What an unfinished removal says is never believed by itself, since other programs can write records too: the next
// start goes on only with segments that are retired in the signed chain. The others are judged again by the policy.
//
// # Age
//
// Nobody can tell a clock that is wrong by 50 years from one that is right, so several have to agree before a segment
// is old enough. Its age is the smaller one of
//
//	by the clock   from the obs of its last record to now
//	lived          the time that the log itself has seen pass since: from record to record, of which steps backwards
//	               and steps of more than 30 days do not count, and from the newest record to now, which counts up to
//	               30 days or as long as this process runs
//
// While the clock is before the newest record, or for a day after it has moved against the uptime of the machine by
// more than an hour, nothing is removed by age. A box that was off for a year keeps its records for a year longer.
//
// By age and free space no more than a quarter of the sealed segments is removed within an hour, one at least, and a
// restart does not forget what went before it. The limit of bytes is kept at once.
//
// # A full disk
//
// The two records and the line of the chain may use what [format.Options] KeepFree leaves alone. Where others have
// taken that too, [ReserveName] in the data directory is given up for them: 1 MiB, made when there was room.
package prune
