package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/custom"
	"github.com/blevesearch/bleve/v2/mapping"
	"github.com/blevesearch/bleve/v2/registry"
	api "github.com/blevesearch/bleve_index_api"
)

// The fields of a Bleve document, which is one block of records. Its id is the number of the block.
const (
	fieldGrams    = "t" // trigrams of the messages, but for stop grams and the inside of long runs
	fieldRuns     = "r" // long runs, cut to runTerm characters
	fieldCategory = "c" // folded
	fieldUser     = "u"
)

// packed is the tokenizer: a field's value is its terms one after the other, each after its length. The
// terms are whatever bytes they are; no text is analysed, here or in a query.
type packed struct{}

const packedName = "shiplog_packed"

// Tokenize takes a value apart.
func (packed) Tokenize(b []byte) analysis.TokenStream {
	var n int
	for rest := b; len(rest) > 0; n++ {
		size, w := binary.Uvarint(rest)
		if w <= 0 || size > uint64(len(rest)-w) {
			break
		}
		rest = rest[w+int(size):]
	}
	tokens, out := make([]analysis.Token, n), make(analysis.TokenStream, n)
	for i := range tokens {
		size, w := binary.Uvarint(b)
		tokens[i] = analysis.Token{Term: b[w : w+int(size)], Position: i + 1}
		out[i] = &tokens[i]
		b = b[w+int(size):]
	}
	return out
}

func appendPacked[T string | []byte](dst []byte, term T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(term))), term...)
}

// registerPacked makes the tokenizer known to Bleve, which finds it by the name in an index's mapping.
var registerPacked = sync.OnceValue(func() error {
	return registry.RegisterTokenizer(packedName, func(map[string]any, *registry.Cache) (analysis.Tokenizer, error) {
		return packed{}, nil
	})
})

func blockMapping() (*mapping.IndexMappingImpl, error) {
	if err := registerPacked(); err != nil {
		return nil, err
	}
	m := bleve.NewIndexMapping()
	if err := m.AddCustomAnalyzer("packed", map[string]any{"type": custom.Name, "tokenizer": packedName}); err != nil {
		return nil, err
	}
	doc := bleve.NewDocumentStaticMapping()
	for _, name := range []string{fieldGrams, fieldRuns, fieldCategory, fieldUser} {
		f := bleve.NewTextFieldMapping()
		f.Analyzer = "packed"
		f.Store, f.IncludeTermVectors, f.IncludeInAll, f.DocValues = false, false, false, false
		f.SkipFreqNorm = true
		doc.AddFieldMappingsAt(name, f)
	}
	m.DefaultMapping = doc
	return m, nil
}

// buildBleve makes the Bleve index of t in the new folder dir and returns the block of each document. All
// blocks go in as one batch, as merging batches costs several times as much, unless their terms are so many
// that memory is dearer.
func buildBleve(dir string, t *terms, c *columns, stop map[uint32]bool) (docs []uint16, err error) {
	defer recovered(&err)
	m, err := blockMapping()
	if err != nil {
		return nil, err
	}
	b, err := bleve.NewBuilder(dir, m, map[string]any{"batchSize": t.batch(), "buildPathPrefix": filepath.Dir(dir)})
	if err != nil {
		return nil, err
	}
	for i := range t.blocks {
		if err := b.Index(strconv.Itoa(i), t.blocks[i].document(c, stop)); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		t.blocks[i] = blockTerms{}
	}
	if err := b.Close(); err != nil {
		return nil, err
	}
	s, err := openBleve(dir)
	if err != nil {
		return nil, err
	}
	docs, err = s.blocks(len(t.blocks))
	return docs, errors.Join(err, s.close())
}

// batch is how many blocks Bleve is given at once.
func (t *terms) batch() int {
	return max(1, (len(t.blocks)+1)*min(t.limits.batchTerms, t.kept+1)/(t.kept+1))
}

func (b *blockTerms) document(c *columns, stop map[uint32]bool) map[string]any {
	var grams, runs, cats, users []byte
	for _, g := range b.grams {
		if !stop[g] {
			grams = append(grams, 3, byte(g>>16), byte(g>>8), byte(g))
		}
	}
	for r := range b.runs {
		runs = appendPacked(runs, r)
	}
	for code := range b.cats {
		cats = appendPacked(cats, AppendFold(nil, c.category.dict.at(code)))
	}
	for code := range b.users {
		users = appendPacked(users, c.user.dict.at(code))
	}
	return map[string]any{fieldGrams: string(grams), fieldRuns: string(runs), fieldCategory: string(cats), fieldUser: string(users)}
}

// recovered turns a panic of Bleve into an error: a damaged file can make it read where nothing is.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: bleve: %v", errStale, p)
	}
}

