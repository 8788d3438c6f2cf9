// Package compress makes sealed segments smaller.
//
//	NAME.jsonl.zst.tmp   written and synced                      crash here: the next pass makes it anew
//	NAME.jsonl.zst       renamed, the folder synced              crash here: both are there, the plain one is read
//	                     a look later: read back, its hash is that in the seal
//	NAME.jsonl           removed, the folder synced              crash here: the same, or only the compressed one
//
// A [Compressor] works in the process that has the [format.Writer]. It takes only segments that have a line in the
// signed chain: their hash is what decides that a compressed file holds what the plain one did. A segment that is not
// what was sealed stays as it is, for it is evidence. Both files stay beside each other for a while, so that whoever
// lists the folder meanwhile finds one of them in any case. The compressed file has the times of the plain one: an
// index that was made of it goes on being valid.
//
// What a compressed segment looks like is described in package format.
package compress
