// Package seal makes it provable that the segments of a log are what was written.
//
//	DIR/log/00000000000000000001.jsonl       a sealed segment, untouched by sealing
//	DIR/log/00000000000000000001.jsonl.blk   16 bytes for each 1,024 lines of it, to find a changed line
//	DIR/log/SEALS.jsonl                      one line for each sealed segment: the chain
//	DIR/log/checkpoint                       a signed note about the chain and about the active segment
//	DIR/keys/seal-000000.key                 the private key of the present epoch, mode 0600
//
// A [Keeper] writes all of these, in the process that has the [format.Writer]; [Verify] reads them, also in a copy
// and on a read-only disk, and needs no secret. The keeper follows the files as any reader does: it never holds up
// an append, and what a crash or an older program left without a seal gets one later, marked as late.
//
// # SEALS.jsonl
//
// One JSON object a line, in this order of members; what does not apply is missing. Hashes are SHA-256 in
// hexadecimal, times RFC 3339 in UTC.
//
//	v         1, the version of the format
//	n         number of the line, from 1
//	seg       name of the segment that this line seals; first and last seq, lines, bytes and sha256 of the file,
//	          blocks: hash of its .blk file
//	retired   or: names of sealed segments that were removed by rule; reason says by which
//	tail      or: the first bytes of the active segment; seg, bytes, lines, sha256
//	time      when the line was made
//	prev      hash of the line before, without its newline; zeros in the first
//	epoch     number of the key that signs the line, from 0
//	key       the first line only: the key of epoch 0 as a verifier line
//	next_key  the last line of an epoch: the key of the next one
//	host      this host, when it is not the one on which the log was begun
//	late      true: the segment was found sealed, after a crash or from an older program; what happened to it
//	          before time is not known
//	lost      true: the checkpoint was missing and was made anew with this line, whose tail is what the chain knew last;
//	          whether the end of the log had been cut is not known
//	was       what a checkpoint said of the segment earlier, which does not fit to what it was at time
//	from      the first line only: origin, key, size and root of an earlier chain that could not be continued,
//	          and the reason; damaged true: it was not what had been signed. Its files are kept as SEALS.jsonl.1.old and checkpoint.1.old, 2, 3 ...
//	sig       base64 of 4 bytes key hash and the Ed25519 signature of the text "shiplog seal v1", a newline, and
//	          the line without ,"sig":"..."
//
// What stands after the last newline was cut off by a crash; the next start moves it to SEALS.jsonl.torn.
//
// # Checkpoint
//
// A signed note as in C2SP tlog-checkpoint: origin, which is shiplog/HOST-INSTALLATION; the number of lines of
// SEALS.jsonl; the root of the Merkle tree over these lines (RFC 6962, lines without their newlines), then as
// extensions
//
//	key   verifier line of epoch 0, the one to note down
//	time  when it was signed
//	tail  segment, bytes, lines, hash: the first bytes of the active segment
//
// It is renewed with every line of the chain, at most once a minute while the active segment grows, and at stop.
// While nothing happens nothing is written.
//
// # Epochs
//
// After 64 seals, or on the first occasion after a day, a new key is made. The last line under the old key signs
// the new one, then the old private key is overwritten and removed (a file system that copies on write, or flash, may
// keep its bytes for a while). Who becomes master of the machine later finds
// no key that could sign what came before; who has the key of epoch 0 can follow the chain to the present one. The
// end of the chain is certain only to who has an outside witness of it: a checkpoint noted elsewhere.
//
// # History
//
//	1  first version; testdata/v1. lost and from.damaged came later: who does not know them passes over them
package seal