// bleveIndex is an open Bleve index of blocks.
type bleveIndex struct {
	index  bleve.Index
	reader api.IndexReader
}

// openBleve opens the index in dir for reading. Nobody else writes it, so the lock is there at once.
func openBleve(dir string) (s *bleveIndex, err error) {
	defer recovered(&err)
	if err := registerPacked(); err != nil {
		return nil, err
	}
	x, err := bleve.OpenUsing(dir, map[string]any{"read_only": true, "bolt_timeout": "2s"})
	if err != nil {
		return nil, fmt.Errorf("open bleve: %w", err)
	}
	adv, err := x.Advanced()
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	r, err := adv.Reader()
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return &bleveIndex{index: x, reader: r}, nil
}

func (s *bleveIndex) close() (err error) {
	defer recovered(&err)
	return errors.Join(s.reader.Close(), s.index.Close())
}

// blocks returns the block of each document, by its internal number.
func (s *bleveIndex) blocks(n int) ([]uint16, error) {
	ids, err := s.reader.DocIDReaderAll()
	if err != nil {
		return nil, err
	}
	defer ids.Close()
	docs := make([]uint16, n)
	for range n {
		id, err := ids.Next()
		if err != nil || id == nil {
			return nil, fmt.Errorf("read bleve documents: %w", errors.Join(err, errStale))
		}
		name, err := s.reader.ExternalID(id)
		if err != nil {
			return nil, err
		}
		block, err := strconv.Atoi(name)
		if err != nil || id.Value() >= uint64(n) || block >= n {
			return nil, fmt.Errorf("bleve document %q of %d: %w", name, n, errStale)
		}
		docs[id.Value()] = uint16(block)
	}
	return docs, nil
}

// mark adds to set the blocks that hold term.
func (s *bleveIndex) mark(ctx context.Context, field string, term []byte, docs []uint16, set blockSet) error {
	r, err := s.reader.TermFieldReader(ctx, term, field, false, false, false)
	if err != nil {
		return err
	}
	defer r.Close()
	var d api.TermFieldDoc
	for {
		hit, err := r.Next(d.Reset())
		if err != nil || hit == nil {
			return err
		}
		n := hit.ID.Value()
		if n >= uint64(len(docs)) {
			return fmt.Errorf("bleve document %d of %d: %w", n, len(docs), errStale)
		}
		set.add(int(docs[n]))
	}
}

// answer returns the blocks that have what n and the names need.
func (s *bleveIndex) answer(ctx context.Context, g *gate, blocks int, n *need, m *matcher) (set blockSet, err error) {
	defer recovered(&err)
	set = makeBlockSet(blocks)
	for b := range blocks {
		set.add(b)
	}
	one := func(gram uint32) [][]byte { return [][]byte{{byte(gram >> 16), byte(gram >> 8), byte(gram)}} }
	for _, gram := range n.grams {
		if err := s.narrow(ctx, fieldGrams, one(gram), g, set); err != nil || set.empty() {
			return set, err
		}
	}
	for _, runs := range n.runs {
		if err := s.narrow(ctx, fieldRuns, byteSlices(runs), g, set); err != nil || set.empty() {
			return set, err
		}
	}
	if len(m.cats) > 0 {
		if err := s.narrow(ctx, fieldCategory, m.cats, g, set); err != nil {
			return set, err
		}
	}
	if m.q.User != "" {
		if err := s.narrow(ctx, fieldUser, [][]byte{[]byte(m.q.User)}, g, set); err != nil {
			return set, err
		}
	}
	for _, e := range n.either {
		short := append(blockSet(nil), set...)
		for _, gram := range e.grams {
			if err := s.narrow(ctx, fieldGrams, one(gram), g, short); err != nil {
				return set, err
			}
		}
		if err := s.narrow(ctx, fieldRuns, byteSlices(e.runs), g, set); err != nil {
			return set, err
		}
		for i := range set {
			set[i] |= short[i]
		}
	}
	return set, nil
}

// narrow leaves in set the blocks that hold one of terms, or may as their text is not indexed.
func (s *bleveIndex) narrow(ctx context.Context, field string, terms [][]byte, g *gate, set blockSet) error {
	with := make(blockSet, len(set))
	if field == fieldGrams || field == fieldRuns {
		for _, block := range g.open {
			with.add(int(block))
		}
	}
	for _, t := range terms {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.mark(ctx, field, t, g.docs, with); err != nil {
			return err
		}
	}
	for i := range set {
		set[i] &= with[i]
	}
	return nil
}

func byteSlices(ss []string) [][]byte {
	out := make([][]byte, len(ss))
	for i, s := range ss {
		out[i] = []byte(s)
	}
	return out
}
