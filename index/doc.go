// Package index answers queries. It reads segments and never writes them; all it keeps can be thrown away.
//
//	DIR/log/…0001.jsonl  sealed   columns ─┐ filters, counts, pages, groups: no line is read
//	                              gate ────┤ can this segment hold the text at all?
//	                              Bleve ───┤ which blocks of 512 records can?
//	                                       └─ candidates ─ Query.Match on the bytes of the line ─ hits
//	DIR/log/…8211.jsonl  active   columns and gate in memory, read on before each search
//
// A column holds one member of every record of a segment at a fixed width: time, place of the line, level,
// stream and engine in one byte, codes of category, action, user, object and facets. What a column cannot decide
// is decided by [Query.Match], the one judge, on the line itself. Counts of whole segments come from what was counted
// before: a cube by day, level, category and user in the file of columns, and a rollup by facets, made in bounded memory
// when somebody first asks for it. So every answer is exact, with or without an index on disk; the index only makes it
// quick.
//
// An index on disk is opened by its manifest and the head of its columns: bounds, the cube and three dictionaries, 30 to
// 60 KiB with a checksum of their own. They tell most segments of most queries away, so a start reads no more, and what
// rows, a text or Bleve need is checked and mapped when it is first needed.
//
// A text that no index narrows is looked for in all lines. Such a search yields between blocks and asks Query.Pause
// whether to go on; with a Query.Budget it ends when that is used up and says what is left to ask, so that the pieces
// put together are the whole.
//
// What records make large is bounded for each segment; what goes beyond is dropped, and the rest answers:
//
//	dictionary of a column        4 MiB       the column is dropped, the lines are asked; without category or user no Bleve
//	trigrams of a block in Bleve  65,536      the block is open: it may hold any text
//	trigrams of a segment         1,048,576   the blocks after it are open
//	trigrams in Bleve at once     131,072     Bleve gets its documents in parts and merges them: more CPU, less memory
//	filters of long runs          16 KiB      of a block; fuller ones let more blocks through that do not hold the text
//	those of a segment            4 MiB       of more than 256 blocks each has a smaller one
//
// The bitmaps of the gate have the same size whatever the text is, 264 KiB. A long run is an id, a number, a version, see
// textRun: Bleve knows what is outside of them, and nothing that is inside is kept but in filters, so that ids that
// no two records share cost as much as others.
//
// The rule nobody may break: a search reads what was appended before it began, and an index file that does
// not match its checksum or its segment is set aside and rebuilt, never believed.
package index
