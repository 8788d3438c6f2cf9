package index

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/blevesearch/bleve/v2/index/scorch"
	api "github.com/blevesearch/bleve_index_api"
)

// buildBleve makes the Bleve index of t in the new folder dir and returns the block of each document. All
// blocks go in as one batch, as merging batches costs several times as much, unless their terms are so many
// that memory is dearer.
func buildBleve(dir string, t *terms, c *columns, stop []uint32) (docs []uint16, err error) {
	defer recovered(&err)
	kept := t.dropGrams(stop)
	b, err := scorch.NewBuilder(map[string]any{"path": dir, "batchSize": t.batch(kept), "buildPathPrefix": filepath.Dir(dir)})
	if err != nil {
		return nil, err
	}
	fields := newDocFields()
	for i := range t.blocks {
		if err := b.Index(fields.document(i, &t.blocks[i], c)); err != nil {
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

// dropGrams takes the stop grams out of all blocks and returns how many others there are.
func (t *terms) dropGrams(stop []uint32) (kept int) {
	isStop := make(map[uint32]bool, len(stop))
	for _, g := range stop {
		isStop[g] = true
	}
	for i := range t.blocks {
		b := &t.blocks[i]
		b.grams = slices.DeleteFunc(b.grams, func(g uint32) bool { return isStop[g] })
		kept += len(b.grams)
	}
	return kept
}

// batch is how many blocks Bleve is given at once, when they hold so many trigrams.
func (t *terms) batch(grams int) int {
	return max(1, (len(t.blocks)+1)*min(t.limits.batchTerms, grams+1)/(grams+1))
}

// recovered turns a panic of Bleve into an error: a damaged file can make it read where nothing is.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: bleve: %v", errStale, p)
	}
}

// bleveIndex is an open Bleve index of blocks.
type bleveIndex struct {
	index  api.Index
	reader api.IndexReader
}

// openBleve opens the index in dir for reading. Nobody else writes it, so the lock is there at once.
func openBleve(dir string) (s *bleveIndex, err error) {
	defer recovered(&err)
	x, err := scorch.NewScorch(scorch.Name, map[string]any{"path": dir, "read_only": true, "bolt_timeout": "2s"}, nil)
	if err != nil {
		return nil, fmt.Errorf("open bleve: %w", err)
	}
	if err := x.Open(); err != nil {
		return nil, fmt.Errorf("open bleve: %w", err)
	}
	r, err := x.Reader()
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
	if set = slices.Clone(n.blocks); set == nil {
		set = allBlocks(blocks)
	}
	if err := s.narrowGrams(ctx, n.grams, g, set); err != nil || set.empty() {
		return set, err
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
		short := slices.Clone(set)
		if err := s.narrowGrams(ctx, e.grams, g, short); err != nil {
			return set, err
		}
		for i := range set {
			set[i] &= short[i] | e.long[i]
		}
	}
	return set, nil
}

// narrowGrams leaves in set the blocks that hold all of grams.
func (s *bleveIndex) narrowGrams(ctx context.Context, grams []uint32, g *gate, set blockSet) error {
	for _, gram := range grams {
		if set.empty() {
			return nil
		}
		if err := s.narrow(ctx, fieldGrams, [][]byte{{byte(gram >> 16), byte(gram >> 8), byte(gram)}}, g, set); err != nil {
			return err
		}
	}
	return nil
}

// narrow leaves in set the blocks that hold one of terms, or may as their text is not indexed.
func (s *bleveIndex) narrow(ctx context.Context, field string, terms [][]byte, g *gate, set blockSet) error {
	with := make(blockSet, len(set))
	if field == fieldGrams {
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
